package istio

// Reads reports whether a control plane reads an object of configuration with some labels:
// label istio.io/rev has to be its own revision, to the letter. Tags are not resolved. What
// has no such label all revisions read (pkg/config/model.go, LabelsInRevision; pilot/pkg/
// config/kube/crdclient/client.go, inRevision). It is not asked of Gateways of the Gateway
// API, nor of Services, which every revision reads.
func (i Istiod) Reads(labels map[string]string) bool {
	revision, labeled := labels[LabelRevision]
	return !labeled || i.env[EnvRevision] == "" || revision == i.env[EnvRevision]
}
