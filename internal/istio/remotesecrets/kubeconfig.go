package remotesecrets

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
)

// unusableKubeconfigs (SEC008, SEC026): istiod does not look again at what it makes no
// client of until the Secret changes. A key beside usable ones was left there by somebody.
func unusableKubeconfigs(p *pass) {
	for _, r := range all(p) {
		if r.Invalid == "" || r.In.IsOwnID(r.ClusterID) {
			continue
		}
		usable := func(o *model.RemoteSecret) bool { return o.Invalid == "" }
		if r.To == nil && slices.ContainsFunc(r.Siblings(), usable) {
			f := about(r, "SEC026", finding.Note, "a remote secret has a key that is not a cluster")
			f.Evidence = []finding.Evidence{keyOf(r, "", r.Invalid)}
			f.Effect = fmt.Sprintf("istiod takes %s for the name of a cluster and logs an error; nothing else", r.ClusterID)
			f.Fix = remove(r, nil, "Careful: this removes the key from the Secret. istiod cannot use it, so no traffic stops:")
			p.Gather(f)
			continue
		}
		f := about(r, "SEC008", finding.Error, "istiod cannot use the kubeconfig of a remote secret")
		f.Evidence = []finding.Evidence{keyOf(r, "", r.Invalid)}
		f.Effect = unwatchedEffect(r.In, nameOf(r))
		f.Fix = renew(r)
		p.Gather(f)
	}
}

// refusedAuthentication (SEC009): istiod runs no programs and reads no files for a remote
// secret (pkg/kube/util.go, sanitizeKubeConfig).
func refusedAuthentication(p *pass) {
	for _, r := range all(p) {
		ways := r.NotAllowed()
		if r.Invalid != "" || len(ways) == 0 || r.In.IsOwnID(r.ClusterID) {
			continue
		}
		f := about(r, "SEC009", finding.Error, "istiod refuses the way to authenticate in a remote secret")
		allowed := cmp.Or(r.In.Installed()[0].Env(istio.EnvInsecureKubeconfigs), "none")
		f.Evidence = []finding.Evidence{
			keyOf(r, ", user", strings.Join(ways, ", ")),
			{Cluster: r.In.Context, Field: "istiod, " + istio.EnvInsecureKubeconfigs, Value: allowed},
		}
		f.Effect = unwatchedEffect(r.In, nameOf(r))
		f.Fix = append([]finding.Step{finding.Say("Use the token of a service account: a user's kubeconfig does not work here.")}, renew(r)...)
		p.Gather(f)
	}
}
