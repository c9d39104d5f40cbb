package istio

// Sees reports whether the control plane looks after a namespace of a cluster that
// it reads: its discovery selectors can leave it out.
func (v *View) Sees(cluster, namespace string) bool {
	m := v.member(cluster)
	return m != nil && m.selects(namespace)
}

// HasSubset reports whether the DestinationRules that a source obeys define a
// subset of a service.
func (v *View) HasSubset(source Source, namespace, service, subset string) bool {
	_, ok := v.rules.of(source, hostname(namespace, service), namespace).subset(subset)
	return ok
}

// Host is the host of a Service in the mesh.
func Host(namespace, name string) string { return hostname(namespace, name) }

// FullHost completes a host as it is written in a configuration of a namespace.
func FullHost(host, namespace string) string { return fullHost(host, namespace) }

// CapturesDNS reports whether a proxy with these variables answers for the names of
// all services that it knows, so that no Service is needed in its cluster.
func CapturesDNS(env map[string]string) bool { return isTrue(env[EnvDNSCapture]) }
