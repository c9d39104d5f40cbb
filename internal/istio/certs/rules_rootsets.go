package certs

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
)

// holder is a root, and the contexts of the clusters whose workloads trust it.
type holder struct {
	root pki.Certificate
	in   []string
}

func (h *holder) evidence() finding.Evidence {
	return finding.Evidence{
		Cluster: finding.List(h.in), Field: "sha256 " + pki.Short(h.root.SHA256),
		Value: "public key sha256 " + pki.Short(h.root.PublicKeySHA256()),
	}
}

// rootsOfOneName: two roots have one name and two keys, and people who compare names take
// them for the same.
func rootsOfOneName(p *pass) {
	var holders []*holder
	for _, a := range able(p) {
		if a.mode == SelfSigned || a.runsOnOwn() {
			continue // istiod names all its own roots alike
		}
		roots, _, why := a.roots()
		if unclear(why) {
			p.NotChecked(a.Context, why)
		}
		for _, r := range roots {
			i := slices.IndexFunc(holders, func(h *holder) bool { return h.root.SHA256 == r.SHA256 })
			if i < 0 {
				i = len(holders)
				holders = append(holders, &holder{root: r})
			}
			holders[i].in = append(holders[i].in, a.Context)
		}
	}
	for i, x := range holders {
		for _, y := range holders[i+1:] {
			if !bytes.Equal(x.root.RawSubject, y.root.RawSubject) || sameAuthority(x.root, y.root) || slices.Equal(x.in, y.in) {
				continue
			}
			clusters := append(slices.Clone(x.in), y.in...)
			slices.Sort(clusters)
			clusters = slices.Compact(clusters)
			f := finding.Finding{
				Code: "CERT021", Severity: finding.Note, Clusters: clusters,
				Title: fmt.Sprintf("two different roots have the name %s", x.root.Subject()),
				Evidence: []finding.Evidence{
					x.evidence(), y.evidence(),
				},
				Effect:   "who compares the names of the roots takes them for one; often \"make root-ca\" was run twice",
				CausedBy: cause(p, clusters, "CERT002"),
			}
			p.Report(f)
		}
	}
}

// differingBundles: bundles differ, though all clusters trust one another.
func differingBundles(p *pass) {
	t := trustOf(p.Model)
	authorities := t.comparable(p)
	if len(authorities) < 2 {
		return
	}
	if !sameSets(authorities) {
		t.extraRoots(p, authorities)
		return
	}
	for _, a := range authorities[1:] {
		same := sameSet(authorities[0].published.Certificates, a.published.Certificates)
		if same && !bytes.Equal(authorities[0].publishedText(), a.publishedText()) {
			p.Report(finding.Finding{
				Code: "CERT003", Severity: finding.Note, Clusters: contexts(authorities),
				Title:  "the root bundles hold the same certificates in a different text",
				Effect: "none for trust; but a bundle that is rewritten, if only in a line break, is not taken over by a running istiod",
			})
			return
		}
	}
}

// comparable are the clusters that publish roots, and that all others trust, and trust
// them: between others, it is not the text that is the trouble.
func (t *trust) comparable(p *pass) []*authority {
	var out []*authority
	for i, a := range t.authorities {
		if a.mode == Hosting || !a.issuer.PublishesRoots() {
			continue
		}
		if !a.publishedKnown {
			if !resources.RootCert.Of(a.Cluster).Known() {
				p.NotChecked(a.Context, a.rootCertUnread())
			}
			continue
		}
		trusted := true
		for k := range t.authorities {
			trusted = trusted && t.relations[i][k].Verdict != Distrusts && t.relations[k][i].Verdict != Distrusts
		}
		if trusted && !hasOwnFault(p, a) {
			out = append(out, a)
		}
	}
	return out
}

// sameSets reports whether all publish the same certificates.
func sameSets(authorities []*authority) bool {
	for _, a := range authorities[1:] {
		if !sameSet(ends(authorities[0].published.Certificates), ends(a.published.Certificates)) {
			return false
		}
	}
	return true
}

// extraRoots tells a rotation on its way from a root that was left behind: a
// new root comes after the one that signs, or already signs somewhere.
func (t *trust) extraRoots(p *pass, authorities []*authority) {
	in := map[string][]*authority{}
	var all []pki.Certificate
	for _, a := range authorities {
		all = append(all, ends(a.published.Certificates)...)
		// A root that the mesh config adds is not missing in the bundle.
		for _, r := range a.trusted() {
			in[r.SHA256] = append(in[r.SHA256], a)
		}
	}
	all = pki.Unique(all)
	signing := signingRoots(authorities)
	for _, r := range all {
		without := slices.DeleteFunc(slices.Clone(authorities), func(a *authority) bool { return slices.Contains(in[r.SHA256], a) })
		renewed := func(a *authority) bool {
			return slices.ContainsFunc(a.trusted(), func(o pki.Certificate) bool { return sameAuthority(o, r) && o.NotAfter.After(r.NotAfter) })
		}
		if !slices.ContainsFunc(without, func(a *authority) bool { return !renewed(a) }) {
			continue // they all have it, or what came after it
		}
		rotation, why := len(signing) == 0, "which root each cluster signs under is not known"
		for _, s := range signing {
			switch {
			case sameAuthority(s, r):
				rotation, why = true, "it is the root of a signing certificate in use"
			case !rotation && r.NotBefore.After(s.NotBefore):
				rotation, why = true, "it is younger than the root in use"
			}
		}
		f := finding.Finding{
			Code: "CERT003", Severity: finding.Note, Clusters: contexts(in[r.SHA256]), Object: finding.Named("root", pki.Short(r.SHA256)),
			Title: fmt.Sprintf("a root rotation is on its way: %s already trust a root that %s do not have yet",
				finding.List(contexts(in[r.SHA256])), finding.List(contexts(without))),
			Evidence: []finding.Evidence{
				{Field: "the root", Value: describe(r)},
				{Field: "trusted in", Value: finding.List(contexts(in[r.SHA256]))},
				{Field: "not in", Value: finding.List(contexts(without))},
				{Field: "taken for a rotation", Value: why},
			},
			Effect: "none now: all clusters trust one another; signing certificates may change to it when every cluster has it",
		}
		if !rotation {
			f.Severity = finding.Warning
			f.Title = fmt.Sprintf("%s trusts a root under which no cluster signs", finding.List(contexts(in[r.SHA256])))
			f.Evidence = f.Evidence[:3]
			f.Effect = "whoever has that root's key can pose as any workload there; it is left over, or does not belong to this mesh"
			f.Fix = []finding.Step{finding.Say("If no workload has a certificate from it any more, " +
				"remove it from root-cert.pem in secret cacerts, and restart istiod.")}
		}
		p.Report(f)
	}
}

// signingRoots are the roots under which the clusters' signing certificates verify.
func signingRoots(authorities []*authority) []pki.Certificate {
	var out []pki.Certificate
	for _, a := range authorities {
		signer, ok := signerOf(a)
		if !ok {
			continue
		}
		paths, _ := findPaths(signer, a.current().chain.Certificates, a.trusted(), anyUsage)
		for _, p := range paths {
			out = append(out, p.root())
		}
	}
	return pki.Unique(out)
}

func contexts(authorities []*authority) []string {
	out := make([]string, len(authorities))
	for i, a := range authorities {
		out[i] = a.Context
	}
	return out
}
