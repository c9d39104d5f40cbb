package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/dump"
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/fleet"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/printable"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/survey"
)

// Gather reads the facts of the fleet that the flags name: from a dump, or from
// its clusters, all at the same time. Clusters that were not reached are among
// the facts. An error means that there are no facts to judge.
func (f *Frame) Gather(ctx context.Context, rows resource.Set) (*facts.Fleet, error) {
	if f.From != "" {
		return f.gatherDump()
	}
	kubeconfig, err := fleet.Load(f.Fleet, f.ErrOut)
	if err != nil {
		return nil, err
	}
	members, chosen, err := kubeconfig.Select()
	if err != nil {
		return nil, err
	}
	out := &facts.Fleet{At: time.Now()}
	if chosen {
		out.Clusters = f.survey(ctx, members, rows)
	} else {
		current, err := kubeconfig.Current()
		if err != nil {
			return nil, err
		}
		out.Clusters = f.survey(ctx, []fleet.Member{current}, resource.Join(rows, resources.RemoteSecrets))
		found, beyond := discover(kubeconfig, &out.Clusters[0])
		f.sayChosen(&out.Clusters[0], found, beyond)
		members = append([]fleet.Member{current}, found...)
		out.Clusters = append(out.Clusters, f.survey(ctx, found, rows)...)
		out.Beyond = beyond
	}
	f.members = members
	f.deepen(ctx, out, members, rows)
	return out, nil
}

// survey reads the clusters side by side.
func (f *Frame) survey(ctx context.Context, members []fleet.Member, rows resource.Set) []facts.Cluster {
	read := func(ctx context.Context, m fleet.Member) (facts.Cluster, error) {
		config, err := m.Config()
		if err != nil {
			return facts.Cluster{}, err
		}
		return survey.Read(ctx, survey.Cluster{Context: m.Context, Config: config, Namespace: f.Namespace}, rows)
	}
	var out []facts.Cluster
	for _, r := range fleet.Each(ctx, members, f.Fleet.Timeout, f.progress, read) {
		c := r.Value
		c.Context, c.Server, c.SystemNamespace = r.Context, r.Server, f.Namespace
		c.Unreached = r.Unreached()
		if errors.Is(r.Err, survey.ErrNoRights) {
			c.Unreached = &facts.Unreached{Kind: facts.NoRights, Reason: survey.ErrNoRights.Error()}
		}
		out = append(out, c)
	}
	return out
}

// deepen reads what only the whole fleet shows to be needed.
func (f *Frame) deepen(ctx context.Context, out *facts.Fleet, members []fleet.Member, rows resource.Set) {
	if !rows.Has(resources.MeshConfigs) {
		return
	}
	var revisions []string
	for i := range out.Clusters {
		for _, istiod := range istio.Istiods(&out.Clusters[i]) {
			if name := istiod.MeshConfigMap(); name != istio.MeshConfigMap && !slices.Contains(revisions, name) {
				revisions = append(revisions, name)
			}
		}
	}
	leads := map[string]istio.Leads{}
	if rows.Has(resources.GatewayEvents) {
		leads = istio.LeadsOf(out)
	}
	var wanting []fleet.Member
	for i := range out.Clusters {
		c := &out.Clusters[i]
		if c.Unreached == nil && (len(revisions) > 0 || istio.WantsProxies(c) || !leads[c.Context].None()) {
			wanting = append(wanting, members[i])
		}
	}
	at := func(context string) int {
		return slices.IndexFunc(out.Clusters, func(c facts.Cluster) bool { return c.Context == context })
	}
	read := func(ctx context.Context, m fleet.Member) (facts.Cluster, error) {
		config, err := m.Config()
		if err != nil {
			return facts.Cluster{}, err
		}
		c := out.Clusters[at(m.Context)] // a copy: this call may be abandoned
		cluster := survey.Cluster{Context: m.Context, Config: config, Namespace: f.Namespace}
		deepened, followed := c, c
		var both sync.WaitGroup
		both.Go(func() { survey.Deepen(ctx, cluster, &deepened, revisions, istio.WantsProxies(&c)) })
		both.Go(func() { survey.Follow(ctx, cluster, &followed, leads[c.Context]) })
		both.Wait()
		for _, row := range survey.Followed {
			row.Copy(&deepened, &followed) // what they read has nothing in common
		}
		return deepened, nil
	}
	for _, r := range fleet.Each(ctx, wanting, f.Fleet.Timeout, f.progress, read) {
		if r.Err == nil {
			out.Clusters[at(r.Context)] = r.Value
			continue
		}
		c := &out.Clusters[at(r.Context)]
		if len(revisions) > 0 || istio.WantsProxies(c) {
			resources.MeshConfigs.SetFailed(c, r.Unreached().Reason)
		}
		survey.Unfollowed(c, leads[c.Context], r.Unreached().Reason)
	}
}

