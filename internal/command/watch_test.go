package command

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-mesh/kubectl-mesh/internal/apitest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
)

// stream is what a command writes while it goes on.
type stream struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *stream) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *stream) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// await waits until a text is in it.
func (s *stream) await(t *testing.T, text string) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !strings.Contains(s.String(), text); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no %q in\n%s", text, s)
		}
	}
}

var anyTime = regexp.MustCompile(`(?m)^\d\d:\d\d:\d\d `)

// quick is a pace for tests.
var quick = pace{settle: time.Millisecond, busiest: 2 * time.Millisecond, always: time.Hour, unwatched: 2 * time.Millisecond}

// watched are checks that a test makes up, one after another, and what is printed of them.
func watched(t *testing.T, format report.Format, quiet bool, checks ...any) (out, errOut string, code *int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var said, printed stream
	f := &Frame{IOStreams: genericiooptions.IOStreams{Out: &printed, ErrOut: &said}, Plugin: plugin}
	w := &watching{inTime: &inTime{Frame: f}, pace: quick, output: &Output{}, format: format, quiet: quiet, notes: format == report.Wide}
	n := 0
	w.check = func(context.Context) (seen, error) {
		if n++; n > len(checks) {
			cancel()
			return seen{}, context.Canceled
		}
		w.changed() // there is always a next one
		switch c := checks[n-1].(type) {
		case error:
			return seen{}, c
		case seen:
			c.print = func() error {
				_, err := io.WriteString(f.Out, "all of "+c.last+"\n")
				return err
			}
			return c, nil
		}
		return seen{}, errors.New("no check")
	}
	if err := w.follow(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	return anyTime.ReplaceAllString(printed.String(), "TIME "), anyTime.ReplaceAllString(said.String(), "TIME "), f.ended.Load()
}

// It prints all at first, then what is otherwise, and ends with the code of the last check.
func TestWatching(t *testing.T) {
	fleet := &facts.Fleet{Clusters: []facts.Cluster{{Context: "east"}, {Context: "west"}}}
	of := func(last string, err error, findings ...finding.Finding) seen {
		return seen{fleet: fleet, result: finding.Result{Findings: findings}, last: last, err: err}
	}
	pair := finding.Finding{Code: "CERT002", Severity: finding.Error, Clusters: []string{"east", "west"}, Title: "no trust"}
	small := finding.Finding{Code: "NET013", Severity: finding.Note, Clusters: []string{"east"}, Title: "by design"}
	milder := pair
	milder.Severity = finding.Warning
	broken := seen{fleet: fleet, last: "1 rule not checked", result: finding.Result{
		Unknowns: []finding.Unknown{{Cluster: "west", Codes: []finding.Code{"CERT002"}}},
	}}
	checks := []any{
		of("well", nil), of("well", nil), of("one", ExitCode(ExitFindings), pair), of("one", ExitCode(ExitFindings), pair),
		of("milder", nil, milder), of("a note", nil, milder, small), broken, errors.New("no such\x1b context"), of("well", nil),
		of("one", ExitCode(ExitFindings), pair), errors.New("it ends so"),
	}
	for _, c := range []struct {
		format report.Format
		quiet  bool
		want   string
	}{
		{report.Table, false, `all of well
TIME appeared: ERROR CERT002 east, west: no trust
TIME one
TIME changed:  WARNING CERT002 east, west: no trust
TIME milder
TIME a note
TIME unknown:  WARNING CERT002 east, west: no trust
TIME 1 rule not checked
TIME fixed:    WARNING CERT002 east, west: no trust
TIME well
TIME appeared: ERROR CERT002 east, west: no trust
TIME one
`},
		{report.Wide, false, `all of well
TIME appeared: ERROR CERT002 east, west: no trust
TIME one
TIME changed:  WARNING CERT002 east, west: no trust
TIME milder
TIME appeared: NOTE NET013 east: by design
TIME a note
TIME fixed:    NOTE NET013 east: by design
TIME unknown:  WARNING CERT002 east, west: no trust
TIME 1 rule not checked
TIME fixed:    WARNING CERT002 east, west: no trust
TIME well
TIME appeared: ERROR CERT002 east, west: no trust
TIME one
`},
		{report.Table, true, "all of well\nTIME one\nTIME milder\nTIME a note\nTIME 1 rule not checked\nTIME well\nTIME one\n"},
		{report.JSON, false, "all of well\nall of one\nall of milder\nall of a note\nall of 1 rule not checked\nall of well\nall of one\n"},
		{report.YAML, false, "all of well\n---\nall of one\n---\nall of milder\n---\nall of a note\n---\nall of 1 rule not checked\n---\nall of well\n---\nall of one\n"},
	} {
		out, errOut, code := watched(t, c.format, c.quiet, checks...)
		if diff := cmp.Diff(c.want, out); diff != "" {
			t.Errorf("-o %s (-want +got):\n%s", c.format, diff)
		}
		if want := "Watching 2 clusters. Ctrl-C ends it, with the exit code of the last check.\nTIME no such\\x1b context\nTIME it ends so\n"; errOut != want {
			t.Errorf("-o %s: said %q", c.format, errOut)
		}
		if code == nil || *code != ExitFailed {
			t.Errorf("-o %s: exit code %v", c.format, code)
		}
	}
	if _, _, code := watched(t, report.Table, false, of("one", ExitCode(ExitFindings), pair), of("well", nil)); code == nil || *code != ExitOK {
		t.Errorf("it is well at last: exit code %v", code)
	}
	// Nothing of a mesh is there, at first.
	out, errOut, code := watched(t, report.Table, false, of("none", errors.New("there is no Istio")), of("well", nil))
	if out != "all of none\nTIME well\n" || !strings.HasPrefix(errOut, "there is no Istio\nWatching") || code == nil || *code != ExitOK {
		t.Errorf("exit code %v\n%s%s", code, out, errOut)
	}
}

// A first check that fails ends it, as without --watch.
func TestWatchingNothing(t *testing.T) {
	w := &watching{inTime: &inTime{Frame: &Frame{}}, check: func(context.Context) (seen, error) { return seen{}, errors.New("no such context") }}
	if err := w.follow(t.Context()); err == nil || err.Error() != "no such context" || w.ended.Load() != nil {
		t.Errorf("%v, %v", err, w.ended.Load())
	}
}

// It waits for changes to settle, checks no more often than the pause since the last check allows, and is
// not deaf to time.
func TestPauseOfWatching(t *testing.T) {
	w := &watching{pace: pace{settle: 20 * time.Millisecond}, signal: make(chan struct{}, 1)}
	took := func(waiting, poll time.Duration, changed bool) time.Duration {
		if changed {
			w.changed()
			w.changed()
		}
		began := time.Now()
		if err := w.pause(t.Context(), waiting, poll); err != nil {
			t.Error(err)
		}
		return time.Since(began)
	}
	if d := took(time.Millisecond, time.Hour, true); d < 20*time.Millisecond || d > 5*time.Second {
		t.Errorf("after a change: %s", d)
	}
	if d := took(80*time.Millisecond, time.Hour, true); d < 80*time.Millisecond || d > 5*time.Second {
		t.Errorf("soon after a check: %s", d)
	}
	if d := took(time.Millisecond, 50*time.Millisecond, false); d < 50*time.Millisecond || d > 5*time.Second {
		t.Errorf("without a change: %s", d)
	}
	if d := took(60*time.Millisecond, 10*time.Millisecond, false); d < 60*time.Millisecond || d > 5*time.Second {
		t.Errorf("without a change, soon after a check: %s", d)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.pause(ctx, time.Hour, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// verifier is a plugin that verifies what is between the networks.
var verifier = Plugin{
	Name: "mesh-test", Short: "Test", Long: "Test.", Example: "  %[1]s verify", Meshes: plugin.Meshes, Areas: []mesh.Area{mesh.Network},
	Commands: func(f *Frame) []*cobra.Command {
		cmd := &cobra.Command{Use: "verify", Args: cobra.NoArgs}
		f.Verify(cmd, Verification{Areas: []mesh.Area{mesh.Network}})
		return []*cobra.Command{cmd}
	},
}

// watchedFleet are API servers with the objects of a fleet, and a kubeconfig for them.
func watchedFleet(t *testing.T, f *istiotest.Fleet) (config string, servers map[string]*apitest.Watched) {
	t.Helper()
	servers, urls := map[string]*apitest.Watched{}, map[string]string{}
	handlers := map[string]*http.Handler{}
	for _, c := range f.Clusters {
		var handler http.Handler
		handlers[c.Name] = &handler
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
		c.Server, urls[c.Name] = server.URL, server.URL
		t.Cleanup(func() {
			servers[c.Name].Break()
			server.CloseClientConnections()
			server.Close()
		})
	}
	for _, c := range f.Clusters {
		servers[c.Name] = apitest.NewWatched(c.Objects()...)
		*handlers[c.Name] = servers[c.Name]
	}
	return kubeconfig(t, "east", urls), servers
}

// namespace is the system namespace of a cluster, with labels.
func namespace(labels map[string]string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: istiotest.System, Labels: labels, CreationTimestamp: metav1.NewTime(time.Now().Add(-time.Hour)),
	}}
}

// On API servers, what appears is printed, and what is fixed, as a fresh run finds it, and Ctrl-C ends it with the code of
// the last check. Nothing is written.
func TestWatch(t *testing.T) {
	f := istiotest.Networked("east", "west")
	config, servers := watchedFleet(t, f)
	for name, s := range servers {
		s.Before = func(_ http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodGet && !strings.HasSuffix(r.URL.Path, "reviews") {
				t.Errorf("%s: %s %s", name, r.Method, r.URL)
			}
			return false
		}
	}
	fresh := func() (doc report.Report) {
		streams, _, out, _ := genericiooptions.NewTestIOStreams()
		Run(t.Context(), verifier, []string{"kubectl-mesh_test", "verify", "--kubeconfig", config, "--contexts", "east,west", "-o", "json"}, streams)
		if err := json.Unmarshal(out.Bytes(), &doc); err != nil {
			t.Fatal(err)
		}
		return doc
	}
	before := fresh()
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	var out, errOut stream
	done := make(chan int, 1)
	go func() {
		done <- Run(ctx, verifier, []string{"kubectl-mesh_test", "verify", "--kubeconfig", config, "--contexts", "east,west", "--watch", "--fail-on", "warning"},
			genericiooptions.IOStreams{Out: &out, ErrOut: &errOut})
	}()
	errOut.await(t, "Watching 2 clusters.")

	servers["west"].Put(namespace(nil))
	out.await(t, "appeared: ")
	lines := out.String()
	for _, x := range fresh().Findings {
		was := false
		for _, y := range before.Findings {
			was = was || x.ID == y.ID
		}
		if !was && !strings.Contains(lines, "appeared: "+strings.ToUpper(string(x.Severity))+" "+string(x.Code)+" ") {
			t.Errorf("%s is not in\n%s", x.ID, lines)
		}
	}
	servers["west"].Put(namespace(map[string]string{"topology.istio.io/network": "network2"}))
	out.await(t, "fixed: ")
	servers["west"].Put(namespace(nil))
	for end := time.Now().Add(20 * time.Second); strings.Count(out.String(), "appeared: ") < 2 && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond)
	}
	interrupt()
	if code := <-done; code != ExitFindings {
		t.Errorf("exit code %d\n%s\n%s", code, out.String(), errOut.String())
	}
}

