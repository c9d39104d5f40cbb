package command

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/kubectl-mesh/kubectl-mesh/internal/dump"
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/certs"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiomesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rules"
)

// TestMain keeps the developer's own kubeconfig, kuberc and colours out of the tests.
func TestMain(m *testing.M) {
	_ = os.Setenv("KUBECONFIG", filepath.Join(os.TempDir(), "there-is-no-such-kubeconfig"))
	_ = os.Setenv("KUBERC", "off")
	_ = os.Unsetenv("NO_COLOR")
	os.Exit(m.Run())
}

const (
	healthy = "../../examples/healthy"
	broken  = "../../examples/broken"
)

// plugin is the smallest one that has all that the frame offers.
var plugin = Plugin{
	Meshes: rules.Meshes(),
	Name:   "mesh-test", Short: "Test the frame", Long: "Test the frame of all plugins.", Example: "  %[1]s judge --contexts east,west",
	Commands: func(f *Frame) []*cobra.Command { return []*cobra.Command{newJudge(f), newHang(f), newCrash()} },
}

// newJudge prints the names of what is wrong.
func newJudge(f *Frame) *cobra.Command {
	cmd := &cobra.Command{Use: "judge", Short: "Judge", Example: "  %[1]s judge", Args: cobra.NoArgs}
	output, failOn := f.AddOutput(cmd), f.AddFailOn(cmd)
	f.AddWith(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if _, err := output.Format(); err != nil {
			return err
		}
		if err := failOn.Check(); err != nil {
			return err
		}
		fleet, err := f.Gather(cmd.Context(), resources.Trust)
		if err != nil {
			return err
		}
		known := model.New(fleet, model.Options{Given: []any{certs.Options{}}})
		result := istiomesh.Judge(known, rule.Options{}, mesh.Certs)
		result.Sort()
		report.Names(f.Out, result)
		if err := Unreachable(fleet); err != nil {
			return err
		}
		return failOn.Exit(result)
	}
	return cmd
}

// hanging is what newHang waits for, whatever becomes of its context.
var hanging chan struct{}

func newHang(*Frame) *cobra.Command {
	return &cobra.Command{Use: "hang", RunE: func(*cobra.Command, []string) error {
		<-hanging
		return nil
	}}
}

func newCrash() *cobra.Command {
	return &cobra.Command{Use: "crash", RunE: func(*cobra.Command, []string) error { panic("a\x1b[31mfault") }}
}

// A fault of ours is an error that can be reported, and no trace.
func TestAFaultIsAnError(t *testing.T) {
	stdout, stderr, code := run(t, "crash")
	if code != ExitFailed || stdout != "" || !strings.HasPrefix(stderr, "error: internal error: a") || strings.Contains(stderr, "goroutine") || strings.Contains(stderr, "\x1b") {
		t.Errorf("%d %q %q", code, stdout, stderr)
	}
}

// run runs the plugin as kubectl does: by the whole path of its file.
func run(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	return runAs(t, "/usr/local/bin/kubectl-mesh_test", args...)
}

func runAs(t *testing.T, program string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	streams, _, out, errOut := genericiooptions.NewTestIOStreams()
	code = Run(t.Context(), plugin, append([]string{program}, args...), streams)
	return out.String(), errOut.String(), code
}

// kubeconfig is a file with contexts at servers.
func kubeconfig(t *testing.T, current string, servers map[string]string) string {
	t.Helper()
	config := clientcmdapi.NewConfig()
	config.CurrentContext = current
	for name, server := range servers {
		config.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name}
		config.Clusters[name] = &clientcmdapi.Cluster{Server: server}
		config.AuthInfos[name] = &clientcmdapi.AuthInfo{Token: "t"}
	}
	file := filepath.Join(t.TempDir(), "config")
	if err := clientcmd.WriteToFile(*config, file); err != nil {
		t.Fatal(err)
	}
	return file
}

