package plugintest

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/mattn/go-runewidth"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-mesh/kubectl-mesh/internal/command"
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/golden"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
)

// mostLines are the rows of three terminals of 24.
const mostLines = 72

// folders have the fleets on which screens are looked at, beside those that are made.
var folders = []string{"../../examples/*", "testdata/fleets/*"}

// Screens runs commands as on terminals of 80 and 120 columns: on fleets of 2, 12 and 50 clusters with
// two faults and the names that EKS gives to contexts, and on those of folders. No line but commands,
// which are pasted, is wider than the terminal; of the fleets that are made no screen is higher
// than three terminals, and each is what was looked at before (golden).
func Screens(t *testing.T, plugin command.Plugin, documents map[string]any, commands ...string) {
	t.Helper()
	t.Setenv("LC_ALL", "C.UTF-8")
	for _, line := range commands {
		Sizes(t, plugin, line, large, anyDay)
		for _, pattern := range folders {
			found, err := filepath.Glob(pattern)
			if err != nil {
				t.Fatal(err)
			}
			for _, folder := range found {
				out := screen(t, context.Background(), plugin, 80, append(strings.Fields(line), "--from", folder)...)
				fits(t, line+" --from "+folder, out, 80)
				if raceDetector || strings.Contains(line, "-o ") {
					continue
				}
				var text bytes.Buffer
				streams := genericiooptions.IOStreams{In: strings.NewReader(""), Out: &text, ErrOut: io.Discard}
				args := append(strings.Fields(line), "--from", folder, "-o", "json")
				command.Run(context.Background(), plugin, append([]string{"kubectl-" + plugin.Name}, args...), streams)
				if text.Len() > 0 { // nothing where the service is not there
					Valid(t, line+" --from "+folder+" -o json", text.Bytes(), documents)
				}
			}
		}
	}
}

// Sizes is Screens for one command, on fleets that a test makes. tidy takes out of a screen what differs
// from one run to the next; without it how a screen looks is not held.
func Sizes(t *testing.T, plugin command.Plugin, line string, made func(size int) *facts.Fleet, tidy func(string) string) {
	t.Helper()
	t.Setenv("LC_ALL", "C.UTF-8")
	for _, size := range []int{2, 12, 50} {
		if size > 12 && raceDetector { // fifty clusters take seconds, and are one goroutine
			continue
		}
		fleet := made(size)
		for _, columns := range []int{80, 120} {
			name := fmt.Sprintf("screens/%s-%d-%d.txt", cmp.Or(strings.Join(strings.Fields(line), "_"), "check"), size, columns)
			ctx := command.WithFacts(context.Background(), fleet)
			out := screen(t, ctx, plugin, columns, append(strings.Fields(line), "--from", "fleet", "--color", "never")...)
			fits(t, name, out, columns)
			if n := strings.Count(out, "\n"); n > mostLines {
				t.Errorf("%s: %d lines, more than %d", name, n, mostLines)
			}
			if tidy != nil {
				golden.Compare(t, name, tidy(out))
			}
		}
	}
}

// screen is what a command prints on a terminal, and what it says beside that.
func screen(t *testing.T, ctx context.Context, plugin command.Plugin, columns int, args ...string) string {
	t.Helper()
	var out, errOut bytes.Buffer
	streams := genericiooptions.IOStreams{In: strings.NewReader(""), Out: &command.Screen{Writer: &out, Columns: columns}, ErrOut: &errOut}
	command.Run(ctx, plugin, append([]string{"kubectl-" + plugin.Name}, args...), streams)
	return out.String() + errOut.String()
}

// pasted are lines that may be wider than a terminal: commands, and addresses on the web.
var pasted = regexp.MustCompile(`^ +(?:fix +|more +)?(?:kubectl|printf|istioctl|linkerd|helm|openssl|step|time|aws|gcloud|for) |://`)

// said are lines for the error stream, which are not wrapped: a terminal does that.
var said = regexp.MustCompile(`^(?:Read from|error:|not listed:|no source in|\S+ is \S+$|What its istiod)`)

// fits holds that no line is wider than the terminal.
func fits(t *testing.T, name, out string, columns int) {
	t.Helper()
	for line := range strings.Lines(out) {
		line = strings.TrimSuffix(line, "\n")
		if n := runewidth.StringWidth(line); n > columns && !pasted.MatchString(line) && !said.MatchString(line) {
			t.Errorf("%s: %d columns of %d: %s", name, n, columns, line)
		}
	}
}

var (
	dated   = regexp.MustCompile(`20\d\d-\d\d-\d\d`)
	clocked = regexp.MustCompile(`T\d\d:\d\d:\d\dZ`)
	sums    = regexp.MustCompile(`\b[0-9a-f]{12}\b`)
)

// anyDay is text without what differs from one run to the next, as wide as before.
func anyDay(text string) string {
	text = dated.ReplaceAllString(text, "2026-01-02")
	text = clocked.ReplaceAllString(text, "T03:04:05Z")
	return sums.ReplaceAllStringFunc(text, func(s string) string {
		if s == account {
			return s
		}
		return "0123456789ab"
	})
}

var (
	largeOnce sync.Mutex
	largeOnes = map[int]*facts.Fleet{}
)

// account is the number of an account, which looks like the beginning of a sum.
const account = "111122223333"

// Names are those that "aws eks update-kubeconfig" gives to so many contexts.
func Names(size int) []string {
	names := make([]string, size)
	for i := range names {
		names[i] = fmt.Sprintf("arn:aws:eks:eu-west-1:%s:cluster/prod-%02d", account, i+1)
	}
	return names
}

// large is a fleet of so many clusters with the names of EKS. The gateway of the second cluster is
// pending, and the first one lacks the remote secret for the last.
func large(size int) *facts.Fleet {
	largeOnce.Lock()
	defer largeOnce.Unlock()
	if f := largeOnes[size]; f != nil {
		return f
	}
	f := istiotest.Serving(istiotest.Installed(Names(size)...))
	f.Clusters[1].Network.Gateway.Status.LoadBalancer.Ingress = nil
	first := f.Clusters[0]
	first.Remotes = first.Remotes[:len(first.Remotes)-1]
	largeOnes[size] = f.Facts()
	return largeOnes[size]
}

// Helped holds that the help of each command fits a terminal of 80 columns and 24 rows.
func Helped(t *testing.T, plugin command.Plugin, commands ...string) {
	t.Helper()
	all := []string{
		"", "dump", "explain", "version", "options",
		"completion", "completion bash", "completion zsh", "completion fish", "completion powershell",
	}
	for _, line := range append(all, commands...) {
		var out bytes.Buffer
		streams := genericiooptions.IOStreams{In: strings.NewReader(""), Out: &out, ErrOut: &out}
		args := append(strings.Fields(line), "--help")
		command.Run(
			context.Background(),
			plugin,
			append([]string{"/usr/bin/kubectl-" + strings.ReplaceAll(plugin.Name, "-", "_")}, args...),
			streams,
		)
		if n := strings.Count(out.String(), "\n"); n > 24 {
			t.Errorf("%s --help: %d lines\n%s", line, n, out.String())
		}
		for l := range strings.Lines(out.String()) {
			if n := runewidth.StringWidth(strings.TrimSuffix(l, "\n")); n > 78 {
				t.Errorf("%s --help: %d columns: %s", line, n, l)
			}
		}
	}
}
