package endpoints

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
)

// lost are the routes on which requests go to addresses of another network, where
// there is more than one.
var lost = []istio.Route{istio.NetworkUnknown, istio.NoGateways, istio.NoGatewayOfNetwork, istio.SourceUnknown}

// networks: what is on another network is reached through a gateway, and the
// networks of both are known (pilot/pkg/xds/endpoints/ep_filters.go).
func (w *walk) networks() bool {
	if w.ports[0].given.Direct {
		return w.headless()
	}
	passed := w.each(stepNetwork, func(p *port) (finding.Finding, bool) {
		for _, d := range p.dropped {
			if d.Reason == istio.NoReachableGate && p.reached() == 0 {
				return w.noGateway(d.Network.Name), false
			}
		}
		var astray []istio.Endpoint
		for _, e := range p.direct {
			if w.v.several && slices.Contains(lost, e.Route) && (e.Network != "" || w.from.Network != "") {
				astray = append(astray, e)
			}
		}
		if len(astray) == 0 {
			return finding.Finding{}, true
		}
		f := w.astray(astray)
		if len(astray) < p.reached() {
			w.lost = true
			w.blame(stepNetwork, f)
			return finding.Finding{}, true
		}
		return f, false
	})
	if !passed {
		return false
	}
	w.overlap()
	if w.v.several {
		return w.ok(stepNetwork, "from %s to %s", cmp.Or(w.from.Network, "no network"), cmp.Or(finding.List(w.networksThere()), "no network"))
	}
	return w.ok(stepNetwork, "there is one network")
}

// networksThere are those of the cluster's endpoints.
func (w *walk) networksThere() []string {
	var out []string
	for _, p := range w.ports {
		for _, e := range slices.Concat(p.direct, p.via) {
			out = append(out, e.Network)
		}
	}
	return finding.Distinct(out)
}

// headless: clients of a headless service connect to the addresses that its name has, which
// are those of their own cluster's pods, and which lead to no other network.
func (w *walk) headless() bool {
	other := w.v.several && slices.ContainsFunc(w.ports[0].given.Endpoints, func(e istio.Endpoint) bool {
		return e.Gateway() && slices.ContainsFunc(e.Behind, func(b istio.Backend) bool { return b.Cluster == w.id }) || e.Cluster == w.id && slices.Contains(lost, e.Route)
	})
	if !other && w.captures() {
		return w.ok(stepNetwork, "headless: the proxy answers for the name with the pods of the network")
	}
	if !other {
		return w.nothing(stepNetwork, fmt.Sprintf("headless: in %s the name has the pods of that cluster alone", w.source.Context))
	}
	return w.fault(stepNetwork, finding.Finding{
		Code: "EP006", Severity: w.when(finding.Note), Clusters: finding.Distinct([]string{w.source.Context, w.to.Context}), Object: w.service.object(),
		Title: fmt.Sprintf("%s is headless, and headless services do not cross networks", w.service),
		Evidence: []finding.Evidence{
			{Field: w.service.text() + ", clusterIP", Value: "None"},
			{Cluster: w.source.Context, Field: "network of clients", Value: cmp.Or(w.from.Network, "none")},
		},
		Effect: fmt.Sprintf("clients in %s reach the pods of their own network alone", w.source.Context),
		Fix:    []finding.Step{finding.Say("Reach it by a second Service that has an address, with the same selector in both clusters.")},
	})
}

// astray is the finding about endpoints that are given to a source by their own addresses
// though they are on another network, or nobody knows on which.
func (w *walk) astray(astray []istio.Endpoint) finding.Finding {
	e := astray[0]
	given := finding.Evidence{Cluster: w.source.Context, Field: "clients on " + cmp.Or(w.from.Network, "no network") + " get", Value: fmt.Sprintf("%s:%d", w.address(e.Address), e.Port)}
	switch e.Route {
	case istio.NoGateways, istio.NoGatewayOfNetwork:
		f := w.noGateway(e.Network)
		f.Evidence = append(f.Evidence, given)
		return f
	case istio.NetworkUnknown:
		return w.endpointUnknown(e, given)
	default:
		return w.sourceUnknown(given)
	}
}

