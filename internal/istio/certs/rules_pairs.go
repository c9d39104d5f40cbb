package certs

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
)

// refusedCertificates: each direction on its own, for a client has to trust the server and
// the server the client.
func refusedCertificates(p *pass) {
	t := trustOf(p.Model)
	undecidedPairs(p, t)
	for _, r := range refusals(len(t.authorities), t.refuses) {
		p.Report(t.refusal(p, r))
	}
}

// undecidedPairs says of which clusters it is not known whom they trust, or who trusts them.
func undecidedPairs(p *pass, t *trust) {
	for i, from := range t.authorities {
		if from.mode == Hosting {
			continue
		}
		for k, to := range t.authorities {
			r := t.relations[i][k]
			switch _, _, why := from.roots(); {
			case r.Verdict != Undecided:
			case unclear(why):
				p.NotChecked(from.Context, why)
			default:
				// What is missing is to's: it is said once, and not for every from.
				_, _, why = to.roots()
				if !unclear(why) {
					why = finding.Because(r.Reason)
				}
				p.NotChecked(to.Context, why)
			}
		}
		if from.rootless() {
			p.NotChecked(from.Context, from.whyNoRoots())
		}
	}
}

// refusal is the finding about clusters whose certificates others refuse.
func (t *trust) refusal(p *pass, r refusal) finding.Finding {
	refused, refusing := names(t.authorities, r.refused), names(t.authorities, r.refusing)
	f := finding.Finding{
		Code: "CERT002", Severity: finding.Error, Clusters: r.contexts(t.authorities),
		Title:  fmt.Sprintf("certificates of %s are refused in %s", finding.List(refused), finding.List(refusing)),
		Effect: effectNoTrust,
		Fix:    t.trustAll(p, r),
	}
	switch {
	case r.mutual && len(refused) == 1 && len(refusing) == 1:
		f.Title = fmt.Sprintf("%s and %s do not trust one another's certificates", refused[0], refusing[0])
	case r.mutual:
		f.Title = fmt.Sprintf("no trust between %s on the one side and %s on the other", finding.List(refused), finding.List(refusing))
	}
	f.Evidence = t.refusalEvidence(r)
	if id := cause(p, names(t.authorities, r.refusing), "CERT049"); id != "" && t.trustWholeBundles(r) {
		f.CausedBy, f.Fix = id, remedy.ByItsCause()
		return f
	}
	if f.CausedBy = t.causeOf(p, r); f.CausedBy != "" {
		f.Fix = remedy.ByItsCause()
	}
	return f
}

// trustWholeBundles reports whether those that refuse would not, if their workloads were given all
// roots that are published.
func (t *trust) trustWholeBundles(r refusal) bool {
	for _, i := range r.refusing {
		for _, k := range r.refused {
			if verdict, _, ok := bySigner(t.authorities[i].published.Certificates, t.authorities[k], t.now); !ok || verdict != Trusts {
				return false
			}
		}
	}
	return true
}

// trustAll is how the clusters of a refusal come to trust one another. Where each
// has a plugged-in CA in use, they can go on with it, and hold all roots.
func (t *trust) trustAll(p *pass, r refusal) []finding.Step {
	var all []*authority
	for i, a := range t.authorities {
		if !slices.Contains(r.refused, i) && !slices.Contains(r.refusing, i) {
			continue
		}
		if a.mode != PluggedIn || a.ca.layout.root != pemLayout.root || !a.serves(a.ca) {
			return []finding.Step{finding.Say("Give every cluster an intermediate of one root. To move without an interruption, " +
				"first put both roots into root-cert.pem of every cluster, then change the signing certificates (\"explain CERT002\").")}
		}
		all = append(all, a)
	}
	if wouldConfuse(all) {
		return t.apart(all)
	}
	gather := finding.Say("If the roots are all yours, let every cluster trust each of them. " +
		"The signing certificates stay as they are. Gather the roots:")
	var fetched []pki.Certificate
	for _, a := range all {
		if !slices.ContainsFunc(a.ca.root.Certificates, func(c pki.Certificate) bool { return !holds(fetched, c) }) {
			continue
		}
		get := finding.Kubectl(a.Context, "-n", a.SystemNamespace, "get", "configmap", istio.RootCertConfigMap,
			"-o", "go-template={{index .data "+strconv.Quote(istio.RootCertKey)+"}}{{\"\\n\"}}")
		get.Into, get.Append = rootsFile, len(fetched) > 0
		gather, fetched = gather.By(get), append(fetched, a.ca.root.Certificates...)
	}
	out := []finding.Step{gather}
	for _, a := range all {
		say := finding.Say("Give %s all of them, and restart its istiod:", a.Context)
		// An istiod that does not come back would make it worse.
		if code := worst(p, a.Context, append(slices.Clone(inBundle), "CERT010")...); code != "" {
			say = finding.Say("In %s, fix %s first: else its istiod does not come back. Then give it all of them, and restart its istiod:",
				a.Context, code)
		}
		if by := a.caOwner(); by.Known() {
			out = append(out, say, by.Step(a.Context, caCertsObject(a)),
				finding.Say("Then restart istiod of %s:", a.Context).By(remedy.RestartIstiods(a.Context, a.istiods)...))
			continue
		}
		out = append(out, say.By(patchRoots(a)).By(remedy.RestartIstiods(a.Context, a.istiods)...))
	}
	return append(out, finding.Say("Then restart the workloads and gateways. Without a restart, proxies pick up the new roots "+
		"when they next renew, within about 12 hours."))
}

