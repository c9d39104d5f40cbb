package certs

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
)

// trusts reports whether proxies of a cluster trust what another one's issuer signs; known is
// false where there is nothing to compare.
func trusts(client, server *model.Cluster) (ok, known bool) {
	if client.Roots == nil || len(client.Roots.Certificates) == 0 || server.Issuer == nil || server.Issuer.Certificate == nil {
		return false, false
	}
	return server.Issuer.Trusted(client.Roots.Certificates), true
}

// trust: both sides of a connection verify the other one, whichever way a Link leads.
func trust(p *pass) {
	for _, pair := range pairs(p) {
		a, b := pair[0], pair[1]
		ab, known1 := trusts(a, b)
		ba, known2 := trusts(b, a)
		if ab && ba || !known1 && !known2 || known1 && ab && !known2 || known2 && ba && !known1 {
			continue
		}
		f := finding.Finding{Code: "CERT101", Severity: finding.Error, Clusters: []string{a.Context, b.Context}}
		var fix []*model.Cluster // clusters whose roots lack something
		switch {
		case !ab && !ba:
			f.Title = fmt.Sprintf("%s and %s do not trust each other's certificates", a.Context, b.Context)
			fix = []*model.Cluster{a, b}
		case !ab:
			f.Title = fmt.Sprintf("%s does not trust the certificates of %s", a.Context, b.Context)
			fix = []*model.Cluster{a}
		default:
			f.Title = fmt.Sprintf("%s does not trust the certificates of %s", b.Context, a.Context)
			fix = []*model.Cluster{b}
		}
		for _, c := range pair {
			if c.Roots != nil {
				f.Evidence = append(f.Evidence, finding.Evidence{Cluster: c.Context, Field: inRoots(c), Value: names(c.Roots.Certificates)})
			}
			if c.Issuer != nil && c.Issuer.Certificate != nil {
				f.Evidence = append(f.Evidence, finding.Evidence{
					Cluster: c.Context, Field: inIssuer(c),
					Value: c.Issuer.Certificate.Subject() + ", issued by " + c.Issuer.Certificate.Issuer(),
				})
			}
		}
		f.Effect = fmt.Sprintf("every connection between proxies of %s and %s fails in the TLS handshake", a.Context, b.Context)
		for _, c := range fix {
			other := a
			if c == a {
				other = b
			}
			f.Fix = append(f.Fix, addRoots(c, other)...)
		}
		p.Report(f)
	}
}

// addRoots are the steps that add to the roots of a cluster those of another one.
func addRoots(c, other *model.Cluster) []finding.Step {
	get := func(of *model.Cluster) finding.Command {
		return into(finding.Kubectl(of.Context, "-n", of.Namespace, "get", "configmap/"+resources.ConfigMapRoots, "-o",
			`jsonpath={.data.ca-bundle\.crt}`), of.Context+".pem")
	}
	restart := finding.Say("Then restart linkerd-identity and all meshed workloads of %s: each has the roots of its start.", c.Context)
	if c.Roots != nil {
		if steps := c.Roots.Owner().Steps(c.Context, rootsObject(c)); steps != nil {
			first := finding.Say("Add the roots of %s to those of %s. Write them to a file:", other.Context, c.Context).By(get(other))
			return slices.Concat([]finding.Step{first}, steps, []finding.Step{restart})
		}
	}
	chain := into(finding.Shell("awk", "1", c.Context+".pem", other.Context+".pem"), "both.pem")
	return []finding.Step{
		finding.Say("Add the roots of %s to those of %s:", other.Context, c.Context).By(get(c), get(other), chain),
		finding.Say("Then give them to the installation (Helm: --set-file identityTrustAnchorsPEM=both.pem):").
			By(finding.Shell("linkerd", "--context="+c.Context, "upgrade", "--identity-trust-anchors-file=both.pem").
				To(finding.Kubectl(c.Context, "apply", "-f", "-"))),
		restart,
	}
}

