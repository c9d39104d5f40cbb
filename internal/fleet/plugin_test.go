package fleet_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/fleet"
)

// askToken answers only those who bring the plugins' token.
func askToken(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer "+secret {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	namespaces(w, r)
}

func with(e entry, user *clientcmdapi.AuthInfo) entry {
	e.user = user
	return e
}

func TestPluginsOfDifferentClustersRunSideBySide(t *testing.T) {
	server := serve(t, askToken)
	dir := t.TempDir()
	// Each waits until all three have started.
	meet := "echo >" + dir + "/$$; while [ $(ls " + dir + " | wc -l) -lt 3 ]; do sleep 0.02; done; " + givesToken
	members := selectAll(t, map[string]entry{"a": with(server, script(t, meet)), "b": with(server, script(t, meet)), "c": with(server, script(t, meet))})
	for _, r := range fleet.Each(t.Context(), members, 20*time.Second, nil, get) {
		if r.Err != nil {
			t.Error(r.Err)
		}
	}
}

func TestAHungPluginIsAbandonedAtTheTimeout(t *testing.T) {
	server := serve(t, askToken)
	members := selectAll(t, map[string]entry{"good": with(server, script(t, givesToken)), "hung": with(server, script(t, "exec sleep 3"))})
	start := time.Now()
	results := fleet.Each(t.Context(), members, time.Second, nil, get)
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("took %s", took)
	}
	if results[0].Err != nil {
		t.Errorf("the other: %v", results[0].Err)
	}
	got := results[1].Unreached()
	if got == nil || got.Kind != facts.TimedOut || !strings.HasSuffix(got.Reason, "/plugin did not finish") || !errors.Is(results[1].Err, context.DeadlineExceeded) {
		t.Errorf("got %+v", got)
	}
}

func TestAFailedPluginSaysWhyInItsOwnWords(t *testing.T) {
	server := serve(t, askToken)
	missing := execUser("no-such-plugin-of-ours")
	missing.Exec.InstallHint = "Install it with\n  brew \x1b[31minstall ours"
	always := script(t, givesToken)
	always.Exec.InteractiveMode = clientcmdapi.AlwaysExecInteractiveMode
	long := strings.Repeat("x", 500)
	for name, tc := range map[string]struct {
		user *clientcmdapi.AuthInfo
		want []string
	}{
		"not installed":  {missing, []string{"the credential plugin no-such-plugin-of-ours is not installed, or not in PATH: Install it with brew U+001B[31minstall ours"}},
		"exit code":      {script(t, "exit 3"), []string{"/plugin failed with exit code 3"}},
		"last words":     {script(t, "echo first >&2; printf 'Token has expired: \\033[1mrun aws sso login\\n\\n' >&2; exit 255"), []string{"/plugin failed with exit code 255: Token has expired: \\x1b[1mrun aws sso login"}},
		"a token in it":  {script(t, "echo got eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln and k8s-aws-v1.aHR0cHM6 >&2; exit 1"), []string{"exit code 1: got [redacted] and [redacted]"}},
		"long words":     {script(t, "echo "+long+" >&2; exit 1"), []string{"exit code 1: xxx", "…"}},
		"zero bytes":     {script(t, "printf 'a\\0b\\0c' >&2; exit 1"), []string{"exit code 1: abc"}},
		"no credentials": {script(t, "echo "+secret), []string{"/plugin did not print an ExecCredential"}},
		"asks the user":  {always, []string{"/plugin insists on asking the user, and ", ": log in first, for example with kubectl --context=x version"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			results := fleet.Each(t.Context(), selectAll(t, map[string]entry{"x": with(server, tc.user), "good": server}), 20*time.Second, nil, get)
			got := results[1].Unreached()
			if got == nil || got.Kind != facts.PluginFailed {
				t.Fatalf("got %+v", got)
			}
			for _, want := range tc.want {
				if !strings.Contains(got.Reason, want) {
					t.Errorf("got  %s\nwant %s", got.Reason, want)
				}
			}
			if n := len([]rune(got.Reason)); n > 300 {
				t.Errorf("%d characters", n)
			}
			checkShown(t, got.Reason+results[1].Err.Error())
		})
	}
}

func TestWhatAPluginSaysIsShownOnlyWhileItKeepsTheRunWaiting(t *testing.T) {
	server := serve(t, askToken)
	file := writeConfig(t, "", map[string]entry{
		"slow":  with(server, script(t, "echo open http://localhost:8000 >&2; sleep 1.5; echo thanks >&2; "+givesToken)),
		"quick": with(server, script(t, "echo chatter >&2; "+givesToken)),
	})
	var stderr safeBuffer
	k, err := tryLoad(file, all, &stderr)
	if err != nil {
		t.Fatal(err)
	}
	members, _, err := k.Select()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range fleet.Each(t.Context(), members, 20*time.Second, nil, get) {
		if r.Err != nil {
			t.Error(r.Err)
		}
	}
	if got, want := stderr.String(), "slow: open http://localhost:8000\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAPluginThatWaitsTooLongIsQuoted(t *testing.T) {
	server := serve(t, askToken)
	members := selectAll(t, map[string]entry{"x": with(server, script(t, "echo open this page >&2; exec sleep 2"))})
	got := fleet.Each(t.Context(), members, 500*time.Millisecond, nil, get)[0].Unreached()
	if got == nil || got.Kind != facts.TimedOut || !strings.HasSuffix(got.Reason, "/plugin says: open this page") {
		t.Errorf("got %+v", got)
	}
}