// Where nothing may be watched, that is said once, and the fleet is read again all the same.
func TestWatchForbidden(t *testing.T) {
	config, servers := watchedFleet(t, istiotest.Networked("east", "west"))
	servers["west"].Before = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Query().Get("watch") == "true" {
			apitest.Refuse(w, http.StatusForbidden, metav1.StatusReasonForbidden)
			return true
		}
		return false
	}
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	var out, errOut stream
	done := make(chan int, 1)
	was := usualPace
	usualPace = pace{settle: 10 * time.Millisecond, busiest: 20 * time.Millisecond, always: time.Hour, unwatched: 100 * time.Millisecond}
	defer func() { usualPace = was }()
	go func() {
		done <- Run(ctx, verifier, []string{"kubectl-mesh_test", "verify", "--kubeconfig", config, "--contexts", "east,west", "-w"},
			genericiooptions.IOStreams{Out: &out, ErrOut: &errOut})
	}()
	errOut.await(t, "west: the user may not watch ")
	errOut.await(t, "Checking again every 100ms.")
	servers["west"].Put(namespace(nil))
	out.await(t, "appeared: ")
	interrupt()
	<-done
	if n := strings.Count(errOut.String(), "west: the user may not watch "); n > 8 || strings.Contains(errOut.String(), "east:") {
		t.Errorf("said %d times\n%s", n, errOut.String())
	}
}

// Names of what --watch does not go with.
func TestWatchRefused(t *testing.T) {
	for args, want := range map[string]string{
		"--from x":            "--watch watches live clusters; with --from nothing changes",
		"--wait 5m":           "--wait ends when all is well, and --watch goes on",
		"--with x.yaml":       "--watch checks what is, again and again; --with checks once what would be",
		"-o junit":            "-o junit is about one moment; with --watch take -o table, wide, short, json or yaml",
		"-o name":             "-o name is about one moment",
		"-o html=x.html":      "-o html=x.html: with --watch nothing is written into files",
		"-o jsonpath={.kind}": "-o jsonpath={.kind} is about one moment",
	} {
		streams, _, _, errOut := genericiooptions.NewTestIOStreams()
		code := Run(t.Context(), verifier, append([]string{"kubectl-mesh_test", "verify", "--watch"}, strings.Fields(args)...), streams)
		if code != ExitFailed || !strings.Contains(errOut.String(), want) {
			t.Errorf("%s: exit code %d, %s", args, code, errOut)
		}
	}
}