// rotating: the roots differ, and every direction verifies, as in the middle of a rotation.
func rotating(p *pass) {
	for _, pair := range pairs(p) {
		a, b := pair[0], pair[1]
		ab, _ := trusts(a, b)
		ba, _ := trusts(b, a)
		if !ab || !ba || slices.Equal(set(a.Roots.Certificates), set(b.Roots.Certificates)) {
			continue
		}
		p.Report(finding.Finding{
			Code: "CERT102", Severity: finding.Note, Clusters: []string{a.Context, b.Context},
			Title: fmt.Sprintf("%s and %s have different roots, and trust each other", a.Context, b.Context),
			Evidence: []finding.Evidence{
				{Cluster: a.Context, Field: inRoots(a), Value: names(a.Roots.Certificates)},
				{Cluster: b.Context, Field: inRoots(b), Value: names(b.Roots.Certificates)},
			},
			Effect: "none now: linkerd multicluster check compares the sets, and reports an error",
			Fix:    []finding.Step{finding.Say("Finish the rotation: the same roots in both, restarted workloads, then no old root.")},
		})
	}
}

// namesakes: every guide calls its root root.linkerd.cluster.local, so that names say nothing.
func namesakes(p *pass) {
	for _, pair := range pairs(p) {
		a, b := pair[0], pair[1]
		if a.Roots == nil || b.Roots == nil {
			continue
		}
		for _, r := range a.Roots.Certificates {
			i := slices.IndexFunc(b.Roots.Certificates, func(o pki.Certificate) bool {
				return bytes.Equal(o.RawSubject, r.RawSubject) && !bytes.Equal(o.RawSubjectPublicKeyInfo, r.RawSubjectPublicKeyInfo)
			})
			if i < 0 || a.Roots.Contains(b.Roots.Certificates[i]) && b.Roots.Contains(r) {
				continue
			}
			p.Report(finding.Finding{
				Code: "CERT113", Severity: finding.Note, Clusters: []string{a.Context, b.Context},
				Title: fmt.Sprintf("%s and %s have roots of one name with different keys", a.Context, b.Context),
				Evidence: []finding.Evidence{
					{Cluster: a.Context, Field: inRoots(a), Value: names([]pki.Certificate{r})},
					{Cluster: b.Context, Field: inRoots(b), Value: names([]pki.Certificate{b.Roots.Certificates[i]})},
				},
				Effect: "the names look as if the clusters shared a root; only fingerprints tell",
				Fix:    []finding.Step{finding.Say("Compare roots by their fingerprints. Give each root a name of its own at the next rotation.")},
			})
			break
		}
	}
}

// suspect is a workload whose proxies have other roots than the ConfigMap.
type suspect struct {
	workload finding.Object
	pods     int
	example  *facts.Pod
	roots    []pki.Certificate
	// lacks are the contexts whose issuer the roots do not verify.
	lacks []string
}

// oldProxies: a proxy has the roots that the injector gave it, and keeps them. Those of the
// control plane's own pods come from the ConfigMap.
func oldProxies(p *pass) {
	for _, c := range model.Able(p) {
		if c.Roots == nil {
			continue
		}
		for _, s := range suspects(p, c) {
			p.Report(finding.Finding{
				Code: "CERT109", Severity: finding.Error, Clusters: []string{c.Context}, Object: s.workload,
				Title: fmt.Sprintf("proxies have old roots, which do not verify the issuer of %s", finding.List(s.lacks)),
				Evidence: []finding.Evidence{
					{Field: "pods", Value: fmt.Sprintf("%d, such as %s since %s", s.pods, s.example.Name, date(s.example.Created))},
					{Field: "variable " + resources.EnvTrustAnchors, Value: names(s.roots)},
					{Field: inRoots(c), Value: names(c.Roots.Certificates)},
				},
				Effect: "their connections with proxies of " + finding.List(s.lacks) + " fail in the TLS handshake",
				Fix:    remedy.RestartWorkloads(c.Context, []finding.Object{s.workload}),
			})
		}
	}
}

