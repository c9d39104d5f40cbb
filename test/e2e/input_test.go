package e2e

import (
	"encoding/pem"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/test/bed"
)

func write(t *testing.T, name, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// Usage that cannot work: a clear sentence, exit code 2.
func TestUsageErrors(t *testing.T) {
	for name, c := range map[string]struct {
		args       []string
		kubeconfig string
		want       string
	}{
		"no kubeconfig":        {args: []string{"verify"}, kubeconfig: "/does/not/exist", want: "/does/not/exist"},
		"kubeconfig not YAML":  {args: []string{"verify"}, kubeconfig: write(t, "config", "a: [", 0o600), want: "config"},
		"unknown context":      {args: []string{"verify", "--contexts", "east,wst"}, want: `context "wst" does not exist: did you mean "west"`},
		"pattern of nothing":   {args: []string{"diff", "--contexts", "prod-*"}, want: `no context matches "prod-*"`},
		"one cluster to diff":  {args: []string{"diff", "--contexts", "east"}, want: "there is only one cluster to compare, east"},
		"unknown format":       {args: []string{"verify", "--contexts", "east", "-o", "xml"}, want: "-o takes one of table, wide, json, yaml, name"},
		"unknown color":        {args: []string{"list", "--contexts", "east", "--color", "maybe"}, want: "--color takes one of auto, always, never"},
		"unknown severity":     {args: []string{"verify", "--contexts", "east", "--fail-on", "bad"}, want: "--fail-on takes one of error, warning, note, never"},
		"unknown expiry":       {args: []string{"verify", "--contexts", "east", "--expiry-warn", "soon"}, want: "write it like 30d or 72h"},
		"unknown flag":         {args: []string{"verify", "--contxts", "east"}, want: "unknown flag: --contxts"},
		"unknown command":      {args: []string{"verfy"}, want: "unknown command"},
		"unknown code":         {args: []string{"explain", "CERT999"}, want: `there is no finding code "CERT999"`},
		"no such dump":         {args: []string{"verify", "--from", "/does/not/exist"}, want: "--from /does/not/exist: there is no such file or folder"},
		"dump without folder":  {args: []string{"dump", "--contexts", "east"}, want: "dump wants one argument"},
		"contexts in two ways": {args: []string{"verify", "--contexts", "east", "--all-contexts"}, want: "exclude each other"},
	} {
		t.Run(name, func(t *testing.T) {
			out := mesh(t, options{kubeconfig: c.kubeconfig}, c.args...)
			if out.code != 2 || out.stdout != "" || !strings.HasPrefix(out.stderr, "error: ") || !strings.Contains(out.stderr, c.want) {
				t.Errorf("exit code %d, output %q\n%s\nwant %q", out.code, out.stdout, out.stderr, c.want)
			}
		})
	}
}

// A cluster that does not answer is named with its reason, and the fault of
// the others is found all the same.
func TestOneBadClusterHidesNothing(t *testing.T) {
	f := istiotest.Healthy("east", "north")
	f.Get("north").Plug(istiotest.Root(istiotest.Spec{}).Sub(istiotest.Spec{}))
	plant(t, f)
	hanging, err := bed.HangingServer()
	if err != nil {
		t.Fatal(err)
	}
	defer hanging.Close()
	plain := httptest.NewServer(nil)
	defer plain.Close()
	stranger := httptest.NewTLSServer(nil)
	defer stranger.Close()
	strangersCA := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: stranger.Certificate().Raw})
	failing := write(t, "plugin", "#!/bin/sh\necho 'token eyJhbGciOiJub25lIn0.e30.c2lnbmF0dXJl is expired, log in again' >&2\nexit 1\n", 0o755)
	slow := write(t, "slow", "#!/bin/sh\nexec sleep 600\n", 0o755)
	unix := runtime.GOOS != "windows"

	for name, c := range map[string]struct {
		context bed.Context
		code    string
		reason  string
		env     []string
		skip    bool
	}{
		"refused":           {context: bed.Context{Server: "https://127.0.0.1:1"}, code: "FLT001", reason: "refuses connections"},
		"no such name":      {context: bed.Context{Server: "https://no-such-host.invalid:6443"}, code: "FLT001", reason: "no-such-host.invalid"},
		"hung":              {context: bed.Context{Server: hanging.URL()}, code: "FLT002", reason: "2s"},
		"401":               {context: bed.Context{Token: "eyJhbGciOiJub25lIn0.wrong.c2lnbmF0dXJl"}, code: "FLT003", reason: ""},
		"403":               {context: bed.Context{User: bed.Nobody}, code: "FLT004", reason: "may read none"},
		"wrong CA":          {context: bed.Context{CA: strangersCA}, code: "FLT005", reason: "unknown authority"},
		"not TLS":           {context: bed.Context{Server: strings.Replace(plain.URL, "http://", "https://", 1)}, code: "FLT011", reason: ""},
		"not an API server": {context: bed.Context{Server: stranger.URL, CA: strangersCA}, code: "FLT011", reason: ""},
		"plugin fails":      {context: bed.Context{Exec: &clientcmdapi.ExecConfig{Command: failing}}, code: "FLT006", reason: "log in again", skip: !unix},
		"plugin hangs":      {context: bed.Context{Exec: &clientcmdapi.ExecConfig{Command: slow}}, code: "FLT002", reason: "2s", skip: !unix},
		"no such plugin":    {context: bed.Context{Exec: &clientcmdapi.ExecConfig{Command: "no-such-plugin"}}, code: "FLT006", reason: "no-such-plugin"},
		"plugin not permitted": {
			context: bed.Context{Exec: &clientcmdapi.ExecConfig{Command: failing}}, code: "FLT006", reason: "not permitted",
			env: []string{"KUBERC=" + write(t, "kuberc", "apiVersion: kubectl.config.k8s.io/v1beta1\nkind: Preference\ncredentialPluginPolicy: DenyAll\n", 0o600)}, skip: !unix,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if c.skip {
				t.Skip("the plugin is a shell script")
			}
			c.context.Name, c.context.Cluster = "bad", "west"
			kubeconfig := filepath.Join(t.TempDir(), "config")
			if err := fleet.WriteKubeconfig(kubeconfig, []bed.Context{{Cluster: "east"}, c.context, {Cluster: "north"}}); err != nil {
				t.Fatal(err)
			}
			o := options{kubeconfig: kubeconfig, env: c.env}
			out := mesh(t, o, "verify", "--contexts", "east,bad,north", "--timeout", "2s", "-o", "json")
			doc := document(t, out)
			if diff := cmp.Diff([]string{"CERT002 error east,north", c.code + " error bad"}, summary(doc)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if out.code != 1 || out.took > 8*time.Second {
				t.Errorf("exit code %d after %s", out.code, out.took)
			}
			i := slices.IndexFunc(doc.Unknowns, func(u finding.Unknown) bool { return u.Cluster == "bad" && len(u.Codes) > 20 })
			if i < 0 {
				t.Errorf("that nothing could be judged of it is not said: %+v", doc.Unknowns)
			}
			if text := mesh(t, o, "verify", "--contexts", "east,bad,north", "--timeout", "2s").stdout; !strings.Contains(text, c.reason) || !strings.Contains(text, c.code+" bad: ") {
				t.Errorf("no %q in\n%s", c.reason, text)
			}
			// Alone, there is nothing to judge.
			if out := mesh(t, o, "verify", "--contexts", "bad", "--timeout", "2s"); out.code != 2 || !strings.Contains(out.stdout, c.code) {
				t.Errorf("alone: exit code %d\n%s", out.code, out.stdout)
			}
			if out := mesh(t, o, "diff", "--contexts", "east,bad,north", "--timeout", "2s"); out.code != 2 || !strings.Contains(out.stderr, "error: bad: ") || !strings.Contains(out.stdout, "north") {
				t.Errorf("diff: exit code %d\n%s%s", out.code, out.stdout, out.stderr)
			}
			if out := mesh(t, o, "list", "--contexts", "east,bad,north", "--timeout", "2s"); out.code != 0 || !strings.Contains(out.stderr, "not listed: bad: ") || !strings.Contains(out.stdout, "north") {
				t.Errorf("list: exit code %d\n%s%s", out.code, out.stdout, out.stderr)
			}
		})
	}
}