func TestTheProcesssOwnStderrIsUntouched(t *testing.T) {
	before := os.Stderr
	selectAll(t, map[string]entry{"x": with(entry{server: "https://x.example"}, script(t, givesToken))})
	if os.Stderr != before {
		t.Error("os.Stderr is another file than before")
	}
}

func TestThePolicyOfTheKubercIsHonoured(t *testing.T) {
	server := serve(t, askToken)
	user := script(t, givesToken)
	dir := filepath.Dir(user.Exec.Command)
	const head = "apiVersion: kubectl.config.k8s.io/v1beta1\nkind: Preference\n"
	for name, tc := range map[string]struct {
		kuberc string
		want   string // in the reason; "" when the plugin may run
	}{
		"no policy":            {head, ""},
		"empty file":           {"", ""},
		"allow all":            {head + "credentialPluginPolicy: AllowAll\n", ""},
		"deny all":             {head + "credentialPluginPolicy: DenyAll\n", "/plugin is not permitted by the policy in "},
		"on the list":          {head + "credentialPluginPolicy: Allowlist\ncredentialPluginAllowlist:\n- command: " + user.Exec.Command + "\n", ""},
		"by deprecated name":   {head + "credentialPluginPolicy: Allowlist\ncredentialPluginAllowlist:\n- name: " + user.Exec.Command + "\n", ""},
		"not on the list":      {head + "credentialPluginPolicy: Allowlist\ncredentialPluginAllowlist:\n- command: " + dir + "/other\n", "/plugin is not permitted by the policy in "},
		"later document":       {"kind: Other\napiVersion: v1\n---\n" + head + "credentialPluginPolicy: DenyAll\n", "/plugin is not permitted by the policy in "},
		"unknown field too":    {head + "surprise: 1\ncredentialPluginPolicy: DenyAll\n", "/plugin is not permitted by the policy in "},
		"v1alpha1 has no such": {"apiVersion: kubectl.config.k8s.io/v1alpha1\nkind: Preference\ncredentialPluginPolicy: DenyAll\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			kuberc := filepath.Join(t.TempDir(), "kuberc")
			if err := os.WriteFile(kuberc, []byte(tc.kuberc), 0o600); err != nil {
				t.Fatal(err)
			}
			t.Setenv("KUBERC", kuberc)
			got := fleet.Each(t.Context(), selectAll(t, map[string]entry{"x": with(server, user)}), 20*time.Second, nil, get)[0].Unreached()
			switch {
			case tc.want == "" && got != nil:
				t.Errorf("got %+v, want it to run", got)
			case tc.want != "" && (got == nil || got.Kind != facts.PluginFailed || !strings.HasSuffix(got.Reason, tc.want+kuberc)):
				t.Errorf("got %+v, want %s%s", got, tc.want, kuberc)
			}
		})
	}
}

func TestAPolicyThatCannotBeReliedUponIsAnError(t *testing.T) {
	config := writeConfig(t, "a", names("a"))
	missing := filepath.Join(t.TempDir(), "missing")
	file := func(text string) string {
		name := filepath.Join(t.TempDir(), "kuberc")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	const head = "apiVersion: kubectl.config.k8s.io/v1beta1\nkind: Preference\n"
	for name, tc := range map[string]struct{ env, gate, flag, want string }{
		"flag names no file":      {"", "", missing, "no such file"},
		"env names no file":       {missing, "", "", "no such file"},
		"flag while switched off": {"off", "", missing, "exclude each other"},
		"not a kuberc":            {file("a: b"), "", "", "no valid preferences"},
		"unknown policy":          {file(head + "credentialPluginPolicy: Maybe"), "", "", "unknown plugin policy"},
		"list without policy":     {file(head + "credentialPluginAllowlist: [{command: x}]"), "", "", "misconfigured"},
		"policy without list":     {file(head + "credentialPluginPolicy: Allowlist"), "", "", "unspecified"},
		"empty list":              {file(head + "credentialPluginPolicy: Allowlist\ncredentialPluginAllowlist: []"), "", "", "empty"},
		"empty entry":             {file(head + "credentialPluginPolicy: Allowlist\ncredentialPluginAllowlist: [{}]"), "", "", "empty allowlist entry"},
		"switched off by gate":    {missing, "FALSE", "", ""},
		"switched off":            {"off", "", "", ""},
		"flag wins over env":      {missing, "", file(head), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("KUBERC", tc.env)
			t.Setenv("KUBECTL_KUBERC", tc.gate)
			_, err := tryLoad(config, func(f *fleet.Flags) { f.Kuberc = tc.flag }, nil)
			if tc.want == "" && err != nil || tc.want != "" && !strings.Contains(errText(err), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
			checkShown(t, errText(err))
		})
	}
}
