package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-mesh/kubectl-mesh/internal/command"
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/certs"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/network"
	"github.com/kubectl-mesh/kubectl-mesh/internal/podaccess"
	"github.com/kubectl-mesh/kubectl-mesh/internal/printable"
	"github.com/kubectl-mesh/kubectl-mesh/internal/probe"
	"github.com/kubectl-mesh/kubectl-mesh/internal/survey"
)

// defaultWait is how long a name, a connection or TLS may take.
const defaultWait = 5 * time.Second

// probing are the flags that say how gateways are tried.
type probing struct {
	fromPods []string
	wait     time.Duration
}

func addProbing(cmd *cobra.Command) *probing {
	p := &probing{}
	cmd.Flags().StringArrayVar(&p.fromPods, "from-pod", nil, "Try from this pod instead of from this machine, by commands that it has: context/namespace/pod[/container]; can be given several times")
	cmd.Flags().DurationVar(&p.wait, "connect-timeout", defaultWait, "How long to wait for a name, for a connection, and for TLS")
	if err := cmd.RegisterFlagCompletionFunc("from-pod", cobra.NoFileCompletions); err != nil {
		panic(err)
	}
	return p
}

// check looks at the flags before anything is asked.
func (p *probing) check(f *command.Frame) error {
	if p.wait <= 0 {
		return fmt.Errorf("--connect-timeout %s is no time: give a duration such as 5s", p.wait)
	}
	if f.From != "" && len(p.fromPods) > 0 {
		return errors.New("--from-pod needs live clusters; leave out --from")
	}
	for _, text := range p.fromPods {
		if n := strings.Count(text, "/"); n < 2 || strings.Contains("/"+text+"/", "//") {
			return fmt.Errorf("--from-pod %s is not context/namespace/pod or context/namespace/pod/container", text)
		}
	}
	return nil
}

// resolveHostnames asks this machine's name servers for the host names that
// gateways have, if there are any.
func resolveHostnames(ctx context.Context, f *command.Frame, fleet *facts.Fleet, wait time.Duration, options *network.Options) {
	hosts := network.Hostnames(fleet)
	if len(hosts) == 0 {
		return
	}
	names := probe.ThisMachine(wait).Resolve(ctx, hosts)
	options.Hosts, options.HostFailures = names.Addresses, names.Failed
	fmt.Fprintf(f.ErrOut, "Resolved from this machine, and not where istiod runs: %s.\n", printable.Line(strings.Join(hosts, ", ")))
}

// try tries all gateways of the fleet, and control planes where remote clusters are
// told to find them, and judges what came of it; the error is about the flags.
func (p *probing) try(ctx context.Context, f *command.Frame, fleet *facts.Fleet) ([]network.Trial, error) {
	vantages, err := p.vantages(fleet)
	if err != nil {
		return nil, err
	}
	targets := network.Targets(fleet, network.Options{})
	attempts := make([][]facts.Attempt, len(targets))
	if len(vantages) == 0 {
		at, probes := network.TriedFrom(targets, facts.ThisMachine)
		for k, tried := range probe.ThisMachine(p.wait).Try(ctx, probes) {
			attempts[at[k]] = tried
		}
	}
	places, probes := make([][]int, len(vantages)), make([][]facts.Probe, len(vantages))
	for n, v := range vantages {
		places[n], probes[n] = network.TriedFrom(targets, v)
	}
	for n, tried := range p.fromVantages(ctx, f, vantages, probes) {
		for k, at := range places[n] {
			attempts[at] = append(attempts[at], tried[k]...)
		}
	}
	return network.Trials(fleet, targets, attempts, certs.Roots(fleet), time.Now()), nil
}

// vantages finds the pods that the flags name. Contexts can have slashes in their
// names, so that those of the fleet are looked for, the longest first.
func (p *probing) vantages(fleet *facts.Fleet) ([]facts.Vantage, error) {
	var contexts []string
	for _, c := range fleet.Clusters {
		contexts = append(contexts, c.Context)
	}
	slices.SortFunc(contexts, func(a, b string) int { return len(b) - len(a) })
	var out []facts.Vantage
	for _, text := range p.fromPods {
		at := slices.IndexFunc(contexts, func(c string) bool {
			rest, ok := strings.CutPrefix(text, c+"/")
			n := strings.Count(rest, "/")
			return ok && (n == 1 || n == 2)
		})
		if at < 0 {
			slices.Sort(contexts)
			return nil, fmt.Errorf("--from-pod %s begins with no context of the fleet (%s), or is not context/namespace/pod or context/namespace/pod/container", text, strings.Join(contexts, ", "))
		}
		parts := append(strings.Split(text[len(contexts[at])+1:], "/"), "")
		v, err := network.Vantage(fleet, contexts[at], parts[0], parts[1], parts[2])
		if err != nil {
			return nil, fmt.Errorf("--from-pod %s: %w", text, err)
		}
		if !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out, nil
}

// fromVantages tries addresses from pods, those of all clusters side by side; probes
// are those of each vantage.
func (p *probing) fromVantages(ctx context.Context, f *command.Frame, vantages []facts.Vantage, probes [][]facts.Probe) [][][]facts.Attempt {
	var contexts []string
	for _, v := range vantages {
		if !slices.Contains(contexts, v.Context) {
			contexts = append(contexts, v.Context)
		}
	}
	if len(contexts) == 0 {
		return nil
	}
	answers := survey.Ask(ctx, f, contexts, func(ctx context.Context, c survey.Cluster) (map[facts.Vantage][][]facts.Attempt, error) {
		out := map[facts.Vantage][][]facts.Attempt{}
		var mu sync.Mutex
		var all sync.WaitGroup
		for n, v := range vantages {
			if v.Context != c.Context {
				continue
			}
			all.Go(func() {
				run := func(ctx context.Context, command []string) (probe.Output, error) {
					r, err := podaccess.Exec(ctx, c.Config, podaccess.Pod{Namespace: v.Namespace, Name: v.Pod, Container: v.Container}, command, probe.OutputLimit)
					return probe.Output{Stdout: r.Stdout, Stderr: r.Stderr, Code: r.Code}, err
				}
				got := probe.FromPod(ctx, v, run, p.wait, probes[n])
				mu.Lock()
				defer mu.Unlock()
				out[v] = got
			})
		}
		all.Wait()
		return out, nil
	})
	out := make([][][]facts.Attempt, len(vantages))
	for i, v := range vantages {
		if out[i] = answers[v.Context].Value[v]; out[i] == nil {
			why := "the cluster could not be asked"
			if err := answers[v.Context].Err; err != nil {
				why = printable.Line(err.Error())
			}
			for _, probe := range probes[i] {
				out[i] = append(out[i], []facts.Attempt{{Probe: probe, From: v, Outcome: facts.NotTried, Detail: why}})
			}
		}
	}
	return out
}
