package fleet_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/fleet"
)

func TestFlagsAreThoseThatDoSomething(t *testing.T) {
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	f := fleet.NewFlags()
	f.AddFlags(flags)
	var got []string
	flags.VisitAll(func(f *pflag.Flag) { got = append(got, f.Name) })
	want := []string{"all-contexts", "as", "as-group", "as-uid", "as-user-extra", "context", "contexts", "kubeconfig", "kuberc", "request-timeout", "timeout", "v"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	kubectl := pflag.NewFlagSet("", pflag.ContinueOnError)
	genericclioptions.NewConfigFlags(false).AddFlags(kubectl)
	for _, name := range []string{"as", "as-group", "as-uid", "as-user-extra", "context", "kubeconfig"} {
		theirs, ours := kubectl.Lookup(name), flags.Lookup(name)
		if diff := cmp.Diff([]string{theirs.Shorthand, theirs.Usage, theirs.DefValue, theirs.Value.Type()}, []string{ours.Shorthand, ours.Usage, ours.DefValue, ours.Value.Type()}); diff != "" {
			t.Errorf("--%s is another one than kubectl's (-kubectl +got):\n%s", name, diff)
		}
	}
	if err := flags.Parse([]string{"--contexts=a,b", "--contexts=prod-*", "--timeout=3s"}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a", "b", "prod-*"}, f.Contexts); diff != "" || f.Timeout != 3*time.Second {
		t.Errorf("timeout %s, contexts: %s", f.Timeout, diff)
	}
}

func TestContradictingFlagsAreRefused(t *testing.T) {
	file := writeConfig(t, "a", names("a"))
	for name, tc := range map[string]struct {
		set  func(*fleet.Flags)
		want string
	}{
		"contexts and all":     {func(f *fleet.Flags) { f.Contexts, f.AllContexts = []string{"a"}, true }, "--contexts and --all-contexts"},
		"contexts and context": {func(f *fleet.Flags) { f.Contexts, f.Context = []string{"a"}, "a" }, "--context and --contexts"},
		"all and context":      {func(f *fleet.Flags) { f.AllContexts, f.Context = true, "a" }, "--context and --all-contexts"},
		"negative timeout":     {func(f *fleet.Flags) { f.Timeout = -1 }, "--timeout"},
		"extra without value":  {func(f *fleet.Flags) { f.As, f.AsUserExtra = "me", []string{"x"} }, "--as-user-extra takes key=value"},
		"group without user":   {func(f *fleet.Flags) { f.AsGroups = []string{"x"} }, "give --as too"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := tryLoad(file, tc.set, nil); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want it to say %q", err, tc.want)
			}
		})
	}
}

func TestLoadSaysWhichFilesWereTried(t *testing.T) {
	dir := t.TempDir()
	missing, empty, broken, shapeless := filepath.Join(dir, "missing"), filepath.Join(dir, "empty"), filepath.Join(dir, "broken"), filepath.Join(dir, "shapeless")
	good := writeConfig(t, "good", names("good"))
	for file, text := range map[string]string{
		empty:     "",
		broken:    "apiVersion: v1\nkind: Config\nusers:\n- name: x\n  user: {token: " + secret + "\n",
		shapeless: "apiVersion: v1\nkind: Config\nusers:\n- name: x\n  user: " + secret + "\n",
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	list := func(files ...string) string { return strings.Join(files, string(os.PathListSeparator)) }
	for name, tc := range map[string]struct{ env, flag, want string }{
		"none there":           {list(missing, missing+"2"), "", "no kubeconfig found: " + missing + ", " + missing + "2 do not exist; set KUBECONFIG or give --kubeconfig"},
		"flag names none":      {good, missing, "no kubeconfig found: " + missing + " does not exist; set KUBECONFIG or give --kubeconfig"},
		"empty":                {"", empty, "no context in the kubeconfig " + empty + "; set KUBECONFIG or give --kubeconfig"},
		"not YAML":             {list(good, broken), "", "the kubeconfig " + broken + " is not valid (line 5); check it with kubectl config view --kubeconfig=" + broken},
		"YAML of another kind": {"", shapeless, "the kubeconfig " + shapeless + " is not valid; check it with kubectl config view --kubeconfig=" + shapeless},
		"a directory":          {"", dir, "the kubeconfig " + dir + " cannot be read (is a directory); give another with --kubeconfig or KUBECONFIG"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("KUBECONFIG", tc.env)
			_, err := tryLoad(tc.flag, nil, nil)
			if errText(err) != tc.want {
				t.Errorf("got  %v\nwant %s", err, tc.want)
			}
			checkShown(t, errText(err))
		})
	}
}