// Who may not read secrets is told what could not be judged, and the rest is judged.
func TestWithoutAccessToSecrets(t *testing.T) {
	kubeconfig := filepath.Join(t.TempDir(), "config")
	if err := fleet.WriteKubeconfig(kubeconfig, []bed.Context{{Cluster: "east", User: bed.Viewer}, {Cluster: "west", User: bed.Viewer}}); err != nil {
		t.Fatal(err)
	}
	o := options{kubeconfig: kubeconfig}

	plant(t, istiotest.Healthy("east", "west"))
	out := mesh(t, o, "verify", "--contexts", "east,west")
	if out.code != 0 || strings.Contains(out.stdout, "ERROR") || !strings.Contains(out.stdout, "west: secret cacerts: forbidden") || !strings.Contains(out.stderr, "INCOMPLETE, 3") {
		t.Errorf("healthy: exit code %d\n%s%s", out.code, out.stdout, out.stderr)
	}
	if out := mesh(t, o, "diff", "--contexts", "east,west"); out.code != 0 || out.stdout != "" {
		t.Errorf("healthy diff: exit code %d\n%s%s", out.code, out.stdout, out.stderr)
	}

	f := istiotest.Healthy("east", "west")
	f.Get("west").Plug(istiotest.Root(istiotest.Spec{}).Sub(istiotest.Spec{}))
	plant(t, f)
	doc := document(t, mesh(t, o, "verify", "--contexts", "east,west", "-o", "json"))
	if diff := cmp.Diff([]string{"CERT002 error east,west"}, summary(doc)); diff != "" {
		t.Errorf("no shared root (-want +got):\n%s", diff)
	}
	if out := mesh(t, o, "diff", "--contexts", "east,west"); out.code != 1 {
		t.Errorf("diff of other roots: exit code %d\n%s%s", out.code, out.stdout, out.stderr)
	}
}

