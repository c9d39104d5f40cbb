package certs

import (
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
)

// Roots are the certificates that the workloads of each cluster trust, by context;
// of a cluster that is not among them they are not known.
func Roots(fleet *facts.Fleet) map[string][]pki.Certificate {
	out := map[string][]pki.Certificate{}
	for i := range fleet.Clusters {
		a := newAuthority(fleet, i)
		if roots, _, why := a.roots(); !unclear(why) {
			out[a.Context] = roots
		}
	}
	return out
}
