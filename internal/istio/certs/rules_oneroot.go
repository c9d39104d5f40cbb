package certs

import (
	"fmt"
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
)

// handsOutOne reports whether istiod signs, and is of a release that gives workloads only the
// last root of its bundle (istio.BugOneRoot).
func (a *authority) handsOutOne() bool {
	return (a.mode == PluggedIn || a.mode == SelfSigned) &&
		slices.ContainsFunc(a.istiods, func(i istio.Istiod) bool { return i.Has(istio.BugOneRoot) })
}

// handedOut are those of the published roots that workloads get.
func (a *authority) handedOut(published []pki.Certificate) []pki.Certificate {
	if !a.handsOutOne() || len(published) < 2 {
		return published
	}
	return published[len(published)-1:]
}

// lastRootAlone (CERT049): workloads get one root of several. It does harm where a cluster signs under
// another one; with a key that is not known it may.
func lastRootAlone(p *pass) {
	t := trustOf(p.Model)
	for _, a := range able(p) {
		roots := pki.Unique(a.published.Certificates)
		if !a.handsOutOne() || len(roots) < 2 {
			continue
		}
		last := roots[len(roots)-1:]
		f := finding.Finding{
			Code: "CERT049", Severity: finding.Note, Clusters: []string{a.Context},
			Object: finding.Named("issue", istio.KnownBugs[istio.BugOneRoot].Issue),
			Title:  "this release of istiod gives workloads the last root of root-cert.pem alone",
			Evidence: []finding.Evidence{
				{Field: "roots, configmap " + istio.RootCertConfigMap, Value: describeAll(roots)},
				{Field: "the last one", Value: describe(last[0])},
			},
			Effect: "certificates under another of the roots are refused",
		}
		for _, i := range a.istiods {
			if i.Has(istio.BugOneRoot) {
				f.Evidence = append(f.Evidence, finding.Evidence{Field: "istiod " + i.Name + ", version", Value: i.Version.String()})
				f.Fix = append(
					f.Fix,
					finding.Say("Upgrade istiod of %s to %s or later, with the tool that installed it.", a.Context, i.FixOf(istio.BugOneRoot)),
				)
			}
		}
		var refused []string
		for _, o := range t.authorities {
			if verdict, _, ok := bySigner(last, o, t.now); ok && verdict == Distrusts {
				signer, _ := signerOf(o)
				refused = append(refused, o.Context)
				f.Evidence = append(f.Evidence, finding.Evidence{Cluster: o.Context, Field: "signing certificate", Value: describe(signer)})
			}
		}
		if len(refused) > 0 {
			f.Severity = finding.Error
			f.Effect = fmt.Sprintf("workloads of %s refuse certificates of %s", a.Context, finding.List(refused))
		}
		f.Fix = append(f.Fix, finding.Say("Then restart the workloads and gateways: they pick up all roots when they start."))
		p.Report(f)
	}
}