// Garbage and 10 MB of PEM are said to be that, and end nothing.
func TestPEMGarbage(t *testing.T) {
	f := istiotest.Healthy("east", "west")
	f.Get("west").CACerts["root-cert.pem"] = "-----BEGIN CERTIFICATE-----\n" + strings.Repeat("\x1b[31mA\n", 1000)
	plant(t, f)
	out := mesh(t, options{}, "verify", "--contexts", "east,west")
	if out.code != 1 || !strings.Contains(out.stdout, "CERT030 west: root-cert.pem in secret cacerts is not PEM") {
		t.Errorf("exit code %d\n%s%s", out.code, out.stdout, out.stderr)
	}

	dir := t.TempDir()
	root := istiotest.Root(istiotest.Spec{}).PEM()
	many := strings.Repeat(root, 10<<20/len(root))
	for cluster, text := range map[string]string{"east": root, "west": many} {
		if err := os.MkdirAll(filepath.Join(dir, cluster), 0o755); err != nil {
			t.Fatal(err)
		}
		manifest := fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio-ca-root-cert, namespace: istio-system}\ndata:\n  root-cert.pem: %q\n", text)
		if err := os.WriteFile(filepath.Join(dir, cluster, "cm.yaml"), []byte(manifest), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	out = mesh(t, options{}, "diff", "--from", dir)
	if out.code != 1 || !strings.Contains(out.stdout, "west  no root certificate: configmap istio-ca-root-cert") || out.took > 10*time.Second {
		t.Errorf("10 MB: exit code %d after %s\n%s%s", out.code, out.took, out.stdout, out.stderr)
	}
}
