package remotesecrets

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
)

// unwatchedBecause are the codes that explain why a cluster is not watched, in the order in
// which they are looked for.
var unwatchedBecause = []finding.Code{"SEC027", "SEC010", "SEC011", "SEC013", "SEC012", "SEC014"}

// statesOfClusters (SEC015, SEC016, SEC017, SEC021, SEC025): what replicas of istiod say of
// the clusters that they should watch (pkg/kube/multicluster/cluster.go, Run).
func statesOfClusters(p *pass) {
	for _, c := range watching(p) {
		replicas := answering(p, c)
		for _, r := range c.Used() {
			for _, v := range replicas {
				stateOfCluster(p, v, r)
			}
		}
	}
}

func stateOfCluster(p *pass, v *model.IstiodReplica, r *model.RemoteSecret) {
	f := about(r, "", finding.Error, "")
	f.Evidence = []finding.Evidence{saidBy(v, r)}
	f.Effect, f.Fix = unwatchedEffect(r.In, nameOf(r)), restartAll(r.In)
	switch state := v.StateOf(r); state {
	case model.Synced:
		return
	case model.TimedOut:
		f.Code, f.Title = "SEC015", fmt.Sprintf("istiod could not read all of %s in time", nameOf(r))
		f.CausedBy = cause(p, r, unwatchedBecause...)
		f.Effect += "; what it could read may be there"
		if f.CausedBy == "" {
			f.Evidence = append(f.Evidence, serverOf(r))
			f.Fix = []finding.Step{
				finding.Say("Read the log of istiod, which says why. If it says nothing else about the cluster, its pod does not reach the address:").
					By(logOf(v, r.ClusterID)),
			}
		}
		p.Gather(f)
		holdsUpStart(p, r, f)
		return
	case model.Syncing:
		if r.Fresh() {
			p.NotChecked(r.In.Context, finding.Because("istiod is still reading "+nameOf(r)), "SEC016")
			return
		}
		f.Code, f.Title = "SEC016", fmt.Sprintf("istiod has been reading %s for more than a minute", nameOf(r))
		f.CausedBy = cause(p, r, unwatchedBecause...)
	case model.Closed:
		f.Code, f.Title = "SEC017", fmt.Sprintf("istiod has stopped watching %s", nameOf(r))
		f.Effect = staleEffect(r)
		f.CausedBy = cause(p, r, "SEC018")
	case model.NotThere:
		if r.Fresh() {
			p.NotChecked(r.In.Context, finding.Because("istiod may not have looked at the secret for "+nameOf(r)+" yet"), "SEC021")
			return
		}
		f.Code, f.Title = "SEC021", fmt.Sprintf("istiod does not know of the remote secret for %s", nameOf(r))
		f.CausedBy = cause(p, r, "SEC018")
	default:
		p.NotChecked(r.In.Context, finding.Because("istiod "+v.Pod+" says of "+r.ClusterID+": "+state), "SEC015", "SEC016", "SEC017")
		return
	}
	p.Gather(f)
}

// holdsUpStart adds that a cluster which nobody reaches holds up each start of istiod (SEC025).
func holdsUpStart(p *pass, r *model.RemoteSecret, timedOut finding.Finding) {
	unreached := r.To == nil
	for _, b := range p.Model.Fleet.Beyond {
		unreached = unreached || b.ClusterID == r.ClusterID
	}
	forever, wait := false, "30s"
	for _, i := range r.In.Installed() {
		if v := i.Env(istio.EnvRemoteTimeout); v != "" {
			d, err := time.ParseDuration(v)
			forever, wait = forever || err == nil && d == 0, v
		}
	}
	if !unreached && !forever {
		return
	}
	title := fmt.Sprintf("a remote secret for %s, which is not reached, holds up each start of istiod", nameOf(r))
	f := about(r, "SEC025", finding.Warning, title)
	f.Evidence = append(slices.Clone(timedOut.Evidence[:1]), serverOf(r),
		finding.Evidence{Cluster: r.In.Context, Field: "istiod, " + istio.EnvRemoteTimeout, Value: wait})
	f.Effect = "istiod becomes ready " + wait + " later"
	if forever {
		f.Severity, f.Effect = finding.Error, "istiod never becomes ready again once it is restarted"
	}
	f.Fix = remove(
		r,
		nil,
		"Careful: istiod then forgets %s, and requests to its endpoints stop. Do this only if the cluster is gone for good:",
		nameOf(r),
	)
	f.CausedBy = timedOut.ID()
	p.Gather(f)
}

// clustersLeft (SEC022): istiod watches a cluster whose remote secret is gone.
func clustersLeft(p *pass) {
	for _, c := range watching(p) {
		replicas := answering(p, c)
		if c.JustStarted() {
			continue
		}
		for _, v := range replicas {
			if v.First == nil {
				continue
			}
			for _, left := range v.Left() {
				namespace, name, _ := strings.Cut(left.Secret, "/")
				p.Gather(finding.Finding{
					Code: "SEC022", Severity: finding.Warning, Clusters: []string{c.Context}, Object: finding.In("secret", namespace, name),
					Title: fmt.Sprintf("istiod still watches cluster %s, whose remote secret is gone", left.ID),
					Evidence: []finding.Evidence{
						{Field: "istiod " + v.Pod + " says of " + left.ID, Value: left.Status + ", by secret " + left.Secret},
						{Field: "secret " + left.Secret, Value: "does not exist, or not with this key"},
					},
					Effect: "workloads are still sent to its endpoints",
					Fix: []finding.Step{
						finding.Say("Careful: istiod then forgets cluster %s, and requests to its endpoints stop. Restart istiod:", left.ID).
							By(restarts(c)...),
					},
				})
			}
		}
	}
}
