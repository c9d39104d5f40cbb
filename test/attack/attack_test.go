package attack

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/plugintest"
)

var (
	all      = flag.Bool("all", false, "attack with everything, and not with a part")
	binaries = flag.String("binaries", os.Getenv("KUBECTL_MESH_BINARIES"), "the folder of the plugins; they are built if it is not given")
)

// The plugins.
const (
	certs     = "kubectl-mesh_certs"
	network   = "kubectl-mesh_network"
	endpoints = "kubectl-mesh_endpoints"
	check     = "kubectl-mesh_check"
)

var plugins = []string{check, certs, network, endpoints}

func TestMain(m *testing.M) {
	if most, err := time.ParseDuration(os.Getenv(runs)); err == nil {
		os.Exit(measured(most))
	}
	flag.Parse()
	os.Exit(plugintest.WithBinaries(binaries, func() int { return run(m) }))
}

func run(m *testing.M) int {
	code := m.Run()
	if *all {
		tries.print()
	}
	return code
}

// tries counts what was tried, by area.
var tries = counter{by: map[string]*figures{}}

type figures struct {
	tries   int
	longest time.Duration
	largest int64 // bytes
}

type counter struct {
	mu sync.Mutex
	by map[string]*figures
}

func (c *counter) add(area string, o outcome) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.by[area]
	if f == nil {
		f = &figures{}
		c.by[area] = f
	}
	f.tries++
	f.longest, f.largest = max(f.longest, o.took), max(f.largest, o.memory)
}

// print writes the rows of docs/security-tests.md.
func (c *counter) print() {
	total := 0
	for _, area := range slices.Sorted(maps.Keys(c.by)) {
		f := c.by[area]
		total += f.tries
		fmt.Printf("| %s | %d | %.1f s | %d MB |\n", area, f.tries, f.longest.Seconds(), f.largest>>20)
	}
	fmt.Printf("| all | %d | | |\n", total)
}

// outcome is how a run of a plugin ended.
type outcome struct {
	code           int
	stdout, stderr string
	took           time.Duration
	memory         int64 // the most, in bytes
}

// try is one run of a plugin.
type try struct {
	area       string // where it is counted
	plugin     string
	args       []string
	env        []string
	dir        string
	stdin      string
	most       time.Duration // how long it may take; 20 s if it is not given
	mostMemory int64         // 300 MB if it is not given
	codes      []int         // how it may end; 0, 1 or 2 if it is not given
	never      []string      // what may not come out, besides what never may
}

// secret is in the token, password and key of everything that is served or given.
const secret = "PLANTED-SECRET-7c1d" // #nosec G101 -- it opens nothing

// crash is what a program of Go writes when it crashes, or of a panic that was caught.
var crash = regexp.MustCompile(`(?m)^(panic|fatal error): |^goroutine \d+ \[|internal error`)

// acts is what would act on a terminal: controls, and what changes the direction of text.
var acts = regexp.MustCompile(`[\x00-\x08\x0b-\x1f\x7f\x{80}-\x{9f}\x{200e}\x{200f}\x{202a}-\x{202e}\x{2066}-\x{2069}]`)

// do runs a try and holds it to what every try has to do.
func (a try) do(t *testing.T) outcome {
	t.Helper()
	if a.most == 0 {
		a.most = 20 * time.Second
	}
	if a.mostMemory == 0 {
		a.mostMemory = 300 << 20
	}
	if a.codes == nil {
		a.codes = []int{0, 1, 2}
	}
	most := a.most + 10*time.Second
	ctx, cancel := context.WithTimeout(t.Context(), most+10*time.Second)
	defer cancel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, self, append([]string{filepath.Join(*binaries, a.plugin)}, a.args...)...)
	cmd.Dir = a.dir
	if cmd.Dir == "" {
		cmd.Dir = t.TempDir()
	}
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + cmd.Dir, "KUBECONFIG=" + filepath.Join(cmd.Dir, "none")}, a.env...)
	cmd.Env = append(cmd.Env, runs+"="+most.String())
	cmd.Stdin = strings.NewReader(a.stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	begin := time.Now()
	err = cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s %q: %v", a.plugin, a.args, err)
	}
	out := outcome{code: cmd.ProcessState.ExitCode(), stdout: stdout.String(), took: time.Since(begin)}
	out.stderr, out.memory = cutPeak(t, stderr.String())
	tries.add(a.area, out)
	a.hold(t, out)
	return out
}

// hold says what a run did that none may do.
func (a try) hold(t *testing.T, out outcome) {
	t.Helper()
	fail := func(format string, args ...any) {
		t.Helper()
		t.Errorf("%s %q: %s\n%s\n%s", a.plugin, a.args, fmt.Sprintf(format, args...), short(out.stdout), short(out.stderr))
	}
	both := out.stdout + out.stderr
	if !slices.Contains(a.codes, out.code) {
		fail("it ended with %d", out.code)
	}
	if found := crash.FindString(both); found != "" {
		fail("it crashed: %q", found)
	}
	if found := acts.FindString(both); found != "" {
		fail("it wrote %q", found)
	}
	for _, never := range append([]string{secret}, a.never...) {
		if strings.Contains(both, never) {
			fail("it let out %q", never)
		}
	}
	if out.took > a.most {
		fail("it took %s, more than %s", out.took, a.most)
	}
	if out.memory > a.mostMemory {
		fail("it took %d MB", out.memory>>20)
	}
}

func short(text string) string {
	const most = 2000
	if len(text) > most {
		return text[:most] + "…"
	}
	return text
}

// document is what is read of a report in JSON.
type document struct {
	Clusters []struct {
		Context string `json:"context"`
		Reached bool   `json:"reached"`
	} `json:"clusters"`
	Findings []struct {
		Code     string   `json:"code"`
		Clusters []string `json:"clusters"`
	} `json:"findings"`
	Unknowns []struct {
		Cluster string   `json:"cluster"`
		Codes   []string `json:"codes"`
		Reason  struct {
			Text string `json:"text"`
		} `json:"reason"`
	} `json:"unknowns"`
}

func (o outcome) document(t *testing.T) document {
	t.Helper()
	var out document
	if err := json.Unmarshal([]byte(o.stdout), &out); err != nil {
		t.Fatalf("it is no JSON: %v\n%s\n%s", err, short(o.stdout), short(o.stderr))
	}
	return out
}

// part leaves of many tries one in n, unless all are wanted.
func part[T any](tries []T, n int) []T {
	if *all {
		return tries
	}
	var out []T
	for i := 0; i < len(tries); i += n {
		out = append(out, tries[i])
	}
	return out
}
