package remotesecrets

import (
	"cmp"
	"fmt"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
)

// create is the command that makes the remote secret by which a control plane reads
// a cluster, anew where there is one.
func create(in, to *member, id string) string {
	return createFor(in, to.Context, id, to.SystemNamespace)
}

func createFor(in *member, context, id, namespace string) string {
	flags := ""
	if namespace != istio.SystemNamespace {
		flags = " -i " + finding.Quote(namespace)
	}
	return fmt.Sprintf("istioctl create-remote-secret --context=%s --name=%s -n %s%s | kubectl --context=%s apply -f -",
		finding.Quote(context), finding.Quote(id), finding.Quote(in.SystemNamespace), flags, finding.Quote(in.Context))
}

// renew is how the credential of an entry is made anew.
func (e *entry) renew() []string {
	if e.to == nil {
		return []string{
			"# with the context that leads to " + cmp.Or(e.Server, "that cluster") + " for CONTEXT:",
			createFor(e.in, "CONTEXT", e.ClusterID, e.in.SystemNamespace),
		}
	}
	return append([]string{create(e.in, e.to, e.ClusterID)}, e.in.afterChange()...)
}

// afterChange is what has to follow the change of a remote secret where istiod does not
// take it over.
func (m *member) afterChange() []string {
	for _, i := range m.istiods {
		if rotationBug(i) != "" {
			return []string{"# istiod " + i.Version.String() + " does not take a changed remote secret over (SEC018):", m.restart(i)}
		}
	}
	return nil
}

func (m *member) restart(i istio.Istiod) string {
	return finding.Kubectl(m.Context, "-n %s rollout restart deployment/%s", finding.Quote(i.Namespace), finding.Quote(i.Name))
}

func (m *member) restarts() []string {
	var out []string
	for _, i := range m.istiods {
		out = append(out, m.restart(i))
	}
	return out
}

// remove is the command that deletes the Secret of an entry.
func (e *entry) remove() string {
	return finding.Kubectl(e.in.Context, "-n %s delete secret %s", finding.Quote(e.Namespace), finding.Quote(e.Name))
}

// removeKey is the command that takes one data key out of the Secret.
func (e *entry) removeKey() string {
	if n := len(slicesOf(e)); n < 2 {
		return e.remove()
	}
	return finding.Kubectl(e.in.Context, "-n %s patch secret %s --type=json -p %s", finding.Quote(e.Namespace), finding.Quote(e.Name),
		finding.Quote(fmt.Sprintf(`[{"op":"remove","path":"/data/%s"}]`, e.ClusterID)))
}

// slicesOf are the entries of the same Secret.
func slicesOf(e *entry) []*entry {
	var out []*entry
	for _, o := range e.in.entries {
		if o.object() == e.object() {
			out = append(out, o)
		}
	}
	return out
}

// where is evidence of the address in the kubeconfig.
func (e *entry) where() finding.Evidence {
	return finding.Evidence{Cluster: e.in.Context, Field: e.object() + ", key " + e.ClusterID + ", server", Value: cmp.Or(e.Server, "none")}
}

func (e *entry) evidence(what, value string) finding.Evidence {
	return finding.Evidence{Cluster: e.in.Context, Field: e.object() + ", key " + e.ClusterID + what, Value: cmp.Or(value, "none")}
}

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
