package remotesecrets

import (
	"fmt"
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
)

// proxiedServers (SEC027): istioctl takes the address of a remote secret from the kubeconfig,
// and the CA and the token out of the cluster. A proxy that leads people to API servers has
// neither that CA, nor does it take the token of a service account
// (istioctl/pkg/multicluster/remote_secret.go).
func proxiedServers(p *pass) {
	for _, r := range used(p) {
		proxied := r.Proxied()
		if !proxied.Any() {
			continue
		}
		f := about(r, "SEC027", finding.Warning, "a remote secret leads to a proxy instead of the API server itself")
		f.Evidence = []finding.Evidence{serverOf(r), keyOf(r, ", identity", r.Identity)}
		f.Effect = unwatchedEffect(r.In, nameOf(r)) + ", if the proxy does not take tokens of service accounts"
		if proxied.Path != "" {
			f.Evidence = append(f.Evidence, keyOf(r, ", path of the address, which API servers do not have", proxied.Path))
		}
		if len(proxied.Shared) > 0 {
			f.Severity, f.Title = finding.Error, "a remote secret has an address that several clusters have"
			f.Effect = unwatchedEffect(r.In, nameOf(r)) + ": the proxy cannot tell for which cluster istiod asks"
			for _, c := range proxied.Shared {
				f.Evidence = append(f.Evidence, finding.Evidence{Cluster: c.Context, Field: "server of the context", Value: c.Server})
			}
		}
		if u, known := r.Untrusted(); known && u.Why != "" || !follows(r) {
			f.Severity, f.Effect = finding.Error, unwatchedEffect(r.In, nameOf(r))
		}
		f.Fix = direct(r)
		p.Gather(f)
	}
}

// follows reports whether no replica of istiod says that it does not follow the cluster.
func follows(r *model.RemoteSecret) bool {
	return !slices.ContainsFunc(r.Replicas(), func(s model.Replica) bool { return s.State == model.TimedOut })
}

// direct are the steps that make a remote secret with the address of the API server itself.
func direct(r *model.RemoteSecret) []finding.Step {
	to, namespace, of := placeholder, r.In.SystemNamespace, "cluster "+r.ClusterID
	if r.To != nil {
		to, namespace, of = r.To.Context, r.To.SystemNamespace, r.To.Context
	}
	say := "Recreate the remote secret. " + setHost
	if r.To == nil {
		say = fmt.Sprintf("Set %s to its context. ", placeholder) + say
	}
	var out []finding.Step
	if r.To != nil {
		out = append(out, finding.Say("See by which addresses pods of %s reach its API servers:", to).By(
			finding.Kubectl(to, "-n", "default", "get", "endpointslices", "-l", "kubernetes.io/service-name=kubernetes")))
	}
	return append(out, replace(r, finding.Say(say, of, r.In.Context).By(createFor(r.In, to, r.ClusterID, namespace, ownServer)))...)
}