// noGateway: the network of the endpoints has no gateway.
func (w *walk) noGateway(network string) finding.Finding {
	f := finding.Finding{
		Code: "EP031", Severity: finding.Error, Clusters: []string{w.to.Context}, Object: finding.Named("network", network),
		Title:    fmt.Sprintf("%s knows no gateway of network %s, and gives out addresses of its pods", w.v.name(), network),
		Evidence: []finding.Evidence{{Cluster: w.v.Context, Field: "gateways of " + network, Value: "none"}},
		Effect:   fmt.Sprintf("requests from %s to %s time out", w.source.Context, w.to.Context),
		Fix: []finding.Step{
			finding.Say("Install an east-west gateway there. Its Service needs label "+istio.LabelNetwork+"=%s and port 15443.", network),
			finding.Say("See which gateways are there:").By(finding.Kubectl(w.to.Context, "get", "services", "-A", "-l", istio.LabelNetwork)),
		},
	}
	for _, c := range w.v.candidates {
		if c.Network == network && (c.Problem != "" || len(c.Addresses) == 0) {
			f.Evidence = append(f.Evidence, finding.Evidence{
				Cluster: w.contextOf(c.Cluster), Field: strings.ToLower(c.Kind) + " " + key(c.Namespace, c.Name), Value: cmp.Or(c.Problem, "has no address"),
			})
		}
	}
	f.CausedBy = cmp.Or(w.knows(f.Object, []string{w.to.Context}, "GW001"), w.knows(f.Object, nil, "GW001"),
		w.knows(finding.Object{}, []string{w.to.Context}, "GW002", "GW033", "GW030", "GW004", "GW005", "GW006", "GW007", "GW008", "GW003",
			"GW016", "GW017", "GW018", "AMB008"))
	if f.CausedBy != "" {
		f.Fix = byItsCause()
	}
	return f
}

// endpointUnknown: nothing says on which network the endpoints are.
func (w *walk) endpointUnknown(e istio.Endpoint, given finding.Evidence) finding.Finding {
	f := finding.Finding{
		Code: "EP031", Severity: finding.Error, Clusters: []string{w.to.Context}, Object: finding.Named("namespace", w.to.SystemNamespace),
		Title: fmt.Sprintf("the network of pods in %s is not known, so that clients on others get their addresses", w.to.Context),
		Evidence: []finding.Evidence{
			{Cluster: w.to.Context, Field: "namespace " + w.to.SystemNamespace + ", label " + istio.LabelNetwork, Value: "none"},
			{Cluster: w.to.Context, Field: "pod " + e.Pod + ", label " + istio.LabelNetwork, Value: "none"},
			given,
		},
		Effect: fmt.Sprintf("requests from %s to %s time out", w.source.Context, w.to.Context),
	}
	f.Fix = []finding.Step{finding.Say("Label namespace %s with the name of the network: "+istio.LabelNetwork+".", w.to.SystemNamespace)}
	if network := w.networkOf(w.to); network != "" {
		f.Fix = []finding.Step{
			finding.Run(finding.Kubectl(w.to.Context, "label", "namespace/"+w.to.SystemNamespace, istio.LabelNetwork+"="+network)),
		}
	}
	if e.Pod == "" {
		f.Evidence[1] = finding.Evidence{Cluster: w.to.Context, Field: "endpoint " + e.Address, Value: "is no pod"}
	}
	f.CausedBy = w.knows(finding.Object{}, []string{w.to.Context}, "NET001", "NET004", "NET005")
	return f
}

// networkOf is the network that a cluster is meant to be, by its gateway or its sidecars.
func (w *walk) networkOf(c *cluster) string {
	for _, s := range c.services {
		if n := s.Labels[istio.LabelNetwork]; n != "" {
			return n
		}
	}
	for _, n := range c.networks {
		if n != "" {
			return n
		}
	}
	return ""
}

