// Command bench compares mesh-certs diff with what people run instead of it, side by
// side on real API servers, and measures what far clusters cost and how soon each plugin
// starts. It fails when a limit is broken.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/test/bed"
)

// Limits that hold on any machine, for they are relative.
const (
	mostTime    = 0.45 // of the wall time of two kubectl and a diff: half of that is what starts any program of client-go
	mostOfLeast = 2.0  // of that of a bare program which reads what these kubectl read
	mostMemory  = 0.60 // of the peak memory of one of these kubectl
	mostGrowth  = 0.25 // from two clusters to twenty
	mostTrips   = 5    // round trips of the slowest cluster
)

const rtt = 100 * time.Millisecond

// reference is how long "kubectl version --client" takes on the machine that limits in seconds are of.
const reference = 50 * time.Millisecond

func main() {
	bin := flag.String("binaries", "bin", "the folder of the plugins")
	only := flag.String("run", "",
		"measure only parts whose name this regular expression matches: start, diff, far, networks, dump, endpoints, check, fleets")
	rounds := flag.Int("rounds", 15, "how often each command runs, but for large fleets")
	slack := flag.Float64("slack", 1, "multiply the limits by this, for a machine that is busy with other things")
	flag.Parse()
	b := &table{w: os.Stdout, slack: *slack}
	if err := bench(context.Background(), b, *bin, *only, *rounds); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func bench(ctx context.Context, b *table, bin, only string, rounds int) error {
	wanted, err := regexp.Compile(only)
	if err != nil {
		return err
	}
	kubectl, err := bed.Build(ctx, "kubectl", os.Stderr)
	if err != nil {
		return err
	}
	home, err := os.MkdirTemp("", "kubectl-mesh-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(home)

	if out, err := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", home, "./bench/measure", "./bench/bare").
		CombinedOutput(); err != nil {
		return fmt.Errorf("building what measures: %w\n%s", err, out)
	}
	bare := filepath.Join(home, "bare")
	r := &runner{home: home, measure: filepath.Join(home, "measure"), rounds: rounds}

	if err := r.findPace(ctx, kubectl); err != nil {
		return err
	}
	fmt.Fprintf(b.w, "Medians of %d rounds (%d on large fleets), the commands in turn; %s/%s, %d CPUs.\n"+
		"Limits in seconds are multiplied by %.1f: kubectl starts that much slower than in %s.\n\n",
		rounds, scaleRounds, runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), r.pace, reference)
	b.head()
	plugin := func(name string) string { return filepath.Join(bin, "kubectl-mesh_"+name) }
	for _, part := range []struct {
		names   []string // measured on one fleet
		measure func() error
	}{
		{[]string{"start"}, func() error { return startUp(ctx, b, r, bin, kubectl, bare) }},
		{[]string{"diff", "far"}, func() error {
			return onSmallFleet(ctx, b, func(fleet *bed.Fleet) error {
				if wanted.MatchString("diff") {
					if err := againstKubectl(ctx, b, r, plugin("certs"), kubectl, bare, fleet); err != nil {
						return err
					}
				}
				if wanted.MatchString("far") {
					return farClusters(ctx, b, r, plugin("certs"), fleet)
				}
				return nil
			})
		}},
		{[]string{"networks", "dump"}, func() error {
			return scaleNetworks(ctx, b, r, plugin("network"), plugin("check"), kubectl, wanted.MatchString)
		}},
		{[]string{"endpoints", "check"}, func() error {
			return scaleEndpoints(ctx, b, r, plugin("endpoints"), plugin("check"), kubectl, wanted.MatchString)
		}},
		{[]string{"fleets"}, func() error { return usualFleets(ctx, b, r, plugin("endpoints"), plugin("check")) }},
	} {
		if slices.ContainsFunc(part.names, wanted.MatchString) {
			if err := part.measure(); err != nil {
				return err
			}
		}
	}
	if b.broken > 0 {
		return fmt.Errorf("%d limits are broken", b.broken)
	}
	return nil
}

// onSmallFleet runs what measures on two healthy clusters.
func onSmallFleet(ctx context.Context, b *table, measure func(*bed.Fleet) error) error {
	done := b.prepares("starting two clusters")
	fleet, err := bed.StartScenario(ctx, "healthy", bed.Config{})
	done()
	if err != nil {
		return err
	}
	return errors.Join(measure(fleet), fleet.Stop())
}

// againstKubectl puts mesh-certs diff beside the command that compares two
// Secrets by hand.
func againstKubectl(ctx context.Context, b *table, r *runner, binary, kubectl, bare string, fleet *bed.Fleet) error {
	get := func(cluster string) string {
		return fmt.Sprintf(`%s --context=%s -n istio-system get secret cacerts -o jsonpath='{.data.root-cert\.pem}'`, kubectl, cluster)
	}
	byHand := fmt.Sprintf("diff <(%s) <(%s)", get("east"), get("west"))
	var ours, theirs, theirOne, least []usage
	for i := range r.rounds + 1 {
		for _, c := range []struct {
			out  *[]usage
			args []string
		}{
			{&ours, []string{binary, "diff", "--contexts", "east,west"}},
			{&theirs, []string{"bash", "-c", byHand}},
			{&theirOne, []string{"bash", "-c", "exec " + get("east")}},
			{&least, []string{bare, "east", "west"}},
		} {
			u, err := r.run(ctx, fleet.Kubeconfig(), c.args...)
			if err != nil {
				return err
			}
			if i > 0 { // kubectl fills its caches in the first
				*c.out = append(*c.out, u)
			}
		}
	}
	b.against("mesh-certs diff, wall time, against two kubectl and diff", ours, theirs, wallTime, mostTime)
	b.against("mesh-certs diff, wall time, against a bare program of client-go that reads the two Secrets", ours, least, wallTime, mostOfLeast)
	b.against("that bare program, wall time, against two kubectl and diff", least, theirs, wallTime, math.Inf(1))
	b.against("mesh-certs diff, peak memory, against one of these kubectl", ours, theirOne, peakMemory, mostMemory)
	return nil
}

// farClusters measures the same behind links of a long round-trip time.
func farClusters(ctx context.Context, b *table, r *runner, binary string, fleet *bed.Fleet) error {
	var contexts []bed.Context
	var names []string
	for i := range 20 {
		cluster := fleet.Clusters()[i%2]
		proxy, err := bed.DelayProxy(cluster.URL(), rtt)
		if err != nil {
			return err
		}
		defer proxy.Close()
		names = append(names, fmt.Sprintf("far-%02d", i))
		contexts = append(contexts, bed.Context{Name: names[i], Cluster: cluster.Name(), Server: proxy.URL()})
	}
	kubeconfig := filepath.Join(r.home, "far")
	if err := fleet.WriteKubeconfig(kubeconfig, contexts); err != nil {
		return err
	}
	for _, command := range []string{"diff", "verify"} {
		var two, twenty []usage
		for range r.rounds {
			for n, out := range map[int]*[]usage{2: &two, 20: &twenty} {
				u, err := r.run(ctx, kubeconfig, binary, command, "--contexts", strings.Join(names[:n], ","))
				if err != nil {
					return err
				}
				*out = append(*out, u)
			}
		}
		growth, trips := 1+mostGrowth, float64(mostTrips)
		if command == "verify" {
			// No limit: its 220 requests keep the two servers busy, and they are on this machine.
			growth, trips = math.Inf(1), math.Inf(1)
		}
		b.against(fmt.Sprintf("mesh-certs %s, %s away, 20 clusters against 2", command, rtt), twenty, two, wallTime, growth)
		b.fixed(fmt.Sprintf("mesh-certs %s, %s away, 20 clusters, in round trips", command, rtt), twenty, wallTime, rtt.Seconds(), trips)
	}
	return nil
}

// usage is what a run cost.
type usage struct {
	wall   time.Duration
	memory int64 // peak, bytes
}

// runner runs commands by way of measure, in a home directory of their own.
type runner struct {
	home, measure string
	rounds        int
	// pace is how much slower the machine is than that of the reference, at least 1.
	pace float64
}

func (r *runner) findPace(ctx context.Context, kubectl string) error {
	var runs []usage
	for i := range 8 {
		u, err := r.run(ctx, os.DevNull, kubectl, "version", "--client")
		if err != nil {
			return err
		}
		if i > 0 { // the first reads it from the disk
			runs = append(runs, u)
		}
	}
	r.pace = max(1, middle(runs, wallTime.of)/reference.Seconds())
	return nil
}

func (r *runner) run(ctx context.Context, kubeconfig string, args ...string) (usage, error) {
	cmd := exec.CommandContext(ctx, r.measure, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + r.home, "KUBECONFIG=" + kubeconfig}
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return usage{}, fmt.Errorf("%s: %w\n%s%s", strings.Join(args, " "), err, stdout.String(), stderr.String())
	}
	var u usage
	if _, err := fmt.Sscan(stderr.String(), &u.wall, &u.memory); err != nil {
		return usage{}, fmt.Errorf("what %s says cannot be read: %w", r.measure, err)
	}
	return u, nil
}