// rootsFile is where the roots of all clusters are gathered.
const rootsFile = "roots.pem"

// patchRoots is the command that makes the gathered roots those of Secret cacerts, and
// changes nothing else of it.
func patchRoots(a *authority) finding.Command {
	return finding.Kubectl(a.Context, "-n", a.SystemNamespace, "create", "secret", "generic", istio.CACertsSecret,
		"--from-file="+a.ca.layout.root+"="+rootsFile, "--dry-run=client", "-o", "yaml").
		To(finding.Kubectl(a.Context, "-n", a.SystemNamespace, "patch", "secret", istio.CACertsSecret, "--patch-file=/dev/stdin"))
}

// worst is the first of some codes of which there is an error in a cluster; "" for none.
func worst(p *pass, context string, codes ...finding.Code) finding.Code {
	for _, f := range p.Found(codes...) {
		if f.Severity == finding.Error && slices.Contains(f.Clusters, context) {
			return f.Code
		}
	}
	return ""
}

func (t *trust) refusalEvidence(r refusal) []finding.Evidence {
	var out []finding.Evidence
	signing, shown := slices.Clone(r.refused), slices.Clone(r.refusing)
	if r.mutual {
		signing, shown = append(signing, r.refusing...), append(shown, r.refused...)
	}
	for _, i := range signing {
		a := t.authorities[i]
		if signer, ok := signerOf(a); ok {
			out = append(out, finding.Evidence{Cluster: a.Context, Field: "signing certificate", Value: describe(signer)})
		}
	}
	for _, i := range shown {
		a := t.authorities[i]
		roots, source, _ := a.roots()
		out = append(out, finding.Evidence{
			Cluster: a.Context, Field: "roots, " + orElse(source, "nowhere"), Value: orElse(describeAll(roots), "none"),
		})
	}
	return out
}

// signerOf is the certificate with which a cluster's istiod signs, where it is known.
func signerOf(a *authority) (pki.Certificate, bool) {
	if b := a.current(); a.serves(b) {
		return b.signer()
	}
	return pki.Certificate{}, false
}

// causeOf finds what explains a refusal: a fault of one of the clusters, or
// that their CAs have nothing in common to begin with.
func (t *trust) causeOf(p *pass, r refusal) string {
	all := r.contexts(t.authorities)
	if id := cause(p, all, "CERT038", "CERT004"); id != "" {
		return id
	}
	if id := cause(p, names(t.authorities, append(slices.Clone(r.refusing), r.refused...)), "CERT016"); id != "" && t.anchored(r) {
		return id
	}
	// Where intermediates of one issuer stand for roots, that is what has to be fixed.
	for _, f := range p.Found("CERT031", "CERT012") {
		involved := slices.ContainsFunc(f.Clusters, func(c string) bool { return slices.Contains(all, c) })
		if f.Severity == finding.Error && f.Object.Kind == "certificate" && involved {
			return f.ID()
		}
	}
	for _, code := range []finding.Code{"CERT001", "CERT020"} {
		f, ok := firstAbout(p, all, code)
		covered := func(c string) bool { return slices.Contains(f.Clusters, c) }
		if ok && !slices.ContainsFunc(all, func(c string) bool { return !covered(c) }) {
			return f.ID()
		}
	}
	if id := cause(p, all, "CERT013"); id != "" {
		return id
	}
	return cause(p, names(t.authorities, r.refused), inBundle...)
}

// anchored reports whether those that refuse would not, if what the mesh config says were in
// effect for all workloads.
func (t *trust) anchored(r refusal) bool {
	for _, i := range r.refusing {
		from := t.authorities[i]
		roots := slices.Clone(from.published.Certificates)
		for _, mesh := range from.meshes {
			for _, anchor := range furtherRoots(mesh) {
				roots = append(roots, pki.ParseBundle([]byte(anchor.PEM)).Certificates...)
			}
		}
		for _, k := range r.refused {
			if verdict, _ := accepts(roots, finding.Reason{}, t.authorities[k]); verdict != Trusts {
				return false
			}
		}
	}
	return true
}

// wouldTrust reports whether clusters would trust one another, if what their mesh configs say
// were in effect for all workloads.
func (t *trust) wouldTrust(clusters []int) bool {
	for _, i := range clusters {
		for _, k := range clusters {
			if t.refuses(i, k) && !t.anchored(refusal{refusing: []int{i}, refused: []int{k}}) {
				return false
			}
		}
	}
	return true
}
