package remotesecrets

import (
	"cmp"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// judgeExternal: an external control plane looks for remote secrets in the cluster that
// it configures, unless it is told otherwise; and its kubeconfig for that cluster is labelled as a
// remote secret too (istioctl/pkg/multicluster/remote_secret.go).
func judgeExternal(j *judgement, m *member) {
	if m.elsewhere != "" {
		for _, e := range m.entries {
			if e.Name == istio.ExternalKubeconfig {
				continue
			}
			j.Gather(finding.Finding{
				Code: "SEC024", Severity: finding.Error, Clusters: []string{m.Context}, Object: e.object(),
				Title: "an external control plane does not read the remote secrets of its own cluster",
				Evidence: []finding.Evidence{
					{Field: "istiod, " + istio.EnvExternalIstiod, Value: "true"},
					{Field: "istiod, " + istio.EnvLocalSecretWatcher, Value: "not true"},
					{Field: "secret " + istio.ExternalKubeconfig, Value: "in " + m.SystemNamespace},
				},
				Effect: unread(m, "cluster "+e.ClusterID),
				Fix: []finding.Step{
					finding.Say("Create the remote secret in namespace %s of the cluster that istiod configures.", m.SystemNamespace),
					finding.Say("Or set pilot.env." + istio.EnvLocalSecretWatcher + " to \"true\" in the values of istiod's installation."),
				},
			})
		}
		return
	}
	for _, e := range m.entries {
		if e.Name == istio.ExternalKubeconfig && e.ClusterID == "config" {
			j.Gather(finding.Finding{
				Code: "SEC024", Severity: finding.Warning, Clusters: []string{m.Context}, Object: e.object(),
				Title:    "the kubeconfig of an external control plane counts as a remote cluster called config",
				Evidence: []finding.Evidence{e.where(), {Field: e.object().String() + ", label " + istio.MultiClusterLabel, Value: "true"}},
				Effect:   "the endpoints of that cluster are there twice, and a cluster config appears in metrics and locality rules",
				Fix: []finding.Step{
					finding.Say("Remove the label. istiod keeps its own connection to that cluster:").
						By(m.secret("label", e.Namespace, e.Name, istio.MultiClusterLabel+"-")),
				},
			})
		}
	}
}

// judgeNamespace: istiod reads remote secrets of its own namespace alone.
func judgeNamespace(j *judgement, m *member) {
	if why, lacks := rule.Lack("secrets of all namespaces", resources.StraySecrets.Of(m.Cluster)); lacks {
		j.NotChecked(m.Context, why, "SEC002")
		return
	}
	for _, s := range resources.StraySecrets.Of(m.Cluster).Value {
		if s.Namespace == m.SystemNamespace || s.Label != "true" {
			continue
		}
		if slices.ContainsFunc(resources.Istiods.Of(m.Cluster).Value, func(d appsv1.Deployment) bool { return d.Namespace == s.Namespace }) {
			continue // of another control plane
		}
		f := finding.Finding{
			Code: "SEC002", Severity: finding.Error, Clusters: []string{m.Context}, Object: finding.In("secret", s.Namespace, s.Name),
			Title:    "a remote secret is in a namespace in which istiod does not look",
			Evidence: []finding.Evidence{{Field: "namespace of the secret", Value: s.Namespace}, {Field: "namespace of istiod", Value: m.SystemNamespace}},
			Effect:   "istiod does not know of it, and says nothing",
			Fix:      j.moved(m, s),
		}
		misplaced := m.secret("delete", s.Namespace, s.Name)
		if slices.ContainsFunc(m.entries, func(e *entry) bool { return e.Name == s.Name || s.Cluster != "" && e.ClusterID == s.Cluster }) {
			f.Severity, f.Effect = finding.Warning, "istiod does not know of it; the one in "+m.SystemNamespace+" counts"
			f.Fix = nil
		}
		f.Fix = append(f.Fix, finding.Say("Delete the misplaced secret, which istiod ignores:").By(misplaced))
		j.Add(f)
	}
}

// moved are the steps that bring a misplaced Secret into the namespace of istiod: istioctl
// makes it again where it is known for which cluster of the fleet it is.
func (j *judgement) moved(m *member, s facts.LooseSecret) []finding.Step {
	id := s.Cluster
	if id == "" {
		id, _ = strings.CutPrefix(s.Name, istio.RemoteSecretPrefix)
	}
	if to := j.named(id); to != nil && to != m {
		return []finding.Step{finding.Say("Create the remote secret in the namespace of istiod:").By(create(m, to, id))}
	}
	const file = "remote-secret.yaml"
	get := m.secret("get", s.Namespace, s.Name, "-o", "yaml")
	get.Into = file
	return []finding.Step{
		finding.Say("Write the secret into a file:").By(get),
		finding.Say("In "+file+", set metadata.namespace to %s, and remove metadata.resourceVersion and metadata.uid. Then apply the file:",
			m.SystemNamespace).By(finding.Kubectl(m.Context, "apply", "-f", file)),
		finding.Say("Then delete the file, which holds a credential:").By(finding.Shell("rm", file)),
	}
}

// judgeLabel: the label has to be there, and "true" to the letter.
func judgeLabel(j *judgement, m *member) {
	loose := slices.Clone(resources.SystemSecrets.Of(m.Cluster).Value)
	if why, lacks := rule.Lack("secrets of "+m.SystemNamespace, resources.SystemSecrets.Of(m.Cluster)); lacks {
		j.NotChecked(m.Context, why, "SEC003")
	}
	for _, s := range resources.StraySecrets.Of(m.Cluster).Value {
		if s.Namespace == m.SystemNamespace && !slices.Contains(loose, s) {
			loose = append(loose, s)
		}
	}
	for _, s := range loose {
		if s.Label == "true" || s.Name == istio.ExternalKubeconfig {
			continue
		}
		value := "none"
		if s.Labelled {
			value = fmt.Sprintf("%q", s.Label)
		}
		j.Add(finding.Finding{
			Code: "SEC003", Severity: finding.Error, Clusters: []string{m.Context}, Object: finding.In("secret", s.Namespace, s.Name),
			Title:    "a remote secret lacks the label by which istiod finds it",
			Evidence: []finding.Evidence{{Field: "label " + istio.MultiClusterLabel, Value: value}, {Field: "annotation " + istio.AnnotationCluster, Value: cmp.Or(s.Cluster, "none")}},
			Effect:   "istiod does not know of it, and says nothing",
			Fix: []finding.Step{
				finding.Say("Label the secret, so that istiod finds it:").
					By(m.secret("label", s.Namespace, s.Name, istio.MultiClusterLabel+"=true", "--overwrite")),
			},
		})
	}
}

// judgeKubeconfig: what istiod makes no client of it never looks at again until the
// Secret changes. A key beside good ones is one that somebody left there.
func judgeKubeconfig(j *judgement, m *member) {
	for _, e := range m.entries {
		if e.Invalid == "" || m.own(e.ClusterID) {
			continue
		}
		good := slices.ContainsFunc(slicesOf(e), func(o *entry) bool { return o.Invalid == "" })
		if good && e.to == nil {
			f := e.about("SEC026", finding.Note, "a remote secret has a key that is no cluster")
			f.Evidence = []finding.Evidence{e.evidence("", e.Invalid)}
			f.Effect = fmt.Sprintf("istiod takes %s for the name of a cluster and logs an error; nothing else", e.ClusterID)
			f.Fix = []finding.Step{finding.Say("Remove the key, which istiod cannot use:").By(e.removeKey())}
			j.Gather(f)
			continue
		}
		f := e.about("SEC008", finding.Error, "istiod cannot use the kubeconfig of a remote secret")
		f.Evidence = []finding.Evidence{e.evidence("", e.Invalid)}
		f.Effect = e.unread()
		f.Fix = e.renew()
		j.Gather(f)
	}
}

// judgeAuthentication: istiod runs no programs and reads no files for a remote secret.
func judgeAuthentication(j *judgement, m *member) {
	for _, e := range m.entries {
		ways := m.refuses(e.RemoteSecret)
		if e.Invalid != "" || len(ways) == 0 || m.own(e.ClusterID) {
			continue
		}
		f := e.about("SEC009", finding.Error, "istiod refuses the way to authenticate in a remote secret")
		f.Evidence = []finding.Evidence{
			e.evidence(", user", strings.Join(ways, ", ")),
			{Cluster: m.Context, Field: "istiod, " + istio.EnvInsecureKubeconfigs, Value: cmp.Or(m.istiods[0].Env(istio.EnvInsecureKubeconfigs), "none")},
		}
		f.Effect = e.unread()
		f.Fix = append([]finding.Step{finding.Say("Use the token of a service account: a user's kubeconfig does not work here.")}, e.renew()...)
		j.Gather(f)
	}
}

// judgeOwnID: a cluster of the name that the control plane's own has is not read.
func judgeOwnID(j *judgement, m *member) {
	for _, e := range m.entries {
		if !m.own(e.ClusterID) || e.selfish {
			continue
		}
		f := e.about("SEC006", finding.Error, fmt.Sprintf("a remote secret is for cluster ID %s, which is the control plane's own", e.ClusterID))
		f.Evidence = []finding.Evidence{e.where(), {Cluster: m.Context, Field: "istiod, " + istio.EnvClusterID, Value: e.ClusterID}}
		f.Effect = e.unread()
		if e.to != nil && e.to.id != "" && e.to.id != e.ClusterID {
			f.Fix = []finding.Step{
				finding.Say("Create the remote secret for %s with its own cluster ID:", e.to.Context).By(create(m, e.to, e.to.id)),
				finding.Say("Then remove the one with the wrong cluster ID, which istiod ignores:").By(e.removeKey(e.to.id)),
			}
		} else {
			f.Fix = []finding.Step{
				finding.Say("Give each cluster an ID of its own: set global.multiCluster.clusterName in the values of its installation."),
				finding.Say("Then restart istiod and its workloads, and recreate the remote secrets."),
			}
		}
		j.Gather(f)
	}
}

// judgeSameID: of several the first that istiod sees counts.
func judgeSameID(j *judgement, m *member) {
	for i, e := range m.entries {
		if m.own(e.ClusterID) {
			continue
		}
		for _, first := range m.entries[:i] {
			if first.ClusterID != e.ClusterID || first.Invalid != "" || e.Invalid != "" {
				continue
			}
			severity, effect := finding.Error, "which of them counts can change with each restart of istiod"
			if first.to != nil && first.to == e.to {
				severity, effect = finding.Warning, "both lead to "+e.to.Context+"; which credential counts can change with each restart of istiod"
			}
			f := e.about("SEC005", severity, fmt.Sprintf("two remote secrets are for cluster ID %s", e.ClusterID))
			f.Evidence = []finding.Evidence{first.where(), e.where()}
			f.Effect = effect
			f.Fix = []finding.Step{
				finding.Say("Careful: if istiod uses this one of the two, requests from %s to %s stop. Remove one and keep the other:",
					m.Context, e.named()).By(e.removeKey()),
				finding.Say("If istiod used the one that you removed, restart it: it does not look again at a secret that it has ignored:").
					By(m.restarts()...),
			}
			j.Gather(f)
			break
		}
	}
}

// judgeTwice: istiod reads one cluster under two names, or itself, and sends twice as
// much there. It does not notice.
func judgeTwice(j *judgement, m *member) {
	for _, to := range j.members {
		var names []string
		var evidence []finding.Evidence
		var good, odd []*entry
		for _, e := range m.entries {
			if e.ignored != (ignored{}) || !e.sure() || e.to != to {
				continue
			}
			if other := j.named(e.ClusterID); other != nil && other != to {
				continue // SEC004 says that it leads to the wrong one
			}
			if to != m && (e.ClusterID == to.id || to.own(e.ClusterID)) {
				good = append(good, e)
			} else {
				odd = append(odd, e)
			}
			names, evidence = append(names, e.ClusterID), append(evidence, e.where())
		}
		switch {
		case to == m && len(odd) > 0:
			names = append(names, m.istiods[0].ClusterID())
			evidence = append(evidence, finding.Evidence{Cluster: m.Context, Field: "istiod, " + istio.EnvClusterID, Value: m.istiods[0].ClusterID()})
		case len(names) < 2:
			continue
		case len(good) == 0:
			odd = odd[1:]
		}
		for _, e := range odd {
			f := e.about("SEC007", finding.Error, fmt.Sprintf("istiod reads %s several times, as %s", to.Context, some(names, 4)))
			f.Evidence = append(slices.Clone(evidence), finding.Evidence{Cluster: m.Context, Field: "all of them lead to", Value: to.Context + ", by its " + string(e.from)})
			f.Effect = "its endpoints count more than once: it gets more than its share of the traffic, and rules by cluster go wrong"
			f.Fix = []finding.Step{
				finding.Say("Remove cluster ID %s. istiod keeps watching the cluster under its other name:", e.ClusterID).By(e.removeKey()),
			}
			j.Gather(f)
		}
	}
}

// named is the one cluster of the fleet with a cluster ID; nil where there is none or several.
func (w *world) named(id string) *member {
	var out *member
	for _, m := range w.members {
		if m.id == id {
			if out != nil {
				return nil
			}
			out = m
		}
	}
	return out
}

// judgeKey: the key is the cluster's name, for the identity of its proxies
// (security/pkg/server/ca/authenticate/kubeauth/kube_jwt.go) and for rules by cluster.
func judgeKey(j *judgement, m *member) {
	for _, e := range m.entries {
		if !e.sure() || e.to.id == "" || e.to.id == e.ClusterID || e.to.own(e.ClusterID) || m.own(e.ClusterID) || e.Invalid != "" || e.to == m {
			continue
		}
		if e.Name == istio.ExternalKubeconfig {
			continue
		}
		other := j.named(e.ClusterID)
		if other == m {
			other = nil
		}
		f := e.about("SEC004", finding.Warning, fmt.Sprintf("a remote secret calls %s by another name than its own", e.to.Context))
		f.Effect = "metrics, localities and rules by cluster have the wrong name for it"
		f.Evidence = []finding.Evidence{
			e.where(), {Cluster: e.to.Context, Field: "cluster ID", Value: e.to.id},
			{Cluster: m.Context, Field: "leads to", Value: e.to.Context + ", by its " + string(e.from)},
		}
		f.Fix = []finding.Step{
			finding.Say("Create the remote secret for %s with its own cluster ID:", e.to.Context).By(create(m, e.to, e.to.id)),
			finding.Say("Careful: if istiod does not watch %s by the new secret yet, requests from %s to it stop. Remove the wrong cluster ID:",
				e.to.Context, m.Context).By(e.removeKey(e.to.id)),
		}
		switch {
		case other != nil:
			f.Severity, f.Title = finding.Error, fmt.Sprintf("a remote secret for cluster %s leads to %s", e.ClusterID, e.to.Context)
			f.Effect = unread(m, other.Context) + "; those of " + e.to.Context + " are taken for its"
			f.Clusters = append(f.Clusters, other.Context)
			f.Fix = e.redirect(other)
		case e.to.remote():
			f.Severity = finding.Error
			f.Effect = "proxies of " + e.to.Context + " get no certificates: istiod does not know the cluster that they say they are in"
		}
		j.Gather(f)
	}
}

// redirect are the steps that make a cluster ID lead to its own cluster instead of another.
func (e *entry) redirect(to *member) []finding.Step {
	var out []finding.Step
	var created []string
	if e.in.reads(e.to) == e {
		out = append(out, finding.Say("Create a remote secret for %s, which this one leads to:", e.to.Context).By(create(e.in, e.to, e.to.id)))
		created = append(created, e.to.id)
	}
	if e.isSecretFor(e.ClusterID) {
		out = append(out, finding.Say("Careful: requests for %s that go to %s by mistake stop. Recreate the remote secret in its place:",
			to.Context, e.to.Context).By(create(e.in, to, e.ClusterID)))
		return append(out, e.in.afterChange()...)
	}
	// This one has to go first: istiod ignores a second secret for a cluster ID, and does not
	// look at it again when the first is gone.
	return append(out,
		finding.Say("Careful: requests for %s that go to %s by mistake stop. Remove this one:", to.Context, e.to.Context).
			By(e.removeKey(created...)),
		finding.Say("Then create the remote secret that leads to %s:", to.Context).By(create(e.in, to, e.ClusterID)))
}

// judgeAddress: addresses that mean another thing in istiod's pod.
func judgeAddress(j *judgement, m *member) {
	for _, e := range m.used() {
		kind := localAddress(e.Server)
		if kind == "" || j.syncedBy(e) || m.hostNetwork() {
			continue
		}
		what := fmt.Sprintf("whether %s, in the secret for %s, is where istiod runs: pods of istiod", e.Server, e.ClusterID)
		if why, lacks := rule.Lack(what, resources.IstiodPods.Of(m.Cluster)); lacks {
			j.NotChecked(m.Context, why, "SEC010")
			continue
		}
		f := e.about("SEC010", finding.Error, "the address of the API server in a remote secret leads istiod nowhere")
		f.Evidence = []finding.Evidence{e.where(), {Cluster: m.Context, Field: "which is, for istiod's pod", Value: kind}}
		f.Effect = e.unread()
		if e.Access.Proxy {
			continue
		}
		recreate := finding.Say("Recreate the remote secret. Set CONTEXT to the context of %s, and HOST to an address that pods of %s reach:",
			e.named(), m.Context)
		context, ns := placeholder, m.SystemNamespace
		if e.to != nil {
			recreate = finding.Say("Recreate the remote secret. Set HOST to an address that pods of %s reach:", m.Context)
			context, ns = e.to.Context, e.to.SystemNamespace
		}
		f.Fix = append([]finding.Step{recreate.By(createFor(m, context, e.ClusterID, ns, "--server=https://HOST:6443"))}, m.afterChange()...)
		j.Gather(f)
	}
}

// localAddress says what an address is that means something else for everybody; "" for others.
func localAddress(server string) string {
	if !strings.Contains(server, "://") {
		server = "https://" + server
	}
	u, err := url.Parse(server)
	if err != nil {
		return ""
	}
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") || host == "kubernetes.docker.internal" {
		return "the pod itself"
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		return ""
	}
	switch a = a.Unmap(); {
	case a.IsLoopback(), a.IsUnspecified():
		return "the pod itself"
	case a.IsLinkLocalUnicast():
		return "a link-local address"
	}
	return ""
}

