// Package ads connects to a real istiod as the sidecar of any pod, and serves
// what istiod tells it the way an Envoy's admin interface would.
//
// Fetch and Connect speak the incremental protocol of Istio's proxies over
// istiod's plaintext gRPC address, in their order: clusters, endpoints of all of
// them, listeners, routes. They return when all of that has been answered.
// Answers are held against the constraints of their definitions, as Envoy does,
// and rejected if they break one. A Connection then follows changes and survives
// a restart of istiod; its Config is always a complete one.
//
//	proxy, err := ads.FromPod(pod) // or ads.Proxy{Pod: …, Namespace: …, IP: …, Cluster: …, Network: …}
//	connection, err := ads.Connect(ctx, istiod.GRPC(), proxy)
//	defer connection.Close()
//	endpoints := connection.Config().Endpoints("shop.default.svc.cluster.local", 80, "")
//
// ServeAdmin answers on a port of 127.0.0.1 what Envoy answers on 15000:
// /clusters?format=json, /config_dump with its parameters, /server_info and
// /ready. Behind a port-forward it is what a tool finds at a sidecar. Mark makes
// a host look as if Envoy had ejected it or found it dead.
//
// What a real Envoy has and this has not: clusters, listeners and endpoints of
// the bootstrap configuration; secrets; hosts of DNS clusters; statistics, which
// are all zero; the content of Istio's own filters, which a dump names but does
// not show.
package ads
