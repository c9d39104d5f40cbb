package facts

// Material is what a proxy uses for the mutual TLS of the mesh, without its private key.
type Material struct {
	Chain []byte // PEM, its own certificate first; empty where it has none
	Roots []byte // PEM, of what it trusts; likewise
}

// ProxyMaterial is that of the proxy of a pod, as it was asked.
type ProxyMaterial struct {
	Pod *Pod
	Read[Material]
}