func (m *member) hostNetwork() bool {
	for _, p := range resources.IstiodPods.Of(m.Cluster).Value {
		if p.HostNetwork {
			return true
		}
	}
	return false
}

// syncedBy reports whether a replica of the control plane says that it reads the
// cluster of an entry.
func (j *judgement) syncedBy(e *entry) bool {
	return slices.ContainsFunc(j.replicas[e.in], func(v *replica) bool { return v.status(e) == synced })
}

// judgeMissing: control planes of one mesh read one another, and the primary its
// remote clusters. Where one is read and does not read, that may be meant.
func judgeMissing(j *judgement, m *member) {
	for _, to := range j.members {
		if why := to.undecided(); why != (finding.Reason{}) && m != to && m.reads(to) == nil {
			j.NotChecked(m.Context, why, "SEC001", "SEC023")
			continue
		}
		if !j.expects(j.mesh, m, to) || m.reads(to) != nil {
			continue
		}
		if e := j.mayLead(m, to); e != nil {
			j.NotChecked(m.Context, finding.Because(e.maybe(to)), "SEC001", "SEC023")
			continue
		}
		id := cmp.Or(to.id, to.Context)
		f := finding.Finding{
			Code: "SEC001", Severity: finding.Error, Clusters: []string{m.Context, to.Context},
			Title:    fmt.Sprintf("istiod of %s has no remote secret for %s", m.Context, to.Context),
			Evidence: []finding.Evidence{{Cluster: m.Context, Field: "remote secrets", Value: m.listed()}, {Cluster: to.Context, Field: "cluster ID", Value: cmp.Or(to.id, "not known")}},
			Effect:   unread(m, to.Context),
			Fix:      []finding.Step{finding.Say("Create the remote secret:").By(create(m, to, id))},
		}
		if !to.primary() {
			f.Effect += "; its proxies get no certificates"
		} else if to.reads(m) != nil && len(m.entries) == 0 {
			f.Code = "SEC023"
			f.Title = fmt.Sprintf("%s reads %s, and %s does not read %s", to.Context, m.Context, m.Context, to.Context)
			f.Effect = unread(m, to.Context) + "; one way only may be meant"
		}
		f.CausedBy = j.lost(m, to)
		j.Add(f)
	}
}

