package remotesecrets

import (
	"cmp"
	"slices"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
	"github.com/kubectl-mesh/kubectl-mesh/internal/serverurl"
)

// State says whether a control plane reads a cluster.
type State string

// The states of a pair.
const (
	Reads     State = "reads"
	Fails     State = "fails"
	NotNeeded State = "not-needed"
	NotKnown  State = "unknown"
)

// Pair is one control plane and one cluster that it may read.
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
	LeadsTo   string `json:"leadsTo,omitempty"`
	LeadsToBy Origin `json:"leadsToBy,omitempty"`
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

// Listing is who reads whom, by which secrets.
type Listing struct {
	// Clusters are the columns of the matrix.
	Clusters []string `json:"clusters"`
	Pairs    []Pair   `json:"pairs"`
	Secrets  []Secret `json:"secrets"`
	Gaps     []Gap    `json:"gaps"`
}

// words say in short what a finding means for a pair.
var words = map[finding.Code]string{
	"SEC001": "no secret", "SEC002": "secret in another namespace", "SEC003": "secret without label", "SEC004": "wrong key",
	"SEC005": "cluster ID twice", "SEC006": "key is the own cluster ID", "SEC007": "read twice", "SEC008": "kubeconfig unusable",
	"SEC009": "authentication refused", "SEC010": "address leads nowhere", "SEC011": "certificate not trusted",
	"SEC012": "credential refused", "SEC013": "service account or token gone", "SEC014": "rights missing", "SEC015": "timeout",
	"SEC016": "still syncing", "SEC017": "closed", "SEC018": "change not taken over", "SEC019": "endpoints out of date",
	"SEC020": "replicas disagree", "SEC021": "istiod does not know it", "SEC023": "no secret", "SEC024": "secret in another cluster",
	"SEC025": "holds up istiod", "SEC026": "stray key",
}

// List makes the matrix of who reads whom, and a row for each remote secret.
func List(fleet *facts.Fleet, seen facts.Seen) Listing {
	j := judge(fleet, seen)
	l := Listing{Clusters: []string{}, Pairs: []Pair{}, Secrets: []Secret{}, Gaps: []Gap{}}
	for _, c := range fleet.Clusters {
		l.Clusters = append(l.Clusters, c.Context)
		if c.Unreached != nil {
			l.Gaps = append(l.Gaps, Gap{c.Context, c.Unreached.Reason})
		}
	}
	var beyond []string
	for _, e := range j.entries {
		if e.to == nil && !j.unreached(e) && !slices.Contains(beyond, e.ClusterID) && e.Invalid == "" {
			beyond = append(beyond, e.ClusterID)
		}
	}
	slices.Sort(beyond)
	for _, b := range beyond {
		if !slices.Contains(l.Clusters, b) {
			l.Clusters = append(l.Clusters, b)
		}
	}
	for _, m := range j.members {
		gap := func(why finding.Reason, lacks bool) {
			if lacks {
				l.Gaps = append(l.Gaps, Gap{m.Context, why.Text})
			}
		}
		if m.uid == "" && j.seen.NotAsked == "" {
			gap(rule.Lack("namespaces", resources.Namespaces.Of(m.Cluster)))
		}
		gap(rule.Lack("deployments", resources.Istiods.Of(m.Cluster)))
		if !m.primary() {
			continue
		}
		gap(rule.Lack("remote secrets", resources.RemoteSecrets.Of(m.Cluster)))
		for _, why := range j.unheard(m) {
			gap(why, true)
		}
		for _, name := range l.Clusters {
			l.Pairs = append(l.Pairs, j.pair(m, name))
		}
		for _, e := range m.entries {
			l.Secrets = append(l.Secrets, j.secret(e))
		}
	}
	return l
}

// unheard says what was asked about the remote secrets of a primary and not answered.
func (j *judgement) unheard(m *member) []finding.Reason {
	var out []finding.Reason
	if asked := j.seen.Istiods[m.Context]; j.seen.NotAsked == "" && asked.State != facts.OK {
		out = append(out, rule.Unread("istiod", asked.State, asked.Why()))
	}
	for _, v := range j.replicas[m] {
		if !v.known() {
			out = append(out, rule.Unread(v.Pod, v.Clusters.State, v.Clusters.Why()))
		}
	}
	for _, e := range m.entries {
		if e.sure() {
			continue
		}
		if why := j.unrecognised(e); why != (finding.Reason{}) && !slices.Contains(out, why) {
			out = append(out, why)
		}
	}
	return out
}

// unreached reports whether an entry leads to a cluster of the fleet that did not answer.
func (j *judgement) unreached(e *entry) bool {
	return slices.ContainsFunc(j.fleet.Clusters, func(c facts.Cluster) bool {
		return c.Unreached != nil && serverurl.Same(c.Server, e.Server)
	})
}

