package remotesecrets

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// settle is how long a control plane may take for a change before it counts as stuck.
const settle = time.Minute

// rotationBug says what becomes of a changed remote secret in versions of istiod that do not take it over; "" in
// others (istio/istio issues 59875, 60612).
func rotationBug(i istio.Istiod) string {
	switch {
	case i.AtLeast("1.29.0") && i.Before("1.29.3"):
		return "its secret controller stops at any change of a kubeconfig, and ignores all remote secrets from then on"
	case i.AtLeast("1.30.0") && i.Before("1.30.3"):
		return "it does not take a changed kubeconfig over"
	}
	return ""
}

// judgeRotation: a remote secret that was changed since istiod started, and an istiod that does
// not take such changes over.
func judgeRotation(j *judgement, m *member) {
	start := istio.OldestStart(m.Cluster)
	for _, i := range m.istiods {
		bug := rotationBug(i)
		if bug == "" {
			continue
		}
		if why, lacks := rule.Lack("pods of istiod", resources.IstiodPods.Of(m.Cluster)); lacks {
			j.NotChecked(m.Context, why, "SEC018")
			continue
		}
		for _, e := range m.used() {
			created := e.Access.Created
			if start.IsZero() || created.IsZero() || !e.Modified.After(start) || e.Modified.Sub(created) < settle {
				continue
			}
			f := e.about("SEC018", finding.Warning, "a remote secret was changed, and this version of istiod does not take it over")
			f.Evidence = []finding.Evidence{
				{Cluster: m.Context, Field: "istiod " + i.Name + ", version", Value: i.Version.String()},
				{Cluster: m.Context, Field: "istiod " + i.Name + ", running since", Value: stamp(start)},
				{Cluster: m.Context, Field: e.object().String() + ", changed", Value: stamp(e.Modified)},
			}
			f.Effect = "if its kubeconfig was changed, " + bug
			for _, v := range j.replicas[m] {
				if s := v.status(e); v.known() && s != synced {
					f.Severity = finding.Error
					f.Evidence = append(f.Evidence, finding.Evidence{Cluster: m.Context, Field: "istiod " + v.Pod + " says of " + e.ClusterID, Value: shownState(s)})
				} else if d := v.drift(e); d.any() && !d.following {
					f.Severity = finding.Error
				}
			}
			f.Fix = []finding.Step{
				finding.Say("Restart istiod. Do so after each change of a remote secret until you upgrade to 1.29.3 or 1.30.3, which fix this:").
					By(m.restart(i)),
			}
			j.Gather(f)
		}
	}
}

func shownState(s string) string {
	if s == absent {
		return "nothing, it does not read it"
	}
	return s
}

// unasked notes where the control planes of a cluster did not say what they read, and
// reports whether none did.
func (j *judgement) unasked(m *member, codes ...finding.Code) bool {
	asked := j.seen.Istiods[m.Context]
	switch {
	case j.seen.NotAsked != "":
		j.NotChecked(m.Context, j.notAsked(), codes...)
		return true
	case asked.State != facts.OK:
		j.NotChecked(m.Context, rule.Unread("istiod", asked.State, asked.Why()), codes...)
		return true
	case len(asked.Value) == 0:
		j.NotChecked(m.Context, finding.Because("no pod of istiod is running"), codes...)
		return true
	}
	none := true
	for _, v := range j.replicas[m] {
		if v.known() {
			none = false
		} else {
			j.NotChecked(m.Context, rule.Unread(v.Pod, v.Clusters.State, v.Clusters.Why()), codes...)
		}
	}
	return none
}

// fresh reports whether an entry or the control plane is so young that it may still be at work.
func (j *judgement) fresh(e *entry) bool {
	return j.fleet.At.Sub(e.Modified) < settle || j.young(e.in)
}

func (j *judgement) young(m *member) bool {
	for _, p := range resources.IstiodPods.Of(m.Cluster).Value {
		for _, s := range p.Statuses {
			if !s.Started.IsZero() && j.fleet.At.Sub(s.Started) < settle {
				return true
			}
		}
	}
	return false
}

// why are the codes that explain why a cluster is not read, in the order in which they are looked for.
var why = []finding.Code{"SEC010", "SEC011", "SEC013", "SEC012", "SEC014"}

