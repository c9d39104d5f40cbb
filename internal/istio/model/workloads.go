package model

import (
	"cmp"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
)

// WorkloadGroup is a workload with those of its pods of which the same is said.
type WorkloadGroup struct {
	istio.WorkloadRef
	// Says is what is said of the pods, for people.
	Says string
	// Pods is how many there are.
	Pods int
}

// ByWorkload counts pods by workload and by what is said of each, sorted by both.
func ByWorkload(pods []*facts.Pod, says func(*facts.Pod) string) []WorkloadGroup {
	var out []WorkloadGroup
	type key struct {
		workload istio.WorkloadRef
		says     string
	}
	at := map[key]int{}
	for _, p := range pods {
		k := key{istio.WorkloadOf(p), says(p)}
		i, ok := at[k]
		if !ok {
			i, at[k] = len(out), len(out)
			out = append(out, WorkloadGroup{WorkloadRef: k.workload, Says: k.says})
		}
		out[i].Pods++
	}
	slices.SortFunc(out, func(a, b WorkloadGroup) int {
		return cmp.Or(strings.Compare(a.String(), b.String()), strings.Compare(a.Says, b.Says))
	})
	return out
}

// WorkloadsOf are the workloads of groups, in their order; one of several groups is
// named as often.
func WorkloadsOf(groups []WorkloadGroup) []istio.WorkloadRef {
	out := make([]istio.WorkloadRef, len(groups))
	for i, g := range groups {
		out[i] = g.WorkloadRef
	}
	return out
}