// sourceUnknown: the proxies of the source were not told on which network they are.
func (w *walk) sourceUnknown(given finding.Evidence) finding.Finding {
	network := w.networkOf(w.source)
	if ns := w.source.namespaces[w.source.SystemNamespace]; ns != nil && network == "" {
		network = ns.Labels[istio.LabelNetwork]
	}
	f := finding.Finding{
		Code: "EP031", Severity: finding.Error, Clusters: []string{w.source.Context}, Object: finding.Kind("proxies without network"),
		Title: fmt.Sprintf("proxies in %s do not know their network, and get addresses of pods of other networks", w.source.Context),
		Evidence: []finding.Evidence{
			{Cluster: w.source.Context, Field: "pod " + cmp.Or(w.from.Pod, "(none)") + ", " + istio.EnvProxyNetwork, Value: "none"}, given,
		},
		Effect: fmt.Sprintf("requests from %s to %s time out", w.source.Context, w.to.Context),
		Fix: []finding.Step{
			finding.Say("Set global.network in the values of istiod's installation to %s.", cmp.Or(network, "the name of the network")),
		},
	}
	if w.from.Pod != "" {
		f.Fix = append(f.Fix, w.restart(w.source, w.source.pods[w.from.Pod]))
	}
	f.CausedBy = w.knows(finding.Object{}, []string{w.source.Context}, "NET002", "NET005")
	return f
}

// restart is the step that recreates the pods of a workload.
func (w *walk) restart(c *cluster, p *facts.Pod) finding.Step {
	o := istio.WorkloadOf(p)
	switch o.Kind {
	case "deployment", "statefulset", "daemonset":
		return finding.Run(finding.Kubectl(c.Context, "-n", o.Namespace, "rollout", "restart", o.Kind+"/"+o.Name))
	}
	return finding.Say("Recreate the pods of %s.", o)
}

// overlap: on one network an address belongs to one pod.
func (w *walk) overlap() {
	for _, p := range w.ports {
		for _, e := range p.direct {
			for _, o := range p.given.Endpoints {
				if o.Cluster == w.id || o.Gateway() || o.Address != e.Address || o.Port != e.Port {
					continue
				}
				other := w.contextOf(o.Cluster)
				w.blame(stepNetwork, finding.Finding{
					Code: "EP021", Severity: finding.Error, Clusters: finding.Distinct([]string{other, w.to.Context}),
					Title: fmt.Sprintf("pods of %s and %s have the same addresses on one network", other, w.to.Context),
					Evidence: []finding.Evidence{
						{Cluster: w.to.Context, Field: "address " + e.Address, Value: "pod " + e.Pod}, {Cluster: other, Field: "address " + o.Address, Value: "pod " + o.Pod},
					},
					Effect: "requests for one get to the other",
					Fix: []finding.Step{
						finding.Say("Give the clusters different networks and a gateway each, or ranges of pod addresses that do not overlap."),
					},
					CausedBy: w.knows(finding.Object{}, finding.Distinct([]string{other, w.to.Context}), "NET007"),
				})
				w.lost = true
				return
			}
		}
	}
}

// mutualTLS: what is behind a gateway takes mutual TLS, or is left out
// (pilot/pkg/xds/endpoints/mtls_checker.go).
func (w *walk) mutualTLS() bool {
	passed := w.each(stepMTLS, func(p *port) (finding.Finding, bool) {
		var plain []istio.Dropped
		for _, d := range p.dropped {
			if d.Reason == istio.NoMTLS {
				plain = append(plain, d)
			}
		}
		if len(plain) == 0 {
			return finding.Finding{}, true
		}
		f := w.plain(w.v, plain)
		if p.reached() > 0 {
			w.lost = true
			w.blame(stepMTLS, f)
			return finding.Finding{}, true
		}
		return f, false
	})
	if !passed {
		return false
	}
	for _, p := range w.ports {
		for _, e := range p.direct {
			if e.Plain.Kind == "" && !e.MTLS {
				return w.ok(stepMTLS, "not all endpoints take it; on one network they need not")
			}
		}
	}
	return w.ok(stepMTLS, "the endpoints take it")
}

