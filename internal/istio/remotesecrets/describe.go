package remotesecrets

import (
	"cmp"
	"fmt"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
)

// where is evidence of the address in the kubeconfig.
func (e *entry) where() finding.Evidence {
	return e.evidence(", server", e.Server)
}

func (e *entry) evidence(what, value string) finding.Evidence {
	return finding.Evidence{Cluster: e.in.Context, Field: e.object().String() + ", key " + e.ClusterID + what, Value: cmp.Or(value, "none")}
}

// cluster is what a finding is about that is about the cluster ID and not the Secret.
func (e *entry) cluster() finding.Object { return finding.Named("cluster", e.ClusterID) }

// address is that of the API server in the kubeconfig, for people.
func (e *entry) address() string { return cmp.Or(e.Server, "an address that is not known") }

// named is the cluster that an entry is about, for people.
func (e *entry) named() string {
	if e.to != nil {
		return e.to.Context
	}
	return "cluster " + e.ClusterID
}

// frozen is what goes wrong where a control plane does not follow a cluster any more.
func (e *entry) frozen() string {
	return fmt.Sprintf("%s keeps sending to the endpoints that %s had then, and does not see new ones; after a restart of istiod it sees none", e.in.Context, e.named())
}

// unread is what goes wrong where a control plane does not read a cluster.
func (e *entry) unread() string {
	return unread(e.in, e.named())
}

func unread(in *member, name string) string {
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
