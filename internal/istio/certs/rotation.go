package certs

import (
	"fmt"
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
	"github.com/kubectl-mesh/kubectl-mesh/internal/view"
)

// material is what proxies of a cluster have: what they present, and what they trust.
type material struct {
	cluster int
	has     view.Material
	// signer is the CA that signed their certificates, which come with chain.
	signer       pki.Certificate
	chain, roots []pki.Certificate
}

// Rotation says who refuses whom while some proxies have what they got before Secret cacerts changed, and others what
// they got after it. It takes istiod for one that runs on the new CA, whether it loads it or has to be restarted for
// it. Both models are of one fleet; nothing is said where no CA changes, or istiod would not load it.
func Rotation(before, after *model.Mesh) view.Rotation {
	was, will := trustOf(before), trustOf(after)
	var out view.Rotation
	var all []material
	changed := map[int]bool{}
	for i, a := range will.authorities {
		old, why := issued(was.authorities[i])
		switch {
		case a.mode == PluggedIn && loads(a.ca, a.now) && !sameCA(was.authorities[i], a.ca):
			out.Clusters = append(out.Clusters, a.Context)
			changed[i] = true
			if unclear(why) {
				out.Unknown = append(out.Unknown, view.Gap{Cluster: a.Context, Reason: why.Text})
				continue
			}
			signer, _ := a.ca.signer()
			old.cluster, old.has = i, view.Before
			all = append(all, old, material{i, view.After, signer, a.ca.chain.Certificates, a.given(a.ca.root.Certificates)})
		case a.mode == Hosting:
		case unclear(why):
			out.Unknown = append(out.Unknown, view.Gap{Cluster: a.Context, Reason: why.Text})
		default:
			old.cluster, old.has = i, view.Unchanged
			all = append(all, old)
		}
	}
	if len(changed) == 0 {
		return view.Rotation{}
	}
	for _, from := range all {
		for _, to := range all {
			// What is between proxies without a change is so now, and what is between those that have renewed in clusters
			// that change is what the rules say of the fleet then.
			news := from.has == view.After || to.has == view.After
			both := from.has == view.After && to.has == view.After
			if !news || both || from.cluster != to.cluster && (will.ofTwoMeshes(from.cluster, to.cluster) ||
				was.relations[from.cluster][to.cluster].Verdict != Trusts) {
				continue
			}
			if r, ok := refuses(from, to); ok {
				r.Refusing, r.Refused = will.authorities[from.cluster].Context, will.authorities[to.cluster].Context
				r.Lasting = from.has == view.Unchanged || to.has == view.Unchanged
				out.Refusals = append(out.Refusals, r)
			}
		}
	}
	out.Fix = instead(out.Refusals)
	return out
}

// issued is what istiod of a cluster has given its workloads; why says why it is not known.
func issued(a *authority) (m material, why finding.Reason) {
	roots, _, why := a.roots()
	signer, ok := signerOf(a)
	switch {
	case unclear(why):
		return m, why
	case a.mode == Remote:
		return m, finding.Because("its certificates come from the control plane of another cluster")
	case a.mode == External:
		return m, finding.Because("something other than istiod signs its certificates")
	case !ok || len(roots) == 0:
		return m, finding.Because("it is not known with which CA its istiod signs now")
	}
	return material{signer: signer, chain: a.current().chain.Certificates, roots: roots}, finding.Reason{}
}

// sameCA reports whether the CA of a Secret is the one that a cluster has.
func sameCA(a *authority, b *bundle) bool {
	now := a.current()
	if now == nil {
		return false
	}
	one, ok := now.signer()
	other, _ := b.signer()
	return ok && one.SHA256 == other.SHA256 && sameSet(now.root.Certificates, b.root.Certificates) &&
		sameSet(now.chain.Certificates, b.chain.Certificates)
}

// given are the roots that workloads have where istiod publishes these.
func (a *authority) given(published []pki.Certificate) []pki.Certificate {
	out := slices.Clone(a.handedOut(published))
	for _, mesh := range a.meshes {
		for _, anchor := range a.anchorsInEffect(mesh) {
			out = append(out, pki.ParseBundle([]byte(anchor.PEM)).Certificates...)
		}
	}
	return pki.Unique(out)
}

// refuses reports whether proxies refuse the certificates of others, by both verifiers.
func refuses(from, to material) (view.Refusal, bool) {
	r := view.Refusal{RefusingHas: from.has, RefusedHas: to.has}
	if _, err := findPaths(to.signer, to.chain, from.roots, anyUsage); err != nil {
		r.Reason = fmt.Sprintf("no root for signing certificate %s", pki.Short(to.signer.SHA256))
		return r, true
	}
	if c, ok := confused(to.signer, to.chain, from.roots); ok {
		r.EnvoyOnly = true
		r.Reason = fmt.Sprintf("Envoy takes root %s for the issuer, and not %s", pki.Short(c.taken.SHA256), pki.Short(c.right.SHA256))
		return r, true
	}
	return view.Refusal{}, false
}

// instead is how the CA is changed without an interruption.
func instead(refusals []view.Refusal) []finding.Step {
	var out []finding.Step
	envoyOnly := func(f view.Refusal) bool { return f.EnvoyOnly }
	if slices.ContainsFunc(refusals, func(f view.Refusal) bool { return !f.EnvoyOnly }) {
		out = append(out,
			finding.Say("Instead, let all trust both roots first: put the old and the new root into root-cert.pem of every cluster. "+
				"Keep the signing certificates as they are, and restart istiod."),
			finding.Say("Then wait until all proxies have renewed, or restart the workloads. Only then change the signing certificates:").
				By(finding.Shell("kubectl", "mesh-certs", "explain", "CERT002")))
	}
	if slices.ContainsFunc(refusals, envoyOnly) {
		out = append(out, finding.Say("Envoy cannot distinguish these roots. Give the new root a name of its own, or sign the signing "+
			"certificates again with the key identifier of their root:").By(finding.Shell("kubectl", "mesh-certs", "explain", "CERT035")))
	}
	return out
}
