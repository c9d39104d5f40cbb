package remotesecrets

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
)

// serverOf is evidence of the address in the kubeconfig.
func serverOf(r *model.RemoteSecret) finding.Evidence { return keyOf(r, ", server", r.Server) }

// keyOf is evidence of something in a data key.
func keyOf(r *model.RemoteSecret, what, value string) finding.Evidence {
	field := r.Object().String() + ", key " + r.ClusterID + what
	return finding.Evidence{Cluster: r.In.Context, Field: field, Value: cmp.Or(value, "none")}
}

// saidBy is evidence of what a replica of istiod says of a cluster.
func saidBy(v *model.IstiodReplica, r *model.RemoteSecret) finding.Evidence {
	state := v.StateOf(r)
	if state == model.NotThere {
		state = "nothing, it does not watch it"
	}
	return finding.Evidence{Cluster: v.In.Context, Field: "istiod " + v.Pod + " says of " + r.ClusterID, Value: state}
}

// nameOf is the cluster to which a remote secret leads, for people.
func nameOf(r *model.RemoteSecret) string {
	if r.To != nil {
		return r.To.Context
	}
	return "cluster " + r.ClusterID
}

// staleEffect is what goes wrong where a control plane does not follow a cluster any more.
func staleEffect(r *model.RemoteSecret) string {
	return fmt.Sprintf("%s keeps sending to the endpoints that %s had then, and does not discover new ones; "+
		"after a restart of istiod it has none", r.In.Context, nameOf(r))
}

// unwatchedEffect is what goes wrong where a control plane does not watch a cluster.
func unwatchedEffect(in *model.Cluster, name string) string {
	return fmt.Sprintf("workloads of %s get no endpoints of %s: their traffic stays local, or fails", in.Context, name)
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// span is a time in days or hours, whichever says more.
func span(d time.Duration) string {
	if d < 48*time.Hour {
		return fmt.Sprintf("%d hours", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

// some shows the first of a list and how many there are more.
func some(list []string, n int) string {
	if len(list) <= n {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:n], ", "), len(list)-n)
}

// texts are the names of values for people.
func texts[T fmt.Stringer](values []T) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = v.String()
	}
	return out
}