// maybe says that an entry may be the one for a cluster.
func (e *entry) maybe(to *member) string {
	return fmt.Sprintf("the remote secret for %s leads to %s, which may be %s", e.ClusterID, e.address(), to.Context)
}

// undecided says what was not read of a cluster that would tell whether it is of a mesh, and
// whether it is a primary; the zero Reason where that is known.
func (m *member) undecided() finding.Reason {
	if why, lacks := rule.Lack("deployments of "+m.Context, resources.Istiods.Of(m.Cluster)); lacks || m.primary() {
		return why
	}
	why, _ := rule.Lack("mutatingwebhookconfigurations of "+m.Context, resources.Webhooks.Of(m.Cluster))
	return why
}

// mayLead is an entry of which it is not known where it leads, and that it is not a
// cluster: the cluster's service account is not that of its token; nil where there is none.
func (j *judgement) mayLead(m, to *member) *entry {
	for _, e := range m.entries {
		if e.to != nil || e.uid != "" || e.Invalid != "" || j.unreached(e) {
			continue
		}
		if t := e.Access.Token; t != nil && t.AccountUID != "" {
			if a := j.seen.Sides[to.Context].Value.Accounts[t.Subject].UID; a.State == facts.OK && a.Value != t.AccountUID {
				continue
			}
		}
		return e
	}
	return nil
}