func TestSeveralKubeconfigsAreMerged(t *testing.T) {
	one, two := writeConfig(t, "a", names("a", "b")), writeConfig(t, "c", names("b", "c"))
	t.Setenv("KUBECONFIG", strings.Join([]string{one, filepath.Join(t.TempDir(), "missing"), two}, string(os.PathListSeparator)))
	k := load(t, "", nil)
	if diff := cmp.Diff([]string{"a", "b", "c"}, k.ContextNames()); diff != "" {
		t.Error(diff)
	}
	if m, err := k.Current(); err != nil || m.Context != "a" {
		t.Errorf("current is %q, error %v; want that of the first file", m.Context, err)
	}
}

func TestAClusterOfAPodIsNeverChosenSilently(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
	t.Setenv("KUBERNETES_SERVICE_PORT", "443")
	t.Setenv("KUBERNETES_MASTER", "http://10.0.0.1")
	if _, err := tryLoad("", nil, nil); err == nil || !strings.HasPrefix(err.Error(), "no kubeconfig found") {
		t.Errorf("got %v, want no kubeconfig found", err)
	}
}

func TestConfigHonoursTheFlags(t *testing.T) {
	k := load(t, writeConfig(t, "a", names("a")), func(f *fleet.Flags) {
		f.Version = "v1.2.3"
		f.As, f.AsUID = "me", "7"
		f.AsGroups = []string{"g1", "g2"}
		f.AsUserExtra = []string{"scope=x", "scope=y=z"}
	})
	m, err := k.Current()
	if err != nil {
		t.Fatal(err)
	}
	config, err := m.Config()
	if err != nil {
		t.Fatal(err)
	}
	if i := config.Impersonate; i.UserName != "me" || i.UID != "7" || !cmp.Equal(i.Groups, []string{"g1", "g2"}) || !cmp.Equal(i.Extra, map[string][]string{"scope": {"x", "y=z"}}) {
		t.Errorf("impersonates %+v", i)
	}
	if !strings.HasPrefix(config.UserAgent, "kubectl-mesh/v1.2.3 (") || config.QPS != -1 || config.Timeout != 0 || config.WarningHandler == nil {
		t.Errorf("user agent %q, QPS %v, timeout %v", config.UserAgent, config.QPS, config.Timeout)
	}
	config.Host = "changed"
	if again, _ := m.Config(); again.Host == "changed" {
		t.Error("two configs of a member are the same one")
	}
}

