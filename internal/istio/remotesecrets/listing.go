package remotesecrets

import (
	"cmp"
	"slices"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// State says whether a control plane watches a cluster.
type State string

// The states of a pair.
const (
	Watches   State = "ok"
	Broken    State = "broken"
	NotNeeded State = "not-needed"
	NotKnown  State = "unknown"
)

// Pair is one control plane and one cluster that it may watch.
type Pair struct {
	Primary string `json:"primary"`
	// Cluster is a context, or the cluster ID of one to which no context leads.
	Cluster string `json:"cluster"`
	State   State  `json:"state"`
	// Reason says in a few words why it is in that state; "" where that needs none.
	Reason string `json:"reason,omitempty"`
	// Codes are those of the findings about the pair, root causes first.
	Codes []finding.Code `json:"codes"`
}

// Secret is one data key of a remote secret.
type Secret struct {
	Primary   string `json:"primary"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	ClusterID string `json:"clusterID"`
	Server    string `json:"server,omitempty"`
	// Credential is the kind of it.
	Credential string `json:"credential,omitempty"`
	Identity   string `json:"identity,omitempty"`
	// Expires is when the credential does; nil for never, or where that is not known.
	Expires *time.Time `json:"expires,omitempty"`
	// LeadsTo is the context of the cluster to which it really leads, as LeadsToBy tells it.
	LeadsTo   string       `json:"leadsTo,omitempty"`
	LeadsToBy model.Origin `json:"leadsToBy,omitempty"`
	// UID is that of namespace kube-system of the cluster to which it leads.
	UID string `json:"uid,omitempty"`
	// Istiod is what each replica of the control plane says of it.
	Istiod []Said `json:"istiod"`
	// Tried is what became of using the credential from this machine.
	Tried string         `json:"tried,omitempty"`
	Codes []finding.Code `json:"codes"`
}

// Said is what one replica says of a cluster: a state, or "absent".
type Said struct {
	Pod   string `json:"pod"`
	State string `json:"state"`
}

// Gap is something that could not be listed.
type Gap struct {
	Cluster string `json:"cluster"`
	Reason  string `json:"reason"`
}

// Listing is who watches whom, by which secrets.
type Listing struct {
	// Clusters are the columns of the matrix.
	Clusters []string `json:"clusters"`
	Pairs    []Pair   `json:"pairs"`
	Secrets  []Secret `json:"secrets"`
	Gaps     []Gap    `json:"gaps"`
}

// List makes the matrix of who watches whom, and a row for each remote secret. It reads
// the model; found is only what names the codes in a cell.
func List(m *model.Mesh, found finding.Result) Listing {
	l := Listing{Clusters: []string{}, Pairs: []Pair{}, Secrets: []Secret{}, Gaps: []Gap{}}
	for i := range m.Fleet.Clusters {
		c := &m.Fleet.Clusters[i]
		l.Clusters = append(l.Clusters, c.Context)
		if c.Unreached != nil {
			l.Gaps = append(l.Gaps, Gap{c.Context, c.Unreached.Reason})
		}
	}
	for _, id := range beyond(m) {
		if !slices.Contains(l.Clusters, id) {
			l.Clusters = append(l.Clusters, id)
		}
	}
	n := naming{ofArea(found)}
	for _, c := range m.Clusters {
		for _, why := range notListed(m, c) {
			l.Gaps = append(l.Gaps, Gap{c.Context, why.Text})
		}
		if !c.Primary() {
			continue
		}
		for _, name := range l.Clusters {
			l.Pairs = append(l.Pairs, pairOf(m, c, name, n))
		}
		for _, r := range c.Remotes {
			l.Secrets = append(l.Secrets, secretOf(r, n))
		}
	}
	return l
}

// ofArea are the findings of the rules about remote secrets among all.
func ofArea(all finding.Result) finding.Result {
	codes := rule.CodesOf(Rules())
	out := finding.Result{}
	for _, f := range all.Findings {
		if slices.Contains(codes, f.Code) {
			out.Add(f)
		}
	}
	return out
}

// beyond are the cluster IDs of remote secrets that lead to no cluster of the fleet, sorted.
func beyond(m *model.Mesh) []string {
	var out []string
	for _, r := range m.RemoteSecrets {
		if r.To == nil && r.Unreached == nil && r.Invalid == "" {
			out = append(out, r.ClusterID)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// notListed says what is not known of a cluster that should be listed.
func notListed(m *model.Mesh, c *model.Cluster) []finding.Reason {
	var out []finding.Reason
	add := func(row rule.Need) {
		if why, lacks := rule.Lacks(c.Cluster, row); lacks {
			out = append(out, why)
		}
	}
	if c.UID == "" && m.Seen.NotAsked == "" {
		add(resources.Namespaces)
	}
	add(resources.Istiods)
	if !c.Primary() {
		return out
	}
	add(resources.RemoteSecrets)
	if asked := m.Seen.Istiods[c.Context]; m.Seen.NotAsked == "" && asked.State != facts.OK {
		out = append(out, rule.Unread("istiod", asked.State, asked.Why()))
	}
	for _, v := range c.IstiodReplicas() {
		if !v.Known() {
			out = append(out, rule.Unread(v.Pod, v.Clusters.State, v.Clusters.Why()))
		}
	}
	for _, r := range c.Remotes {
		if why := accountUnknown(m, r); !r.Sure() && why != (finding.Reason{}) && !slices.Contains(out, why) {
			out = append(out, why)
		}
	}
	return out
}

func secretOf(r *model.RemoteSecret, n naming) Secret {
	s := Secret{
		Primary: r.In.Context, Namespace: r.Namespace, Name: r.Name, ClusterID: r.ClusterID, Server: r.Server,
		Credential: r.Access.Kind, Identity: r.Identity, LeadsToBy: r.Origin, UID: r.UID, Istiod: []Said{}, Codes: n.ofSecret(r),
	}
	if r.To != nil {
		s.LeadsTo = r.To.Context
	}
	if end := r.Expires(); !end.IsZero() {
		s.Expires = &end
	}
	for _, said := range r.Replicas() {
		s.Istiod = append(s.Istiod, Said{said.Pod, cmp.Or(said.State, "absent")})
	}
	if tried := r.Tried(); tried.Outcome != "" {
		s.Tried = string(tried.Outcome)
		if tried.Reason != "" {
			s.Tried += ": " + tried.Reason
		}
	}
	return s
}