// keyed is the entry with a cluster ID; nil where there is none.
func (m *member) keyed(id string) *entry {
	for _, e := range m.entries {
		if id != "" && e.ClusterID == id {
			return e
		}
	}
	return nil
}

// listed are the keys of a cluster's remote secrets, for people.
func (m *member) listed() string {
	var out []string
	for _, e := range m.entries {
		out = append(out, e.ClusterID)
	}
	return cmp.Or(some(out, 5), "none")
}

// lost is the finding about a Secret that was meant for a cluster and does not count.
func (j *judgement) lost(m, to *member) string {
	meant := func(s facts.LooseSecret) bool {
		return to.id != "" && (s.Cluster == to.id || s.Name == istio.RemoteSecretPrefix+to.id)
	}
	for _, f := range j.Findings {
		if f.Clusters[0] != m.Context {
			continue
		}
		switch f.Code {
		case "SEC002", "SEC003":
			for _, s := range slices.Concat(resources.StraySecrets.Of(m.Cluster).Value, resources.SystemSecrets.Of(m.Cluster).Value) {
				if f.Object == finding.In("secret", s.Namespace, s.Name) && meant(s) {
					return f.ID()
				}
			}
		case "SEC004":
			if len(f.Clusters) == 3 && f.Clusters[2] == to.Context {
				return f.ID()
			}
		}
	}
	return ""
}