func TestABrokenContextIsItsOwnOutcome(t *testing.T) {
	both := execUser("x")
	both.AuthProvider = &clientcmdapi.AuthProviderConfig{Name: "oidc"}
	noMode := execUser("x")
	noMode.Exec.InteractiveMode = ""
	badVersion := execUser("x")
	badVersion.Exec.APIVersion = "v0"
	entries := map[string]entry{
		"both":       {server: "https://x.example", user: both},
		"no-mode":    {server: "https://x.example", user: noMode},
		"version":    {server: "https://x.example", user: badVersion},
		"provider":   {server: "https://x.example", user: &clientcmdapi.AuthInfo{AuthProvider: &clientcmdapi.AuthProviderConfig{Name: "nope", Config: map[string]string{"t": secret}}}},
		"gcp":        {server: "https://x.example", user: &clientcmdapi.AuthInfo{AuthProvider: &clientcmdapi.AuthProviderConfig{Name: "gcp"}}},
		"no-key":     {server: "https://x.example", user: &clientcmdapi.AuthInfo{ClientCertificateData: []byte("x")}},
		"bad-cert":   {server: "https://x.example", user: &clientcmdapi.AuthInfo{ClientCertificateData: []byte("x"), ClientKeyData: []byte(secret)}},
		"bad-ca":     {server: "https://x.example", ca: []byte("x")},
		"no-file":    {server: "https://x.example", user: &clientcmdapi.AuthInfo{ClientCertificate: "/nowhere/cert", ClientKey: "/nowhere/key"}},
		"token-file": {server: "https://x.example", user: &clientcmdapi.AuthInfo{TokenFile: "/nowhere/token"}},
		"two-ways":   {server: "https://x.example", user: &clientcmdapi.AuthInfo{Token: secret, Username: "me", Password: secret}},
		"no-server":  {},
		"no-url":     {server: "https://me:" + secret + "@%zz"},
		"dangling":   {server: "https://x.example"},
		"good":       serve(t, namespaces),
	}
	file := writeConfig(t, "", entries)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text = []byte(strings.ReplaceAll(string(text), "cluster: dangling\n", "cluster: lost\n"))
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	members, _, err := load(t, file, all).Select()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"both": "authProvider cannot be provided in combination with an exec plugin", "no-mode": "interactiveMode must be specified",
		"version": `invalid apiVersion "v0"`, "provider": "nope", "gcp": "gcp auth plugin has been removed", "no-key": "client-key",
		"bad-cert": "PEM", "bad-ca": "root certificates", "no-file": "/nowhere/cert", "token-file": "/nowhere/token",
		"two-ways": "more than one authentication method", "no-server": "has no server", "no-url": "not a URL", "dangling": `cluster "lost" does not exist`,
	}
	for _, r := range fleet.Each(t.Context(), members, time.Minute, nil, get) {
		if r.Context == "good" {
			if r.Err != nil {
				t.Errorf("good: %v", r.Err)
			}
			continue
		}
		why := r.Unreached()
		if why == nil || why.Kind != facts.BadContext || !strings.Contains(why.Reason, want[r.Context]) {
			t.Errorf("%s: %+v, want bad-context with %q", r.Context, why, want[r.Context])
			continue
		}
		var broken *fleet.ContextError
		if !errors.As(r.Err, &broken) || broken.Context != r.Context {
			t.Errorf("%s: %v wraps no ContextError of that context", r.Context, r.Err)
		}
		checkShown(t, r.Err.Error()+broken.Error()+why.Reason+r.Server)
	}
	if _, err := (fleet.Member{Context: "made-up"}).Config(); err == nil {
		t.Error("a member that comes from nowhere has a config")
	}
}

func TestServerIsShownWithoutCredentials(t *testing.T) {
	members := selectAll(t, map[string]entry{"a": {server: "https://me:" + secret + "@a.example/x?token=" + secret + "#y"}})
	if got, want := members[0].Server, "https://a.example/x"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestProxyURLIsNotQuoted(t *testing.T) {
	file := writeConfig(t, "a", names("a"))
	text, _ := os.ReadFile(file)
	changed := strings.Replace(string(text), "    server:", "    proxy-url: http://me:"+secret+"@%zz\n    server:", 1)
	if err := os.WriteFile(file, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	m, err := load(t, file, nil).Current()
	if err != nil {
		t.Fatal(err)
	}
	_, err = m.Config()
	if err == nil || !strings.Contains(err.Error(), "proxy-url is not a URL") {
		t.Errorf("got %v", err)
	}
	checkShown(t, errText(err))
}