func suspects(p *pass, c *model.Cluster) []*suspect {
	var out []*suspect
	parsed := map[string][]pki.Certificate{}
	byWorkload := map[finding.Object]*suspect{}
	for _, pod := range c.Pods() {
		text, ok := model.Env(pod, resources.EnvTrustAnchors)
		if !ok || pod.Labels[resources.LabelComponent] != "" {
			continue
		}
		roots, known := parsed[text]
		if !known {
			roots = model.ParseBundle([]byte(text)).Certificates
			parsed[text] = roots
		}
		if slices.Equal(set(roots), set(c.Roots.Certificates)) || len(roots) == 0 {
			continue
		}
		var lacks []string
		for _, other := range meets(p, c, pod) {
			if i := other.Issuer; i != nil && i.Certificate != nil && i.Trusted(c.Roots.Certificates) && !i.Trusted(roots) {
				lacks = append(lacks, other.Context)
			}
		}
		if len(lacks) == 0 {
			continue
		}
		w := model.WorkloadOf(pod)
		s := byWorkload[w]
		if s == nil {
			s = &suspect{workload: w, example: pod, roots: roots, lacks: lacks}
			byWorkload[w] = s
			out = append(out, s)
		}
		s.pods++
	}
	slices.SortFunc(out, func(a, b *suspect) int { return strings.Compare(a.workload.String(), b.workload.String()) })
	return out
}

// meets are the clusters whose certificates a pod has to verify: its own, those to which it may
// send requests, and, where it is a gateway, those whose requests it takes.
func meets(p *pass, c *model.Cluster, pod *facts.Pod) []*model.Cluster {
	out := []*model.Cluster{c}
	add := func(o *model.Cluster) {
		if o != nil && p.Able(o.Context) && !slices.Contains(out, o) {
			out = append(out, o)
		}
	}
	for _, l := range c.Links {
		add(l.Target)
	}
	if slices.ContainsFunc(c.Gateways, func(g *model.Gateway) bool { return slices.Contains(g.Pods, pod) }) {
		for _, l := range c.Incoming {
			add(l.Source)
		}
	}
	return out
}

// trustDomains: the destination controller makes the names of the target's pods of the
// annotation (controller/api/destination/watcher/cluster_store.go).
func trustDomains(p *pass) {
	for _, l := range model.AblePairs(p) {
		if l.Destination == nil || !l.Target.ValuesKnown {
			continue
		}
		said, is := l.Destination.Annotations[resources.AnnotationTrustDomain], l.Target.Values.TrustDomain()
		if said == "" || said == is {
			continue
		}
		f := finding.Finding{
			Code: "CERT112", Severity: finding.Note, Clusters: []string{l.Source.Context}, Object: l.Destination.Object(),
			Title: fmt.Sprintf("the credentials name trust domain %s, and %s has another", said, l.Target.Context),
			Evidence: []finding.Evidence{
				{Field: "annotation " + resources.AnnotationTrustDomain, Value: said},
				{
					Cluster: l.Target.Context, Field: "configmap " + l.Target.Namespace + "/" + resources.ConfigMapConfig + ", identityTrustDomain",
					Value: is,
				},
			},
			Effect: "none yet: no service of " + l.Target.Context + " is reached by remote discovery",
			Fix: []finding.Step{
				finding.Say("Link the cluster again, which writes the Secret:").By(remedy.Generate(l)),
				finding.Say("Then restart the destination controller, which reads it once:").By(remedy.RestartDestination(l.Source)),
			},
		}
		if uses := l.UsesDestination(); len(uses) > 0 {
			f.Severity = finding.Error
			f.Effect = "clients expect other names in the certificates of " + finding.List(uses) + ", and refuse the connections"
		}
		p.Report(f)
	}
}