// unreachedDump is a dump of a fleet of which no cluster answered.
func unreachedDump(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "fleet")
	err := dump.Write(dir, &facts.Fleet{At: time.Now(), Clusters: []facts.Cluster{
		{Context: "east", SystemNamespace: "istio-system", Unreached: &facts.Unreached{Kind: facts.TimedOut, Reason: "no answer"}},
	}}, resources.All)
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestExitCodes(t *testing.T) {
	unreached := unreachedDump(t)
	for name, c := range map[string]struct {
		args   []string
		code   int
		stdout string
	}{
		"nothing found":                         {[]string{"judge", "--from", healthy}, ExitOK, ""},
		"something found":                       {[]string{"judge", "--from", broken}, ExitFindings, "CERT010/north/certificate/9a3ac99a8da2\nCERT002/east,north,west\n"},
		"nothing as bad as wanted":              {[]string{"judge", "--from", broken, "--contexts", "east", "--fail-on", "note"}, ExitOK, ""},
		"something worse than wanted":           {[]string{"judge", "--from", broken, "--fail-on", "note"}, ExitFindings, "CERT010/north/certificate/9a3ac99a8da2\nCERT002/east,north,west\n"},
		"found, and told not to mind":           {[]string{"judge", "--from", broken, "--fail-on", "never"}, ExitOK, "CERT010/north/certificate/9a3ac99a8da2\nCERT002/east,north,west\n"},
		"no cluster was reached":                {[]string{"judge", "--from", unreached}, ExitFailed, ""},
		"no cluster was reached, never minding": {[]string{"judge", "--from", unreached, "--fail-on", "never"}, ExitFailed, ""},
		"there are no facts":                    {[]string{"judge", "--from", "nowhere"}, ExitFailed, ""},
		"no such flag":                          {[]string{"judge", "--nope"}, ExitFailed, ""},
		"no such command":                       {[]string{"nope"}, ExitFailed, ""},
		"help":                                  {[]string{"--help"}, ExitOK, "Test the frame of all plugins."},
		"no command is help":                    {nil, ExitOK, "Test the frame of all plugins."},
	} {
		t.Run(name, func(t *testing.T) {
			stdout, stderr, code := run(t, c.args...)
			if code != c.code || !strings.HasPrefix(stdout, c.stdout) || (c.stdout == "") != (stdout == "") {
				t.Errorf("exit code %d, want %d\n%s%s", code, c.code, stdout, stderr)
			}
			if code == ExitFailed && stdout != "" {
				t.Errorf("results beside an error: %s", stdout)
			}
			// "error:" is for what ends a run, not for what a run finds.
			if said := strings.Contains(stderr, "error: "); said != (code == ExitFailed && name != "no cluster was reached" && name != "no cluster was reached, never minding") {
				t.Errorf("exit code %d, and stderr\n%s", code, stderr)
			}
		})
	}
}

