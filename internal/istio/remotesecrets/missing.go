package remotesecrets

import (
	"cmp"
	"fmt"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
)

// missingSecrets (SEC001, SEC023): control planes of one mesh watch one another, and the
// primary its remote clusters. Where a cluster is watched and watches none, that may be meant.
func missingSecrets(p *pass) {
	var apart, watched []string
	for _, c := range watching(p) {
		for _, to := range p.Model.Clusters {
			switch w := p.Model.Watch(c, to); {
			case w.Why == model.WasNotRead:
				p.NotChecked(c.Context, finding.Reason{Kind: w.Unread[0].Kind, Text: w.String()})
			case w.Why == model.MayLeadThere:
				p.NotChecked(c.Context, finding.Because(w.String()))
			case w.Status == model.Missing:
				p.Report(missingSecret(p, w))
			case w.Why == model.Apart, w.Why == model.Joined:
				apart = append(apart, c.Context, to.Context)
			case w.Why == model.OnlyWatched:
				watched = append(watched, c.Context)
			}
		}
	}
	if len(apart) > 0 {
		p.Report(apartByChoice(p, finding.Distinct(apart)))
	}
	if len(watched) > 0 {
		p.Report(onlyWatched(finding.Distinct(watched)))
	}
}

// apartByChoice is the one note about all pairs of primaries of which neither watches the other.
func apartByChoice(p *pass, contexts []string) finding.Finding {
	a, b := p.Model.Cluster(contexts[0]), p.Model.Cluster(contexts[1])
	f := finding.Finding{
		Code:     "SEC001",
		Severity: finding.Note,
		Clusters: contexts,
		Object:   finding.Kind("clusters that do not watch one another"),
		Title:    "clusters of the mesh do not watch one another",
		Effect: "workloads of the one get no endpoints of the other; " +
			"that is right for a hub and its edges, and for meshes that ServiceEntries join",
		Fix: []finding.Step{
			finding.Say("If two of them are to use the services of one another, each of the two needs a remote secret for the other."),
			creating(a, b, cmp.Or(b.ID, b.Context), "Create the remote secret for %s:", b.Context),
			creating(b, a, cmp.Or(a.ID, a.Context), "Create the remote secret for %s:", a.Context),
		},
	}
	for _, context := range contexts {
		f.Evidence = append(f.Evidence, finding.Evidence{Cluster: context, Field: "remote secrets", Value: keysOf(p.Model.Cluster(context))})
	}
	return f
}

// onlyWatched is the one note about primaries that one cluster watches and that watch none.
func onlyWatched(contexts []string) finding.Finding {
	f := finding.Finding{
		Code: "SEC023", Severity: finding.Note, Clusters: contexts, Object: finding.Kind("clusters that are only watched"),
		Title:  "clusters are watched, and watch no other",
		Effect: "their workloads get no endpoints of other clusters; that is right for a hub that calls its edges",
		Fix:    []finding.Step{finding.Say("If their workloads are to use services of other clusters, create remote secrets in them (SEC001).")},
	}
	for _, context := range contexts {
		f.Evidence = append(f.Evidence, finding.Evidence{Cluster: context, Field: "remote secrets", Value: "none"})
	}
	return f
}

func missingSecret(p *pass, w model.Watch) finding.Finding {
	c, to := w.From, w.To
	f := finding.Finding{
		Code: "SEC001", Severity: finding.Error, Clusters: []string{c.Context, to.Context},
		Title: fmt.Sprintf("istiod of %s has no remote secret for %s", c.Context, to.Context),
		Evidence: []finding.Evidence{
			{Cluster: c.Context, Field: "remote secrets", Value: keysOf(c)},
			{Cluster: to.Context, Field: "cluster ID", Value: cmp.Or(to.ID, "not known")},
		},
		Effect: unwatchedEffect(c, to.Context),
		Fix:    []finding.Step{creating(c, to, cmp.Or(to.ID, to.Context), "Create the remote secret:")},
	}
	if !to.Primary() {
		f.Effect += "; its proxies get no certificates"
	} else if to.SecretFor(c) != nil && len(c.Remotes) == 0 {
		f.Code = "SEC023"
		f.Title = fmt.Sprintf("%s watches %s, and %s does not watch %s", to.Context, c.Context, c.Context, to.Context)
		f.Effect = unwatchedEffect(c, to.Context) + "; one way only may be meant"
	}
	f.CausedBy = lostSecret(p, w)
	return f
}

// keysOf are the data keys of a cluster's remote secrets, for people.
func keysOf(c *model.Cluster) string {
	var out []string
	for _, r := range c.Remotes {
		out = append(out, r.ClusterID)
	}
	return cmp.Or(some(out, 5), "none")
}

// lostSecret is the ID of the finding about the Secret that was meant to be the one that
// is missing; "" where there is none.
func lostSecret(p *pass, w model.Watch) string {
	for _, f := range p.Found("SEC002", "SEC003", "SEC004") {
		if f.Clusters[0] != w.From.Context {
			continue
		}
		switch {
		case w.Loose != nil && f.Object == finding.In("secret", w.Loose.Namespace, w.Loose.Name),
			w.Why == model.LeadsElsewhere && f.Object == w.Secret.Object() && len(f.Clusters) == 3 && f.Clusters[2] == w.To.Context:
			return f.ID()
		}
	}
	return ""
}
