// Package e2e runs the real binaries against real API servers.
package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
	"github.com/kubectl-mesh/kubectl-mesh/test/bed"
)

// What all tests share: starting it takes longer than most of them.
var (
	fleet           *bed.Fleet
	binary          string // of mesh-certs
	network         string // of mesh-network
	endpointsBinary string // of mesh-endpoints
	checkBinary     string // of mesh-check
)

// racing has the plugins built with the race detector, by which a run with a race ends with 66.
var racing = flag.Bool("racing", false, "build the plugins with the race detector")

func TestMain(m *testing.M) {
	if address := os.Getenv(agentVariable); address != "" {
		os.Exit(agent(address, os.Args[1:]))
	}
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (int, error) {
	flag.Parse()
	dir, err := os.MkdirTemp("", "kubectl-mesh-e2e-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	// As in a release, so that kubectl finds it by its name.
	binary, network = filepath.Join(dir, "bin", "kubectl-mesh_certs"), filepath.Join(dir, "bin", "kubectl-mesh_network")
	endpointsBinary, checkBinary = filepath.Join(dir, "bin", "kubectl-mesh_endpoints"), filepath.Join(dir, "bin", "kubectl-mesh_check")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", filepath.Join(dir, "bin")+"/", "./plugins/...")
	build.Dir, build.Env = "../..", append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	if *racing {
		build.Env = append(build.Env, "CGO_ENABLED=1", "GOFLAGS=-race")
	}
	if out, err := build.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("building the plugins: %w\n%s", err, out)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Minute)
	defer cancel()
	if fleet, err = bed.Start(ctx, bed.Config{Clusters: []string{"east", "north", "west"}}); err != nil {
		return 0, err
	}
	defer fleet.Stop()
	if err := defineKinds(ctx); err != nil {
		return 0, err
	}
	return m.Run(), nil
}

// outcome is what a run of the binary came to.
type outcome struct {
	code           int
	stdout, stderr string
	took           time.Duration
}

// options of a run.
type options struct {
	kubeconfig string // default: the fleet's, as admin
	env        []string
	program    string   // default: the binary
	before     []string // arguments before the others
}

func mesh(t *testing.T, o options, args ...string) outcome {
	t.Helper()
	if o.kubeconfig == "" {
		o.kubeconfig = fleet.Kubeconfig()
	}
	if o.program == "" {
		o.program = binary
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, o.program, append(o.before, args...)...)
	cmd.Dir = t.TempDir()
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + cmd.Dir, "KUBECONFIG=" + o.kubeconfig}, o.env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	start := time.Now()
	err := cmd.Run()
	out := outcome{stdout: stdout.String(), stderr: stderr.String(), took: time.Since(start)}
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		out.code = exit.ExitCode()
	case err != nil:
		t.Fatalf("%s %s: %v", o.program, strings.Join(args, " "), err)
	}
	noSecrets(t, "stdout", out.stdout)
	noSecrets(t, "stderr", out.stderr)
	if strings.Contains(out.stderr, "goroutine ") || strings.Contains(out.stderr, "panic") {
		t.Errorf("%s panicked:\n%s", strings.Join(args, " "), out.stderr)
	}
	return out
}

// document is the machine-readable report of a run.
func document(t *testing.T, out outcome) report.Report {
	t.Helper()
	var doc report.Report
	if err := json.Unmarshal([]byte(out.stdout), &doc); err != nil {
		t.Fatalf("%v: exit code %d\n%s\n%s", err, out.code, out.stdout, out.stderr)
	}
	return doc
}

// summary is what was found, as istiotest.Case.Want has it.
func summary(doc report.Report) []string {
	var r finding.Result
	for _, f := range doc.Findings {
		if !aboutRelease(f.Finding) {
			r.Add(f.Finding)
		}
	}
	return istiotest.Summarize(r)
}

// aboutRelease reports whether a finding is a note about the release that fixtures have, which
// has nothing to do with what is wrong in them.
func aboutRelease(f finding.Finding) bool { return f.Code == "NET040" && f.Severity == finding.Note }

// plant puts a fleet into the API servers, and takes out what was there.
func plant(t *testing.T, f *istiotest.Fleet) {
	t.Helper()
	for _, c := range f.Clusters {
		c.Server = fleet.Cluster(c.Name).URL()
	}
	inEach(t, func(ctx context.Context, cluster *bed.Cluster) error {
		if err := cluster.Reset(ctx); err != nil {
			return err
		}
		for _, c := range f.Clusters {
			if c.Name == cluster.Name() {
				return cluster.Apply(ctx, c.Objects()...)
			}
		}
		return nil
	})
}

// empty takes out of the API servers what was put into them.
func empty(t *testing.T) {
	t.Helper()
	inEach(t, func(ctx context.Context, cluster *bed.Cluster) error { return cluster.Reset(ctx) })
}

// inEach does something in all clusters at once.
func inEach(t *testing.T, do func(context.Context, *bed.Cluster) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	failures := make(chan error, len(fleet.Clusters()))
	for _, cluster := range fleet.Clusters() {
		go func() { failures <- do(ctx, cluster) }()
	}
	for range fleet.Clusters() {
		if err := <-failures; err != nil {
			t.Error(err)
		}
	}
	if t.Failed() {
		t.FailNow()
	}
}

// contextsOf names the clusters of a fleet for --contexts.
func contextsOf(f *istiotest.Fleet) string {
	var names []string
	for _, c := range f.Clusters {
		names = append(names, c.Name)
	}
	return strings.Join(names, ",")
}
