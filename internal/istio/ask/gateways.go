package ask

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/certs"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/probing"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/podaccess"
	"github.com/kubectl-mesh/kubectl-mesh/internal/printable"
	"github.com/kubectl-mesh/kubectl-mesh/internal/probe"
	"github.com/kubectl-mesh/kubectl-mesh/internal/survey"
)

// Gateways tries all gateways of the fleet, and control planes where remote clusters are
// told to find them, from this machine or from pods, and says what came of it. The error is
// about the pods that the user named.
func Gateways(ctx context.Context, by survey.Asker, m *model.Mesh, wish mesh.Probing) (probing.Trials, error) {
	return Targets(ctx, by, m, wish, probing.Targets(m))
}

// Targets tries addresses as Gateways does.
func Targets(ctx context.Context, by survey.Asker, m *model.Mesh, wish mesh.Probing, targets []probing.Target) (probing.Trials, error) {
	vantages, err := vantages(m, wish.FromPods)
	if err != nil {
		return nil, err
	}
	attempts := make([][]facts.Attempt, len(targets))
	if len(vantages) == 0 {
		at, probes := probing.TriedFrom(targets, facts.ThisMachine)
		for k, tried := range probe.ThisMachine(wish.Wait).Try(ctx, probes) {
			attempts[at[k]] = tried
		}
	}
	places, probes := make([][]int, len(vantages)), make([][]facts.Probe, len(vantages))
	for n, v := range vantages {
		places[n], probes[n] = probing.TriedFrom(targets, v)
	}
	for n, tried := range fromVantages(ctx, by, wish.Wait, vantages, probes) {
		for k, at := range places[n] {
			attempts[at] = append(attempts[at], tried[k]...)
		}
	}
	return probing.NewTrials(m, targets, attempts, certs.Roots(m.Fleet), time.Now()), nil
}

// vantages finds the pods that the user named. Contexts can have slashes in their names,
// so that those of the fleet are looked for, the longest first.
func vantages(m *model.Mesh, named []string) ([]facts.Vantage, error) {
	var contexts []string
	for _, c := range m.Fleet.Clusters {
		contexts = append(contexts, c.Context)
	}
	slices.SortFunc(contexts, func(a, b string) int { return len(b) - len(a) })
	var out []facts.Vantage
	for _, text := range named {
		at := slices.IndexFunc(contexts, func(c string) bool {
			rest, ok := strings.CutPrefix(text, c+"/")
			n := strings.Count(rest, "/")
			return ok && (n == 1 || n == 2)
		})
		if at < 0 {
			slices.Sort(contexts)
			return nil, fmt.Errorf(
				"--from-pod %s begins with no context of the fleet (%s), or is not context/namespace/pod or context/namespace/pod/container",
				text,
				strings.Join(contexts, ", "),
			)
		}
		parts := append(strings.Split(text[len(contexts[at])+1:], "/"), "")
		v, err := probing.Vantage(m, contexts[at], parts[0], parts[1], parts[2])
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
func fromVantages(
	ctx context.Context,
	by survey.Asker,
	wait time.Duration,
	vantages []facts.Vantage,
	probes [][]facts.Probe,
) [][][]facts.Attempt {
	var contexts []string
	for _, v := range vantages {
		if !slices.Contains(contexts, v.Context) {
			contexts = append(contexts, v.Context)
		}
	}
	if len(contexts) == 0 {
		return nil
	}
	answers := survey.Ask(ctx, by, contexts, func(ctx context.Context, c survey.Cluster) (map[facts.Vantage][][]facts.Attempt, error) {
		out := map[facts.Vantage][][]facts.Attempt{}
		var mu sync.Mutex
		var all sync.WaitGroup
		for n, v := range vantages {
			if v.Context != c.Context {
				continue
			}
			all.Go(func() {
				run := func(ctx context.Context, command []string) (probe.Output, error) {
					pod := podaccess.Pod{Namespace: v.Namespace, Name: v.Pod, Container: v.Container}
					r, err := podaccess.Exec(ctx, c.Config, pod, command, probe.OutputLimit)
					return probe.Output{Stdout: r.Stdout, Stderr: r.Stderr, Code: r.Code}, err
				}
				got := probe.FromPod(ctx, v, run, wait, probes[n])
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