// judgeStates: what the control plane itself says of the clusters that it should read
// (pkg/kube/multicluster/cluster.go, Run).
func judgeStates(j *judgement, m *member) {
	if j.unasked(m, "SEC015", "SEC016", "SEC017", "SEC021", "SEC022", "SEC025") {
		return
	}
	for _, e := range m.used() {
		for _, v := range j.replicas[m] {
			if !v.known() {
				continue
			}
			status := v.status(e)
			if status == synced {
				continue
			}
			says := finding.Evidence{Cluster: m.Context, Field: "istiod " + v.Pod + " says of " + e.ClusterID, Value: shownState(status)}
			f := e.about("", finding.Error, "")
			f.Evidence = []finding.Evidence{says}
			f.Effect, f.Fix = e.unread(), m.restartAll()
			switch status {
			case timeout:
				f.Code, f.Title = "SEC015", fmt.Sprintf("istiod could not read all of %s in time", e.named())
				f.CausedBy = j.cause(e, why...)
				f.Effect += "; what it could read may be there"
				if f.CausedBy == "" {
					f.Evidence = append(f.Evidence, e.where())
					f.Fix = []finding.Step{
						finding.Say("Read the log of istiod, which says why. If it says nothing else about the cluster, its pod does not reach the address:").
							By(m.log(v, e.ClusterID)),
					}
				}
				j.dead(m, e, f)
			case syncing:
				if j.fresh(e) {
					j.NotChecked(m.Context, finding.Because("istiod is still reading "+e.named()), "SEC016")
					continue
				}
				f.Code, f.Title = "SEC016", fmt.Sprintf("istiod has been reading %s for more than a minute", e.named())
				f.CausedBy = j.cause(e, why...)
			case closed:
				f.Code, f.Title = "SEC017", fmt.Sprintf("istiod has stopped reading %s", e.named())
				f.Effect = e.frozen()
				f.CausedBy = j.cause(e, "SEC018")
			case absent:
				if j.fresh(e) {
					j.NotChecked(m.Context, finding.Because("istiod may not have looked at the secret for "+e.named()+" yet"), "SEC021")
					continue
				}
				f.Code, f.Title = "SEC021", fmt.Sprintf("istiod does not know of the remote secret for %s", e.named())
				f.CausedBy = j.cause(e, "SEC018")
			default:
				j.NotChecked(m.Context, finding.Because("istiod "+v.Pod+" says of "+e.ClusterID+": "+status), "SEC015", "SEC016", "SEC017")
				continue
			}
			j.Gather(f)
		}
	}
	for _, v := range j.replicas[m] {
		for _, c := range v.left(m) {
			if j.young(m) || v.before == nil {
				continue
			}
			namespace, name, _ := strings.Cut(c.Secret, "/")
			j.Gather(finding.Finding{
				Code: "SEC022", Severity: finding.Warning, Clusters: []string{m.Context}, Object: finding.In("secret", namespace, name),
				Title:    fmt.Sprintf("istiod still reads cluster %s, whose remote secret is gone", c.ID),
				Evidence: []finding.Evidence{{Field: "istiod " + v.Pod + " says of " + c.ID, Value: c.Status + ", by secret " + c.Secret}, {Field: "secret " + c.Secret, Value: "does not exist, or not with this key"}},
				Effect:   "workloads are still sent to its endpoints",
				Fix: []finding.Step{
					finding.Say("Careful: istiod then forgets cluster %s, and requests to its endpoints stop. Restart istiod:", c.ID).By(m.restarts()...),
				},
			})
		}
	}
}

// dead adds that a cluster which nobody reaches holds up each start of istiod.
func (j *judgement) dead(m *member, e *entry, timedOut finding.Finding) {
	unreached := e.to == nil
	for _, b := range j.fleet.Beyond {
		unreached = unreached || b.ClusterID == e.ClusterID
	}
	zero := false
	wait := "30s"
	for _, i := range m.istiods {
		if v := i.Env(istio.EnvRemoteTimeout); v != "" {
			d, err := time.ParseDuration(v)
			zero, wait = zero || err == nil && d == 0, v
		}
	}
	if !unreached && !zero {
		return
	}
	f := e.about("SEC025", finding.Warning, fmt.Sprintf("a remote secret for %s, which is not reached, holds up each start of istiod", e.named()))
	f.Evidence = append(timedOut.Evidence[:1:1], e.where(), finding.Evidence{Cluster: m.Context, Field: "istiod, " + istio.EnvRemoteTimeout, Value: wait})
	f.Effect = "istiod becomes ready " + wait + " later"
	if zero {
		f.Severity, f.Effect = finding.Error, "istiod never becomes ready again once it is restarted"
	}
	f.Fix = []finding.Step{
		finding.Say("Careful: istiod then forgets %s, and requests to its endpoints stop. Do this only if the cluster is gone for good:",
			e.named()).By(e.removeKey()),
	}
	f.CausedBy = timedOut.ID()
	j.Gather(f)
}