// What went wrong is one sentence on stderr, which says how to go on.
func TestErrorsEndWithAHint(t *testing.T) {
	file := kubeconfig(t, "", map[string]string{"east": "https://127.0.0.1:1", "west": "https://127.0.0.1:1"})
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"an unknown command": {[]string{"frobnicate"}, "error: unknown command \"frobnicate\" for \"kubectl mesh-test\"\nSee 'kubectl mesh-test --help'\n"},
		"a command misspelt": {[]string{"jugde"}, "error: unknown command \"jugde\" for \"kubectl mesh-test\"; did you mean judge?\nSee 'kubectl mesh-test --help'\n"},
		"a command cut off":  {[]string{"ver"}, "error: unknown command \"ver\" for \"kubectl mesh-test\"; did you mean version?\nSee 'kubectl mesh-test --help'\n"},
		"arguments where there are none": {
			[]string{"judge", "east"}, "error: unknown command \"east\" for \"kubectl mesh-test judge\"\nSee 'kubectl mesh-test judge --help'\n",
		},
		"too few arguments": {[]string{"dump"}, "error: dump wants one argument: the folder or the archive to write\nSee 'kubectl mesh-test dump --help'\n"},
		"an unknown flag":   {[]string{"judge", "--nope"}, "error: unknown flag: --nope\nSee 'kubectl mesh-test judge --help'\n"},
		"a flag without value": {
			[]string{"judge", "-o"}, "error: flag needs an argument: 'o' in -o\nSee 'kubectl mesh-test judge --help'\n",
		},
		"a flag with a value that is none": {
			[]string{"judge", "--timeout", "soon"},
			"error: invalid argument \"soon\" for \"--timeout\" flag: \"soon\" is not a time: give one such as 30s or 2m\nSee 'kubectl mesh-test judge --help'\n",
		},
		"an unknown format":     {[]string{"judge", "-o", "xml"}, "error: there is no output format \"xml\"; -o takes one of table, wide, json, yaml, name, jsonpath=…, go-template=…, custom-columns=…\n"},
		"an unknown severity":   {[]string{"judge", "--fail-on", "fatal"}, "error: there is no severity \"fatal\"; --fail-on takes one of error, warning, note, never\n"},
		"an unknown color mode": {[]string{"judge", "--color", "blue"}, "error: there is no color mode \"blue\"; --color takes one of auto, always, never\n"},
		"no such folder":        {[]string{"judge", "--from", "nowhere"}, "error: --from nowhere: there is no such file or folder; \"kubectl mesh-test dump\" writes what is wanted\n"},
		"a file of no objects":  {[]string{"judge", "--from", "run.go"}, "error: --from run.go: run.go: it is not YAML or JSON\n"},
		"a context misspelt": {
			[]string{"judge", "--kubeconfig", file, "--contexts", "eas"}, "error: context \"eas\" does not exist: did you mean \"east\"?\n",
		},
		"a context misspelt, of a dump": {
			[]string{"judge", "--from", healthy, "--contexts", "wets"}, "error: --from " + healthy + ": context \"wets\" does not exist: did you mean \"west\"?\n",
		},
		"no current context": {
			[]string{"judge", "--kubeconfig", file},
			"error: the kubeconfig has no current context: give --contexts, or choose one with kubectl config use-context\n",
		},
		"flags that exclude each other": {
			[]string{"judge", "--contexts", "east", "--all-contexts"}, "error: --contexts and --all-contexts exclude each other: give one of them\n",
		},
		"an unknown code": {[]string{"explain", "XYZ001"}, "error: there is no finding code \"XYZ001\"; \"explain\" without a code lists all of them\n"},
	} {
		t.Run(name, func(t *testing.T) {
			stdout, stderr, code := run(t, c.args...)
			if diff := cmp.Diff(c.want, stderr); diff != "" {
				t.Errorf("stderr (-want +got):\n%s", diff)
			}
			if code != ExitFailed || stdout != "" {
				t.Errorf("exit code %d, and on stdout %q", code, stdout)
			}
		})
	}
}

// What comes out of a file or a command line cannot act on the terminal.
func TestErrorsArePrintable(t *testing.T) {
	_, stderr, _ := run(t, "explain", "\x1b[31mred\u202e")
	if strings.ContainsAny(stderr, "\x1b\u202e") {
		t.Errorf("%q", stderr)
	}
}

func TestDisplayName(t *testing.T) {
	for program, want := range map[string]string{
		"/usr/local/bin/kubectl-mesh_test":          "kubectl mesh-test", // as kubectl runs it
		"kubectl-mesh_test":                         "kubectl-mesh_test",
		"./kubectl-mesh_test":                       "kubectl-mesh_test",
		"bin/kubectl-mesh_test":                     "kubectl-mesh_test",
		"/opt/mesh-test":                            "mesh-test",
		"kubectl-mesh_test.exe":                     "kubectl-mesh_test",
		"/usr/local/bin/kubectl_complete-mesh_test": "kubectl_complete-mesh_test",
	} {
		if got := displayName(program, plugin.Name); got != want {
			t.Errorf("%s: %s, want %s", program, got, want)
		}
	}
	for program, want := range map[string]string{
		"/usr/local/bin/kubectl-mesh_test": "  kubectl mesh-test judge --contexts east,west\n", "./kubectl-mesh_test": "  kubectl-mesh_test judge --contexts east,west\n",
	} {
		stdout, _, _ := runAs(t, program, "--help")
		if !strings.Contains(stdout, want) || strings.Contains(stdout, "%[1]s") {
			t.Errorf("the help of %s has no example %q:\n%s", program, want, stdout)
		}
	}
}