// plain is the finding about endpoints that do not take mutual TLS.
func (w *walk) plain(v *view, endpoints []istio.Dropped) finding.Finding {
	first := endpoints[0]
	object := finding.In(strings.ToLower(first.Plain.Kind), first.Plain.First.Namespace, first.Plain.First.Name)
	f := finding.Finding{
		Severity: finding.Error, Clusters: []string{v.Context},
		Effect:   fmt.Sprintf("istiod leaves out the endpoints of %s without a word: clients in %s do not get to them", w.to.Context, w.source.Context),
		Evidence: []finding.Evidence{{Field: first.Plain.Kind + " " + first.Plain.Object, Value: strings.TrimPrefix(first.Plain.Text, first.Plain.Kind+" "+first.Plain.Object+" ")}},
	}
	switch first.Plain.Kind {
	case "DestinationRule":
		f.Code, f.Object = "EP008", object
		f.Title = fmt.Sprintf("DestinationRule %s turns the mesh's TLS off, and gateways between networks take nothing else", first.Plain.Object)
		f.Fix = []finding.Step{finding.Say("Set tls.mode to ISTIO_MUTUAL, or remove tls:").By(
			edit(v.Context, object.Kind, object.Namespace, object.Name))}
	case "PeerAuthentication":
		f.Code, f.Object = "EP009", object
		f.Title = fmt.Sprintf("PeerAuthentication %s turns mutual TLS off, and gateways between networks take nothing else", first.Plain.Object)
		f.Fix = []finding.Step{finding.Say("Set the mode to STRICT, PERMISSIVE or UNSET:").By(
			edit(v.Context, object.Kind, object.Namespace, object.Name))}
	default:
		f = w.uninjected(endpoints)
	}
	return f
}

// uninjected: the endpoints have no sidecar, or are no pods.
func (w *walk) uninjected(endpoints []istio.Dropped) finding.Finding {
	f := finding.Finding{
		Severity: finding.Error, Clusters: []string{w.to.Context},
		Effect: fmt.Sprintf("istiod leaves them out without a word: clients in %s do not get to them", w.source.Context),
	}
	for _, d := range endpoints {
		f.Evidence = append(f.Evidence, finding.Evidence{Field: cmp.Or(prefixed("pod ", d.Pod), "endpoint "+d.Address), Value: cmp.Or(d.Detail, "no sidecar")})
	}
	first := w.to.pods[endpoints[0].Pod]
	if first == nil {
		f.Code, f.Object = "EP024", w.service.object()
		f.Title = fmt.Sprintf("endpoints of %s in %s are no pods that istiod knows, and cannot be reached from another network", w.service, w.to.Context)
		f.Evidence[0].Value = "no targetRef to a pod"
		f.Fix = []finding.Step{finding.Say("Make the EndpointSlices name their pods (targetRef), or give the Service a selector:").By(
			finding.Kubectl(w.to.Context, "-n", w.service.namespace, "get", "endpointslices", "-l", discoveryv1.LabelServiceName+"="+w.service.name, "-o", "yaml"))}
		return f
	}
	o := istio.WorkloadOf(first)
	f.Code, f.Object = "EP007", finding.In(o.Kind, o.Namespace, o.Name)
	f.Title = fmt.Sprintf("pods of %s in %s have no sidecar, and cannot be reached from another network", o, w.to.Context)
	ns := w.to.namespaces[first.Namespace]
	if ns != nil && !injects(ns) && !injectsPod(first) {
		f.Code, f.Object = "EP002", finding.Named("namespace", first.Namespace)
		f.Title = fmt.Sprintf("namespace %s of %s is not labelled for injection: its pods cannot be reached from another network", first.Namespace, w.to.Context)
		label := "istio-injection=enabled"
		for _, c := range w.clusters {
			if o := c.namespaces[first.Namespace]; c != w.to && o != nil && injects(o) {
				f.Evidence = append(f.Evidence, finding.Evidence{Cluster: c.Context, Field: "labels of namespace " + first.Namespace, Value: inline(o.Labels)})
				if rev := o.Labels[istio.LabelRevision]; rev != "" {
					label = istio.LabelRevision + "=" + rev
				}
			}
		}
		f.Evidence = append(f.Evidence, finding.Evidence{Cluster: w.to.Context, Field: "labels of namespace " + first.Namespace, Value: cmp.Or(inline(ns.Labels), "none")})
		f.Fix = append(f.Fix, finding.Run(finding.Kubectl(w.to.Context, "label", "namespace/"+first.Namespace, label, "--overwrite")))
	}
	f.Fix = append(f.Fix, w.restart(w.to, first))
	return f
}

func prefixed(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}

// injects reports whether pods of a namespace get a sidecar.
func injects(ns *corev1.Namespace) bool {
	return ns.Labels["istio-injection"] == "enabled" || ns.Labels[istio.LabelRevision] != "" && ns.Labels["istio-injection"] != "disabled"
}

func injectsPod(p *facts.Pod) bool {
	return p.Labels["sidecar.istio.io/inject"] == "true" || p.Labels[istio.LabelRevision] != ""
}
