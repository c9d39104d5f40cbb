package remotesecrets

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
)

// replicasThatDisagree (SEC020): each replica of istiod watches for itself.
func replicasThatDisagree(p *pass) {
	for _, c := range watching(p) {
		if !answers(p, c) || len(c.IstiodReplicas()) < 2 || c.JustStarted() {
			continue
		}
		for _, d := range disagreements(c.IstiodReplicas()) {
			f := finding.Finding{
				Code: "SEC020", Severity: finding.Error, Clusters: []string{c.Context}, Object: finding.Named("cluster", d.id),
				Title:    fmt.Sprintf("the replicas of istiod disagree about cluster %s", d.id),
				Evidence: []finding.Evidence{{Field: "state of " + d.id, Value: strings.Join(d.says, ", ")}},
				Effect:   "it works for some proxies and not for others, by the replica that each is connected to",
				Fix:      restartAll(c),
			}
			for _, r := range c.Used() {
				if r.ClusterID == d.id {
					f.CausedBy = cause(p, r, "SEC018", "SEC017", "SEC016", "SEC015", "SEC021")
				}
			}
			p.Gather(f)
		}
	}
}

// disagreement is a cluster of which replicas say different things.
type disagreement struct {
	id   string
	says []string
}

// disagreements are the clusters whose states the replicas see differently.
func disagreements(replicas []*model.IstiodReplica) []disagreement {
	states := map[string]map[string]string{} // by ID and pod
	var pods []string
	for _, v := range replicas {
		if !v.Known() {
			continue
		}
		pods = append(pods, v.Pod)
		for _, c := range v.Clusters.Value {
			if states[c.ID] == nil {
				states[c.ID] = map[string]string{}
			}
			states[c.ID][v.Pod] = c.Status
		}
	}
	var out []disagreement
	for _, id := range slices.Sorted(maps.Keys(states)) {
		distinct := map[string]bool{}
		var says []string
		for _, pod := range pods {
			state := states[id][pod]
			if state == model.NotThere {
				state = "not there"
			}
			distinct[state] = true
			says = append(says, pod+" "+state)
		}
		if len(distinct) > 1 {
			out = append(out, disagreement{id, says})
		}
	}
	return out
}