// A command that hangs is left behind: whoever interrupts a run does not want to wait.
func TestInterrupt(t *testing.T) {
	hanging = make(chan struct{})
	defer close(hanging)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	streams, _, out, errOut := genericiooptions.NewTestIOStreams()
	ended := make(chan int, 1)
	go func() { ended <- Run(ctx, plugin, []string{"kubectl-mesh_test", "hang"}, streams) }()
	select {
	case code := <-ended:
		if code != 130 || out.String() != "" || errOut.String() != "" {
			t.Errorf("exit code %d, %q, %q", code, out, errOut)
		}
	case <-time.After(4 * time.Second):
		t.Fatal("Run waits for the command that hangs")
	}
}

// An interrupt during a run is one, also where the command then ends with an error.
func TestInterruptBeforeItBegins(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	streams, _, _, _ := genericiooptions.NewTestIOStreams()
	if code := Run(ctx, plugin, []string{"kubectl-mesh_test", "judge", "--from", "nowhere"}, streams); code != 130 {
		t.Errorf("exit code %d", code)
	}
}

func TestExplain(t *testing.T) {
	all, _, code := run(t, "explain")
	if code != ExitOK || !strings.HasPrefix(all, "CODE") || !strings.Contains(all, "\nCERT002  Clusters do not trust one another's certificates\n") {
		t.Errorf("exit code %d:\n%s", code, all)
	}
	names, _, _ := run(t, "explain", "-o", "name")
	if strings.Count(names, "\n") != strings.Count(all, "\n")-1 || !strings.Contains(names, "\nCERT002\n") {
		t.Errorf("%d lines of a table, and these names:\n%s", strings.Count(all, "\n"), names)
	}
	if bare, _, _ := run(t, "explain", "--no-headers"); !strings.HasSuffix(all, "\n"+bare) || strings.HasPrefix(bare, "CODE") {
		t.Errorf("without headers:\n%s", bare)
	}

	page, _, _ := run(t, "explain", "CERT002")
	if !strings.HasPrefix(page, "# CERT002: Clusters do not trust one another's certificates\n") {
		t.Errorf("a page that begins with %q", page[:min(60, len(page))])
	}
	for _, written := range []string{"cert002", "CERT-02", "cert2", "Cert_002"} {
		if got, _, _ := run(t, "explain", written); got != page {
			t.Errorf("%s is explained as\n%s", written, got)
		}
	}
	if doc, _, _ := run(t, "explain", "CERT002", "-o", "json"); !strings.Contains(doc, `"kind": "Explanation"`) || strings.Count(doc, `"code":`) != 1 {
		t.Errorf("as a document:\n%s", doc)
	}

	area, _, _ := run(t, "explain", "gw")
	if !strings.Contains(area, "\nGW002 ") || strings.Contains(area, "\nCERT") || !strings.HasPrefix(area, "CODE") {
		t.Errorf("an area by letters:\n%s", area)
	}
	if trust, _, _ := run(t, "explain", "trust", "-o", "name"); !strings.Contains(trust, "CERT002\n") || strings.Contains(trust, "GW002") {
		t.Errorf("an area by name:\n%s", trust)
	}
	other, _, _ := run(t, "explain", "GW002")
	if both, _, _ := run(t, "explain", "CERT002", "gw2", "cert-02"); both != page+"\n"+other {
		t.Errorf("two codes:\n%s", both)
	}
	if colored, _, _ := run(t, "explain", "CERT002", "--color", "always"); !strings.HasPrefix(colored, "\x1b[1mCERT002: ") || strings.Contains(colored, "```") {
		t.Errorf("as a manual:\n%s", colored)
	}

	_, stderr, code := run(t, "explain", "CERT999")
	if code != ExitFailed || stderr != "error: there is no finding code \"CERT999\"; \"explain CERT\" lists those that begin so\n" {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	if _, stderr, _ = run(t, "explain", "CRET002"); !strings.Contains(stderr, "did you mean CERT002?") {
		t.Errorf("letters that were exchanged: %s", stderr)
	}
}