// discover finds the contexts that lead to the clusters which the current
// cluster's remote secrets name.
func discover(kubeconfig *fleet.Kubeconfig, current *facts.Cluster) (found []fleet.Member, beyond []facts.BeyondReach) {
	secrets := resources.RemoteSecrets.Of(current).Value
	servers := make([]string, len(secrets))
	for i, s := range secrets {
		servers[i] = s.Server
	}
	for i, reach := range kubeconfig.Reaching(servers) {
		if len(reach.Contexts) == 0 {
			beyond = append(beyond, facts.BeyondReach{
				Context: current.Context, Secret: secrets[i].Namespace + "/" + secrets[i].Name,
				ClusterID: secrets[i].ClusterID, Server: secrets[i].Server,
			})
			continue
		}
		m := reach.Member
		known := m.Context == current.Context || slices.ContainsFunc(found, func(o fleet.Member) bool { return o.Context == m.Context })
		if !known {
			found = append(found, m)
		}
	}
	slices.SortFunc(found, func(a, b fleet.Member) int { return strings.Compare(a.Context, b.Context) })
	return found, beyond
}

// sayChosen tells on the error stream which clusters were taken and why.
func (f *Frame) sayChosen(current *facts.Cluster, found []fleet.Member, beyond []facts.BeyondReach) {
	name := printable.Line(current.Context)
	switch {
	case current.Unreached != nil:
	case !resources.RemoteSecrets.Of(current).Known():
		note(f.ErrOut, "Looking at %s alone: its remote secrets, which name the other clusters, could not be read (%s). Name the clusters with --contexts.", name, resources.RemoteSecrets.Of(current).Why())
	case len(found) == 0 && len(beyond) == 0:
		note(f.ErrOut, "Looking at %s alone: it has no remote secrets, which would name the other clusters. Name them with --contexts.", name)
	default:
		names := []string{name + " (the current context)"}
		for _, m := range found {
			names = append(names, printable.Line(m.Context))
		}
		note(f.ErrOut, "Looking at %s, found through the remote secrets of %s.", strings.Join(names, ", "), name)
		for _, b := range beyond {
			if b.Server == "" {
				note(f.ErrOut, "They name cluster %s too, and not where it is: the kubeconfig in secret %s cannot be used.", printable.Line(b.ClusterID), printable.Line(b.Secret))
				continue
			}
			note(f.ErrOut, "No context leads to cluster %s at %s, which they name too.", printable.Line(b.ClusterID), printable.Line(b.Server))
		}
	}
}

// gatherDump reads a dump, of which --contexts can choose clusters.
func (f *Frame) gatherDump() (*facts.Fleet, error) {
	if info, err := os.Stat(f.From); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("--from %s: there is no such folder; \"%s dump\" writes one", f.From, f.Display)
	}
	out, err := dump.Read(os.DirFS(f.From), f.Namespace, time.Now(), resources.All)
	if err != nil {
		return nil, fmt.Errorf("--from %s: %w", f.From, err)
	}
	names := make([]string, len(out.Clusters))
	for i, c := range out.Clusters {
		names[i] = c.Context
	}
	if len(f.Fleet.Contexts) > 0 {
		chosen, err := fleet.Expand(f.Fleet.Contexts, names, "the dump")
		if err != nil {
			return nil, fmt.Errorf("--from %s: %w", f.From, err)
		}
		var clusters []facts.Cluster
		for _, name := range chosen {
			clusters = append(clusters, out.Clusters[slices.Index(names, name)])
		}
		out.Clusters, names = clusters, chosen
	}
	note(f.ErrOut, "Read from %s, as of %s: %s.", f.From, out.At.UTC().Format(time.RFC3339), printable.Line(strings.Join(names, ", ")))
	return out, nil
}

// Unreachable returns the error for a fleet of which no cluster was reached;
// nil when one was.
func Unreachable(out *facts.Fleet) error {
	for _, c := range out.Clusters {
		if c.Unreached == nil {
			return nil
		}
	}
	return ExitCode(ExitFailed)
}
