package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kubectl-mesh/kubectl-mesh/internal/command"
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/ask"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/envoy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiomesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/proxies"
	"github.com/kubectl-mesh/kubectl-mesh/internal/podaccess"
	"github.com/kubectl-mesh/kubectl-mesh/internal/printable"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
	"github.com/kubectl-mesh/kubectl-mesh/internal/survey"
)

// Who can be asked for the endpoints that a source has.
const (
	askEnvoy  = "envoy"
	askIstiod = "istiod"
	askNobody = "none"
)

var askable = []string{askEnvoy, askIstiod, askNobody}

// listOptions are the flags of list.
type listOptions struct {
	fromPods  []string
	source    string
	namespace string
	port      int
}

func newList(f *command.Frame) *cobra.Command {
	o := &listOptions{}
	cmd := &cobra.Command{
		Use:   "list SERVICE[.NAMESPACE]",
		Short: "Compare the endpoints that proxies have with those expected",
		Long: `List the endpoints that proxies have for a service next to those expected:
  =  as expected        -  expected, and not there
  !  used otherwise     +  there, and not expected
One proxy for each cluster and network, or those in --from-pod, is asked by
port-forward or exec; with --source istiod its control plane. A difference
exits with 0; so does an endpoint that the proxy ejected for a while.`,
		Example: `  %[1]s list cart.shop --contexts east,west
  %[1]s list cart -n shop --from-pod east/shop/client-0`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("list wants one argument: the service, as SERVICE.NAMESPACE")
			}
			return nil
		},
		ValidArgsFunction: completeServices(f, &o.namespace, func() error {
			_, err := o.check()
			return err
		}),
	}
	output := f.AddOutput(cmd)
	flags := cmd.Flags()
	flags.StringArrayVar(&o.fromPods, "from-pod", nil, "Of this `pod`: context/namespace/pod; can be repeated")
	flags.StringVar(&o.source, "source", askEnvoy, "Whom to `ask`: "+strings.Join(askable, "|"))
	flags.StringVarP(&o.namespace, "namespace", "n", "", "The `namespace` of the service")
	flags.IntVar(&o.port, "port", 0, "List this `port` of the service alone")
	_ = cmd.RegisterFlagCompletionFunc("source", cobra.FixedCompletions(askable, cobra.ShellCompDirectiveNoFileComp))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		format, err := output.Format()
		if err != nil {
			return err
		}
		return o.run(cmd.Context(), f, output, format, args[0])
	}
	return cmd
}

func (o *listOptions) run(ctx context.Context, f *command.Frame, output *command.Output, format report.Format, service string) error {
	named, err := o.check()
	if err != nil {
		return err
	}
	fleet, err := f.Gather(ctx, f.Resources(nil, areas...))
	if err != nil {
		return err
	}
	if others := f.Instead(fleet, istiomesh.Mesh{}); len(others) > 0 {
		return fmt.Errorf("the clusters have %s, and list shows what the Envoys of Istio have; "+
			"\"%s diagnose %s -o wide\" shows what clients are given there", finding.List(others), f.Display, service)
	}
	if err := command.Unreachable(fleet); err != nil {
		for _, c := range fleet.Clusters {
			fmt.Fprintln(f.ErrOut, printable.Line(c.Context+" was not reached: "+c.Unreached.Reason))
		}
		return err
	}
	to, err := findService(fleet, service, o.namespace)
	if err != nil {
		return err
	}
	ports := proxies.Ports(fleet, to)
	if o.port != 0 && !slices.ContainsFunc(ports, func(p servicePort) bool { return int(p.Port) == o.port }) {
		return fmt.Errorf("--port %d: Service %s/%s has no such port in any of the clusters", o.port, to.Namespace, to.Name)
	}
	sources, gaps, err := chooseSources(fleet, named, to)
	if err != nil {
		return err
	}
	if !f.Dumped() {
		names := gatewayNames(ctx, f, proxies.Hosts(sources))
		for _, s := range sources {
			s.View.Hosts = names.Addresses
		}
	}
	options := proxies.Options{Service: to, Port: o.port, Istiod: o.source == askIstiod}
	switch {
	case survey.Mute(f):
		options.NotAsked = "the clusters were read from a dump"
	case o.source == askNobody:
		options.NotAsked = "nobody was asked (--source none)"
	default:
		options.Actual = actual(ctx, f, fleet, sources, istio.ServiceRef{Namespace: to.Namespace, Name: to.Name}.Host(), options.Istiod)
	}
	listing := proxies.List(fleet, sources, options)
	listing.Gaps = append(listing.Gaps, gaps...)
	return printListing(f, output, format, listing, options.Istiod)
}

// namedPod is a source that was named.
type namedPod struct{ context, namespace, name string }

