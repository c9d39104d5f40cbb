package controlplane

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
)

// age is how long ago something was.
func age(p pass, at time.Time) string { return finding.Age(p.Model.Fleet.At.Sub(at)) }

// longestText is how much of what others say is evidence, in letters.
const longestText = 300

// line is text of others on one line of evidence.
func line(text string) string {
	text = strings.Trim(strings.Join(strings.Fields(text), " "), " ,;")
	if letters := []rune(text); len(letters) > longestText {
		text = strings.TrimSpace(string(letters[:longestText])) + "…"
	}
	return text
}

// names are those of pods.
func names(pods []*facts.Pod) []string {
	var out []string
	for _, p := range pods {
		out = append(out, p.Namespace+"/"+p.Name)
	}
	slices.Sort(out)
	return out
}

// share is a workload, and how many of its pods something is said of.
type share struct {
	istio.WorkloadRef
	some, all int
}

// sharesOf counts pods by workload, among all pods that something could be said of: those of which
// it is said of most pods first.
func sharesOf(some, all []*facts.Pod) []share {
	at := map[istio.WorkloadRef]int{}
	var out []share
	count := func(pods []*facts.Pod, add func(*share)) {
		for _, p := range pods {
			w := istio.WorkloadOf(p)
			i, ok := at[w]
			if !ok {
				i, at[w] = len(out), len(out)
				out = append(out, share{WorkloadRef: w})
			}
			add(&out[i])
		}
	}
	count(some, func(s *share) { s.some++ })
	n := len(out)
	count(all, func(s *share) { s.all++ })
	out = out[:n] // of the others nothing is said
	slices.SortFunc(out, func(a, b share) int {
		return cmp.Or(cmp.Compare(b.some, a.some), strings.Compare(a.String(), b.String()))
	})
	return out
}

// mostShares is how many workloads are evidence by name.
const mostShares = 3

// evidenceOf are lines of evidence for some workloads, and how many more there are.
func evidenceOf(shares []share) []finding.Evidence {
	var out []finding.Evidence
	for i, s := range shares {
		if i == mostShares {
			out = append(out, finding.Evidence{Field: "further workloads", Value: fmt.Sprint(len(shares) - mostShares)})
			break
		}
		out = append(out, finding.Evidence{Field: s.String(), Value: fmt.Sprintf("%d of %s", s.some, finding.Plural(s.all, "pod"))})
	}
	return out
}

// workloadsOf are the workloads of shares.
func workloadsOf(shares []share) []istio.WorkloadRef {
	var out []istio.WorkloadRef
	for _, s := range shares {
		out = append(out, s.WorkloadRef)
	}
	return out
}