func (j *judgement) pair(m *member, name string) Pair {
	p := Pair{Primary: m.Context, Cluster: name, Codes: []finding.Code{}}
	to := j.by[name]
	var e *entry
	switch {
	case name == m.Context:
		p.State = NotNeeded
		return p
	case !resources.RemoteSecrets.Of(m.Cluster).Known():
		p.State, p.Reason = NotKnown, "remote secrets "+resources.RemoteSecrets.Of(m.Cluster).Why()
		return p
	case m.elsewhere != "":
		p.State, p.Reason = NotKnown, "external control plane"
		return p
	case to != nil:
		e = m.reads(to)
	default:
		if e = m.leading(j, name); e == nil {
			e = m.keyed(name)
		}
	}
	severity, root := finding.Severity(""), finding.Code("")
	for _, f := range j.RootCauses() {
		severity, root = p.take(j, m, e, to, f, severity, root)
	}
	for _, f := range j.Findings {
		severity, root = p.take(j, m, e, to, f, severity, root)
	}
	switch {
	case severity == finding.Error, root == "SEC023":
		p.State, p.Reason = Fails, words[root]
	case e == nil && to != nil && to.undecided() != (finding.Reason{}):
		p.State, p.Reason = NotKnown, to.undecided().Text
	case e == nil && to != nil && !j.expects(j.mesh, m, to):
		p.State = NotNeeded
	case e == nil && to == nil:
		p.State, p.Reason = NotKnown, "not reached"
		if m.keyed(name) == nil && j.by[name] == nil && !slices.ContainsFunc(j.fleet.Clusters, func(c facts.Cluster) bool { return c.Context == name }) {
			p.State, p.Reason = NotNeeded, ""
		}
	case e == nil:
		p.State, p.Reason = NotKnown, "secret leads elsewhere or nowhere known"
	case j.confirmed(e):
		p.State = Reads
		if severity == finding.Warning {
			p.Reason = words[root]
			if root == "SEC013" {
				p.Reason = "credential expires soon"
			}
		}
	default:
		p.State, p.Reason = NotKnown, cmp.Or(j.seen.NotAsked, "nobody could be asked")
		if j.seen.NotAsked != "" {
			p.Reason = "secret is there, not tried"
		}
	}
	return p
}

// take notes a finding if it is about the pair.
func (p *Pair) take(j *judgement, m *member, e *entry, to *member, f finding.Finding, severity finding.Severity, root finding.Code) (finding.Severity, finding.Code) {
	mine := f.Clusters[0] == m.Context
	about := mine && to != nil && slices.Contains(f.Clusters[1:], to.Context) &&
		(e == nil || f.Object == (finding.Object{}) || f.Object == e.object()) ||
		mine && e != nil && (f.Object == e.object() && len(f.Clusters) < 2 || f.Object == e.cluster())
	if !about && to != nil && mine && len(f.Clusters) == 1 {
		// A Secret that does not count, and was meant for the cluster.
		about = slices.ContainsFunc(j.Findings, func(o finding.Finding) bool {
			return o.CausedBy == f.ID() && o.Code == "SEC001" && slices.Contains(o.Clusters[1:], to.Context)
		})
	}
	if !about || slices.Contains(p.Codes, f.Code) {
		return severity, root
	}
	p.Codes = append(p.Codes, f.Code)
	if severity == "" || !severity.AtLeast(f.Severity) {
		return f.Severity, f.Code
	}
	return severity, root
}

// leading is the entry that leads to a cluster that was not reached.
func (m *member) leading(j *judgement, context string) *entry {
	for _, c := range j.fleet.Clusters {
		for _, e := range m.entries {
			if c.Context == context && serverurl.Same(c.Server, e.Server) {
				return e
			}
		}
	}
	return nil
}

// confirmed reports whether somebody who knows says that an entry works: a replica of the
// control plane, or the API server of the cluster to which it leads.
func (j *judgement) confirmed(e *entry) bool {
	if j.syncedBy(e) || j.seen.Connected[e.key()].Outcome == facts.ConnectAccepted {
		return true
	}
	review := j.seen.Reviews[e.key()]
	return review.Token.State == facts.OK && review.Refused == ""
}

func (j *judgement) secret(e *entry) Secret {
	s := Secret{
		Primary: e.in.Context, Namespace: e.Namespace, Name: e.Name, ClusterID: e.ClusterID, Server: e.Server,
		Credential: e.Access.Kind, Identity: e.Identity, LeadsToBy: e.from, UID: e.uid, Istiod: []Said{}, Codes: []finding.Code{},
	}
	if e.to != nil {
		s.LeadsTo, s.UID = e.to.Context, e.to.uid
	}
	end := e.Access.CertificateEnds
	if e.Access.Token != nil {
		end = e.Access.Token.Expires
	}
	if !end.IsZero() {
		s.Expires = &end
	}
	for _, v := range j.replicas[e.in] {
		if v.known() {
			s.Istiod = append(s.Istiod, Said{v.Pod, cmp.Or(v.status(e), "absent")})
		}
	}
	if c := j.seen.Connected[e.key()]; c.Outcome != "" {
		s.Tried = string(c.Outcome)
		if c.Reason != "" {
			s.Tried += ": " + c.Reason
		}
	}
	for _, f := range j.Findings {
		mine := f.Clusters[0] == e.in.Context && f.Object == e.object() && (len(f.Clusters) < 2 || e.to != nil && f.Clusters[1] == e.to.Context)
		if (mine || f.Object == e.cluster() && f.Clusters[0] == e.in.Context) && !slices.Contains(s.Codes, f.Code) {
			s.Codes = append(s.Codes, f.Code)
		}
	}
	return s
}