// check looks at the flags before anything is asked, and returns the pods in --from-pod.
func (o *listOptions) check() ([]namedPod, error) {
	if !slices.Contains(askable, o.source) {
		return nil, fmt.Errorf("there is no source %q; --source takes one of %s", o.source, strings.Join(askable, ", "))
	}
	if o.port < 0 || o.port > 65535 {
		return nil, fmt.Errorf("--port %d is not a port", o.port)
	}
	var pods []namedPod
	for _, value := range o.fromPods {
		// Names of contexts can have slashes, those of pods cannot.
		parts := strings.Split(value, "/")
		last := len(parts) - 1
		if last < 2 || slices.Contains([]string{parts[0], parts[last-1], parts[last]}, "") {
			return nil, fmt.Errorf("--from-pod %s is not context/namespace/pod", value)
		}
		pods = append(pods, namedPod{strings.Join(parts[:last-1], "/"), parts[last-1], parts[last]})
	}
	return pods, nil
}

// chooseSources are the proxies of the pods that were named, else those that stand for each
// cluster and network.
func chooseSources(fleet *facts.Fleet, named []namedPod, to proxies.Service) ([]proxies.Source, []proxies.Gap, error) {
	views := istio.Views(fleet)
	if len(named) == 0 {
		sources, gaps := proxies.Representatives(fleet, views, to)
		if len(sources) == 0 {
			var why []string
			for _, g := range gaps {
				why = append(why, g.Cluster+": "+g.Reason)
			}
			return nil, nil, fmt.Errorf("there is no proxy whose endpoints could be listed:\n  %s", strings.Join(why, "\n  "))
		}
		return sources, gaps, nil
	}
	var out []proxies.Source
	for _, p := range named {
		s, err := proxies.Find(fleet, views, p.context, p.namespace, p.name)
		if err != nil {
			return nil, nil, err
		}
		out = append(out, s)
	}
	return out, nil, nil
}

// actual finds out what sources have, those of all clusters side by side.
func actual(
	ctx context.Context,
	f *command.Frame,
	fleet *facts.Fleet,
	sources []proxies.Source,
	host string,
	istiod bool,
) map[string]facts.Read[[]envoy.Cluster] {
	out := map[string]facts.Read[[]envoy.Cluster]{}
	by := map[string][]proxies.Source{} // the context of who is asked
	var contexts []string
	for _, s := range sources {
		at := s.Context
		if istiod {
			at = s.View.Context
			if other := proxies.Mistakable(fleet, s); other != "" {
				out[s.String()] = facts.Read[[]envoy.Cluster]{
					State:  facts.Failed,
					Reason: "istiod could take it for " + other + ", whose name ends with the same",
				}
				continue
			}
		}
		if by[at] = append(by[at], s); !slices.Contains(contexts, at) {
			contexts = append(contexts, at)
		}
	}
	answers := survey.Ask(ctx, f, contexts, func(ctx context.Context, c survey.Cluster) (map[string]facts.Read[[]envoy.Cluster], error) {
		if istiod {
			return askIstiods(ctx, c, fleet, by[c.Context], host), nil
		}
		pods := make([]podaccess.Pod, len(by[c.Context]))
		for i, s := range by[c.Context] {
			pods[i] = podaccess.Pod{Namespace: s.Namespace, Name: s.Pod}
		}
		reads := ask.Envoys(ctx, c, pods, []string{host})
		answers := map[string]facts.Read[[]envoy.Cluster]{}
		for i, s := range by[c.Context] {
			answers[s.String()] = reads[i]
		}
		return answers, nil
	})
	for context, answer := range answers {
		for _, s := range by[context] {
			if r, ok := answer.Value[s.String()]; ok {
				out[s.String()] = r
			} else if answer.Err != nil {
				out[s.String()] = facts.Read[[]envoy.Cluster]{State: facts.Failed, Reason: answer.Err.Error()}
			}
		}
	}
	return out
}

// askIstiods asks the control planes of one cluster about the sources that they serve.
func askIstiods(
	ctx context.Context,
	c survey.Cluster,
	fleet *facts.Fleet,
	sources []proxies.Source,
	host string,
) map[string]facts.Read[[]envoy.Cluster] {
	out := map[string]facts.Read[[]envoy.Cluster]{}
	var revisions []string
	for _, s := range sources {
		if !slices.Contains(revisions, s.View.Istiod.Revision) {
			revisions = append(revisions, s.View.Istiod.Revision)
		}
	}
	for _, revision := range revisions {
		var served []proxies.Source
		var asked []ask.Proxy
		for _, s := range sources {
			if s.View.Istiod.Revision == revision {
				served, asked = append(served, s), append(asked, ask.Proxy{Namespace: s.Namespace, Pod: s.Pod})
			}
		}
		var istiods []podaccess.Pod
		for _, p := range proxies.Istiods(fleet, served[0].View) {
			istiods = append(istiods, podaccess.Pod{Namespace: p.Namespace, Name: p.Name})
		}
		for i, r := range ask.IstiodEndpoints(ctx, c, istiods, asked, []string{host}) {
			out[served[i].String()] = r
		}
	}
	return out
}
