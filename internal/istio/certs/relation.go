package certs

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
	"github.com/kubectl-mesh/kubectl-mesh/internal/view"
)

// Verdict says whether the workloads of one cluster accept the certificates
// that another cluster's workloads present.
type Verdict = view.Trust

// The verdicts on an ordered pair of clusters.
const (
	Trusts    = view.Trusts
	Distrusts = view.Distrusts
	Undecided = view.Undecided
)

// Relation is the verdict on one ordered pair: does From trust To's certificates?
type Relation struct {
	view.Relation
	// Confused: the root is there, and Envoy takes another one for it.
	Confused bool
}

// relate says of every ordered pair of clusters who trusts whom; the result is indexed
// [from][to]. Clusters that hold the same roots trust the same, and one is asked for all:
// for clusters that share their roots, that is one question each, not one a pair.
func relate(authorities []*authority) [][]Relation {
	type answer struct {
		verdict  Verdict
		reason   string
		confused bool
	}
	asked := map[string][]*answer{}
	out := make([][]Relation, len(authorities))
	for i, from := range authorities {
		roots, _, why := from.roots()
		key := why.Text + " " + strings.Join(inOrder(roots), " ")
		if asked[key] == nil {
			asked[key] = make([]*answer, len(authorities))
		}
		out[i] = make([]Relation, len(authorities))
		for j, to := range authorities {
			r := Relation{Relation: view.Relation{From: from.Context, To: to.Context, Verdict: Trusts, Reason: "the same cluster"}}
			switch {
			case i == j:
			case from.mode == Hosting || to.mode == Hosting:
				r.Reason = "no workloads of the mesh run with a control plane of another cluster"
			default:
				if asked[key][j] == nil {
					asked[key][j] = new(answer)
					asked[key][j].verdict, asked[key][j].reason = accepts(roots, why, to)
					if c, ok := confusedBy(roots, to); ok && asked[key][j].verdict == Trusts {
						*asked[key][j] = answer{Distrusts, "Envoy takes root " + pki.Short(c.taken.SHA256) + " for its issuer", true}
					}
				}
				r.Verdict, r.Reason, r.Confused = asked[key][j].verdict, asked[key][j].reason, asked[key][j].confused
			}
			out[i][j] = r
		}
	}
	return out
}

// inOrder are the fingerprints of roots in their order, which matters to Envoy.
func inOrder(roots []pki.Certificate) []string {
	var out []string
	for _, r := range roots {
		out = append(out, r.SHA256)
	}
	return out
}

// confusedBy reports whether Envoys with these roots take one for another in to's
// certificates, where these are known.
func confusedBy(roots []pki.Certificate, to *authority) (confusion, bool) {
	b := to.current()
	if len(roots) < 2 || !to.serves(b) || !loads(b, to.now) {
		return confusion{}, false
	}
	signer, _ := b.signer()
	return confused(signer, b.chain.Certificates, roots)
}

// accepts says whether workloads with these roots, or none for the reason why,
// accept a certificate of to's CA.
func accepts(roots []pki.Certificate, why finding.Reason, to *authority) (Verdict, string) {
	switch {
	case unclear(why):
		return Undecided, why.Text
	case len(roots) == 0:
		return Distrusts, "it holds no root"
	}
	if v, reason, ok := bySigner(roots, to, to.now); ok {
		return v, reason
	}
	return byRoots(roots, to)
}

// bySigner verifies to's signing certificate under the roots, which is exact.
// It is possible where the Secret's CA is the one that istiod runs on.
func bySigner(roots []pki.Certificate, to *authority, now time.Time) (Verdict, string, bool) {
	b := to.current()
	if !to.serves(b) || !loads(b, now) {
		return "", "", false
	}
	signer, _ := b.signer()
	paths, err := findPaths(signer, b.chain.Certificates, roots, anyUsage)
	if err != nil {
		return Distrusts, fmt.Sprintf("no root for signing certificate %s", pki.Short(signer.SHA256)), true
	}
	reason := fmt.Sprintf("signing certificate %s verifies under root %s", pki.Short(signer.SHA256), pki.Short(paths[0].root().SHA256))
	return Trusts, reason, true
}

// byRoots goes by the roots alone: to's certificates lead to one of the
// roots that its control plane publishes, but which one is not known.
func byRoots(roots []pki.Certificate, to *authority) (Verdict, string) {
	theirs, _, why := to.roots()
	theirs = ends(theirs)
	switch {
	case unclear(why):
		return Undecided, to.Context + ": " + why.Text
	case len(theirs) == 0:
		return Distrusts, to.Context + " has no CA"
	}
	shared := 0
	for _, r := range theirs {
		if holds(roots, r) {
			shared++
		}
	}
	switch shared {
	case len(theirs):
		return Trusts, "holds every root that " + to.Context + " publishes"
	case 0:
		return Distrusts, "holds no root that " + to.Context + " publishes"
	default:
		return Undecided, fmt.Sprintf("under which of its %d roots %s signs is not known", len(theirs), to.Context)
	}
}

// refusal says that the certificates of some clusters are refused in others.
type refusal struct {
	refused, refusing []int
	// mutual: the refusing are likewise refused by exactly the refused.
	mutual bool
}

// refusals gathers the pairs that refuse into as few statements as are true:
// clusters whose certificates are refused in the same places share one. n
// clusters give at most n statements, however many pairs there are.
func refusals(n int, refuses func(from, to int) bool) []refusal {
	var out []refusal
	for to := range n {
		var refusing []int
		for from := range n {
			if from != to && refuses(from, to) {
				refusing = append(refusing, from)
			}
		}
		if len(refusing) == 0 {
			continue
		}
		i := slices.IndexFunc(out, func(r refusal) bool { return slices.Equal(r.refusing, refusing) })
		if i < 0 {
			out = append(out, refusal{refused: []int{to}, refusing: refusing})
		} else {
			out[i].refused = append(out[i].refused, to)
		}
	}
	var merged []refusal
	for _, r := range out {
		i := slices.IndexFunc(merged, func(o refusal) bool {
			return slices.Equal(o.refused, r.refusing) && slices.Equal(o.refusing, r.refused)
		})
		if i >= 0 {
			merged[i].mutual = true
			continue
		}
		merged = append(merged, r)
	}
	return merged
}

// contexts are the names of all clusters involved: first the refused.
func (r refusal) contexts(authorities []*authority) []string {
	return append(names(authorities, r.refused), names(authorities, r.refusing)...)
}

// names are the contexts of clusters by their indices.
func names(authorities []*authority, indices []int) []string {
	out := make([]string, len(indices))
	for i, k := range indices {
		out[i] = authorities[k].Context
	}
	return out
}