// judgeReplicas: each replica reads for itself.
func judgeReplicas(j *judgement, m *member) {
	if j.unasked(m, "SEC020") || len(j.replicas[m]) < 2 || j.young(m) {
		return
	}
	for _, d := range disagreements(j.replicas[m]) {
		f := finding.Finding{
			Code: "SEC020", Severity: finding.Error, Clusters: []string{m.Context}, Object: finding.Named("cluster", d.id),
			Title:    fmt.Sprintf("the replicas of istiod disagree about cluster %s", d.id),
			Evidence: []finding.Evidence{{Field: "state of " + d.id, Value: strings.Join(d.says, ", ")}},
			Effect:   "it works for some proxies and not for others, by the replica that each is connected to",
			Fix:      m.restartAll(),
		}
		for _, e := range m.used() {
			if e.ClusterID == d.id {
				f.CausedBy = j.cause(e, "SEC018", "SEC017", "SEC016", "SEC015", "SEC021")
			}
		}
		j.Gather(f)
	}
}

// judgeDrift: endpoints that istiod has of a cluster beside those that the cluster has. It finds what istiod does
// not say: that it no longer follows the cluster.
func judgeDrift(j *judgement, m *member) {
	if j.unasked(m, "SEC019") {
		return
	}
	if why, unclear := m.unclear(); unclear {
		j.NotChecked(m.Context, why, "SEC019")
		return
	}
	for _, e := range m.used() {
		if !e.sure() {
			j.NotChecked(m.Context, j.unplaced(e), "SEC019")
			continue
		}
		need := func(why finding.Reason, lacks bool) {
			if lacks {
				j.NotChecked(m.Context, why, "SEC019")
			}
		}
		need(rule.Lack("endpointslices of "+e.to.Context, resources.EndpointSlices.Of(e.to.Cluster)))
		need(rule.Lack("services of "+e.to.Context, resources.Services.Of(e.to.Cluster)))
		need(rule.Lack("namespaces of "+e.to.Context, resources.Namespaces.Of(e.to.Cluster)))
		for _, v := range j.replicas[m] {
			switch s := v.status(e); {
			case v.known() && v.Shards.State != facts.OK:
				j.NotChecked(m.Context, rule.Unread(v.Pod, v.Shards.State, v.Shards.Why()), "SEC019")
				continue
			case !v.known(), s == absent, s == syncing:
				continue // judged by its state
			}
			d := v.drift(e)
			if !d.any() {
				continue
			}
			switch {
			case v.before == nil:
				j.NotChecked(m.Context, askedOnce(e), "SEC019")
				continue
			case d.following:
				atWork := fmt.Sprintf("istiod is at work on the endpoints of %s: ask again when it has caught up with the other %d",
					e.to.Context, len(d.missing)+len(d.stale))
				j.NotChecked(m.Context, finding.Because(atWork), "SEC019")
				continue
			}
			f := e.about("SEC019", finding.Error, fmt.Sprintf("istiod does not have the endpoints that %s has", e.to.Context))
			f.Evidence = []finding.Evidence{{Cluster: m.Context, Field: "istiod " + v.Pod + " says of " + e.ClusterID, Value: v.status(e)}}
			if len(d.missing) > 0 {
				f.Evidence = append(f.Evidence, finding.Evidence{Cluster: e.to.Context, Field: "ready pods that it lacks", Value: some(d.missing, 3)})
			}
			if len(d.stale) > 0 {
				f.Evidence = append(f.Evidence, finding.Evidence{Cluster: m.Context, Field: "pods that it still has", Value: some(d.stale, 3)})
			}
			f.Effect = "requests go to pods that are gone, and none to new ones"
			f.CausedBy = j.cause(e, "SEC018", "SEC017", "SEC012", "SEC013", "SEC011", "SEC010", "SEC014", "SEC015")
			f.Fix = m.followsNot(v, "cluster "+e.ClusterID)
			j.Gather(f)
		}
	}
}

// unplaced says why it is not known to which context an entry leads.
func (j *judgement) unplaced(e *entry) finding.Reason {
	return cmp.Or(j.unrecognised(e), finding.Because(fmt.Sprintf("no context of the fleet is known to lead to cluster %s", e.ClusterID)))
}

// askedOnce is the reason where a difference was seen once, which may be a change under way.
func askedOnce(e *entry) finding.Reason {
	return finding.Because("istiod was asked once only, and may be about to follow " + e.to.Context)
}

// followsNot is what to do about a replica that does not follow a cluster, of which the
// lines of its log have a text.
func (m *member) followsNot(v *replica, text string) []finding.Step {
	return []finding.Step{
		finding.Say("Read the log of istiod, which says why it has no new endpoints of the cluster:").By(m.log(v, text)),
		finding.Say("Then restart istiod:").By(m.restarts()...),
	}
}
