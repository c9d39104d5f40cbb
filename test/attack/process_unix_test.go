//go:build unix

package attack

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// Signals end a run that waits for a cluster, with the code that shells expect and without a trace.
func TestSignals(t *testing.T) {
	kubeconfig := fleet(t, way{serve: hang})
	for _, a := range []struct {
		name    string
		signals []syscall.Signal
		code    int
	}{
		{"interrupted", []syscall.Signal{syscall.SIGINT}, 130},
		{"interrupted twice", []syscall.Signal{syscall.SIGINT, syscall.SIGINT}, 130},
		{"terminated", []syscall.Signal{syscall.SIGTERM}, 143},
		{"stopped, and going on", []syscall.Signal{syscall.SIGTSTP, syscall.SIGCONT, syscall.SIGINT}, 130},
	} {
		for _, plugin := range part(plugins, 2) {
			t.Run(plugin+" "+a.name, func(t *testing.T) {
				args := []string{"verify", "--contexts", "east,north", "--timeout", "20s"}
				if plugin == check {
					args = args[1:]
				}
				cmd := exec.Command(filepath.Join(*binaries, plugin), args...) // #nosec G204 -- it is ours
				cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "KUBECONFIG=" + kubeconfig}
				var stdout, stderr bytes.Buffer
				cmd.Stdout, cmd.Stderr = &stdout, &stderr
				begin := time.Now()
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				for _, s := range a.signals {
					time.Sleep(700 * time.Millisecond)
					_ = cmd.Process.Signal(s) // the second comes too late where the first was enough
				}
				_ = cmd.Wait()
				code := cmd.ProcessState.ExitCode()
				if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
					code = 128 + int(status.Signal())
				}
				out := outcome{code, stdout.String(), stderr.String(), time.Since(begin), peakOfStarted(cmd.ProcessState)}
				tries.add("signals", out)
				try{plugin: plugin, args: args, codes: []int{a.code}, most: 6 * time.Second, mostMemory: 300 << 20}.hold(t, out)
			})
		}
	}
}

// shell runs a plugin by a line of a shell, in which "$0" is the plugin and "$@" what it checks.
func shell(t *testing.T, plugin, line string, codes ...int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	args := []string{"-c", line, filepath.Join(*binaries, plugin)}
	if plugin != check {
		args = append(args, "verify")
	}
	cmd := exec.CommandContext(ctx, "sh", args...) // #nosec G204 -- it is ours
	cmd.Dir = t.TempDir()
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + cmd.Dir, "KUBECONFIG=" + filepath.Join(cmd.Dir, "none"), "FLEET=" + dumped(t)}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	begin := time.Now()
	_ = cmd.Run()
	out := outcome{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String(), time.Since(begin), peakOfStarted(cmd.ProcessState)}
	tries.add("outputs that fail", out)
	try{plugin: plugin, args: []string{line}, codes: codes, most: 20 * time.Second, mostMemory: 300 << 20}.hold(t, out)
}

// What is written to a full disk or a closed stream is an error, in every format.
func TestOutputs(t *testing.T) {
	for i, format := range []string{"table", "wide", "short", "name", "json", "yaml", "junit", "sarif", "prometheus"} {
		plugin := plugins[i%len(plugins)]
		t.Run(format, func(t *testing.T) {
			if _, err := os.Stat("/dev/full"); err == nil && format != "name" && format != "short" && format != "table" && format != "wide" { // these may print nothing of a healthy fleet
				shell(t, plugin, `exec "$0" "$@" --from "$FLEET" -o `+format+` >/dev/full`, 2)
			}
			shell(t, plugin, `exec "$0" "$@" --from "$FLEET" -o `+format+` >&-`, 0, 1, 2)
			shell(t, plugin, `exec "$0" "$@" --from "$FLEET" -o `+format+` 2>&- <&-`, 0, 1, 2)
			shell(t, plugin, `"$0" "$@" --from "$FLEET" -o `+format+` | head -c 1 >/dev/null`, 0)
		})
	}
}

// A dump is written nowhere but into its folder, or not at all.
func TestDumpsOntoStrangeTargets(t *testing.T) {
	kubeconfig := fleet(t, way{refused: true})
	foreign := t.TempDir()
	if err := os.WriteFile(filepath.Join(foreign, "mine"), []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	linked := filepath.Join(t.TempDir(), "linked")
	if err := os.Symlink(foreign, linked); err != nil {
		t.Fatal(err)
	}
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{
		"a folder of somebody else": foreign, "a link to it": linked, "a file": filepath.Join(foreign, "mine"), "a pipe": pipe,
		"in what is no folder": filepath.Join(foreign, "mine", "x"), "what the kernel makes": "/proc/self/dump", "an empty name": "",
	} {
		for _, plugin := range part(plugins, 4) {
			t.Run(plugin+" "+name, func(t *testing.T) {
				try{
					area: "dumps onto strange targets", plugin: plugin, env: []string{"KUBECONFIG=" + kubeconfig}, codes: []int{2},
					args: []string{"dump", target, "--contexts", "east,west"},
				}.do(t)
				if found, err := os.ReadDir(foreign); err != nil || len(found) != 1 {
					t.Errorf("it wrote into a folder of somebody else: %v, %v", found, err)
				}
				if text, err := os.ReadFile(filepath.Join(foreign, "mine")); err != nil || string(text) != "kept" { // #nosec G304 -- it is the test's
					t.Errorf("a file of somebody else: %q, %v", text, err)
				}
				if info, err := os.Lstat(pipe); err != nil || info.Mode()&os.ModeNamedPipe == 0 {
					t.Errorf("a pipe has gone: %v, %v", info, err)
				}
			})
		}
	}
}

// Kubeconfigs that are none, or lead to files and proxies: nothing of what is in them is quoted.
func TestKubeconfigs(t *testing.T) {
	folder := t.TempDir()
	write := func(name, body string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	cluster := func(server, more, user string) string {
		return "apiVersion: v1\nkind: Config\ncurrent-context: a\n" +
			"clusters: [{name: a, cluster: {server: \"" + server + "\"" + more + "}}]\n" +
			"contexts: [{name: a, context: {cluster: a, user: a}}]\n" +
			"users: [{name: a, user: {" + user + "}}]\n"
	}
	const here = "https://127.0.0.1:1"
	for name, path := range map[string]string{
		"missing":                   filepath.Join(folder, "nowhere"),
		"a folder":                  folder,
		"binary":                    write("binary", strings.Repeat("\x00\xff", 1000)),
		"a key":                     write("key", "-----BEGIN EC PRIVATE KEY-----\n"+secret+"\n-----END EC PRIVATE KEY-----\n"),
		"half of one with a token":  write("half", "apiVersion: v1\nusers: [{name: a, user: {token: "+secret),
		"a token where none may be": write("where", "token: "+secret+"\napiVersion: [v1\n"),
		"a password in the server":  write("server", cluster("https://me:"+secret+"@127.0.0.1:1", "", "token: "+secret)),
		"a password in the proxy":   write("proxy", cluster(here, ", proxy-url: \"http://me:"+secret+"@127.0.0.1:1\"", "token: "+secret)),
		"a proxy of another kind":   write("odd-proxy", cluster(here, ", proxy-url: \"gopher://me:"+secret+"@127.0.0.1\"", "token: "+secret)),
		"a CA that is none":         write("ca", cluster(here, ", certificate-authority-data: "+secret, "token: "+secret)),
		"a CA in no file":           write("ca-file", cluster(here, ", certificate-authority: /nowhere/ca", "token: "+secret)),
		"a token in no file":        write("token-file", cluster(here, "", "tokenFile: /nowhere/token")),
		"a certificate alone":       write("certificate", cluster(here, "", "client-certificate-data: "+secret)),
		"a provider":                write("provider", cluster(here, "", "auth-provider: {name: gcp, config: {access-token: "+secret+"}}")),
		"no server":                 write("no-server", cluster("", "", "token: "+secret)),
		"a server of another kind":  write("scheme", cluster("file:///etc/passwd", "", "token: "+secret)),
		"a server that is none":     write("odd", cluster("://127.0.0.1", "", "token: "+secret)),
		"controls in the server":    write("controls", cluster("https://127.0.0.1:1/\\e[31m\\u202e", "", "token: "+secret)),
		"a user who is not there":   write("user", strings.Replace(cluster(here, "", "token: "+secret), "user: a}}]\nusers", "user: b}}]\nusers", 1)),
		"two users and passwords":   write("basic", cluster(here, "", "username: a, password: "+secret+", token: "+secret)),
	} {
		for _, plugin := range part(plugins, 4) {
			t.Run(plugin+" "+name, func(t *testing.T) {
				args := []string{"verify", "--timeout", "3s"}
				if plugin == check {
					args = args[1:]
				}
				try{area: "kubeconfigs", plugin: plugin, args: args, env: []string{"KUBECONFIG=" + path}, codes: []int{2}, never: []string{"PRIVATE KEY"}}.do(t)
			})
		}
	}
}

// Credential plugins of north that fail: east and west are checked, and what the plugin prints that
// looks like a credential does not come out.
func TestFailingCredentialPlugins(t *testing.T) {
	const answer = `{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"` + secret + `"%s}}`
	var all []struct{ name, body string }
	for name, body := range map[string]string{
		"fails":                 "echo cannot >&2; exit 1",
		"hangs":                 "sleep 60",
		"hangs with a child":    "sleep 60 & wait",
		"prints nothing":        "true",
		"prints garbage":        "head -c 5000 /dev/urandom",
		"prints HTML":           "echo '<html>'",
		"floods":                "yes x | head -c 20000000",
		"floods what it says":   "yes x | head -c 20000000 >&2; exit 1",
		"says its token":        "echo 'Authorization: Bearer " + secret + "' >&2; exit 1",
		"says controls":         "printf '\\033[31mred\\033]0;t\\007\\302\\2331m' >&2; exit 1",
		"asks":                  "printf 'Password: ' >&2; read x; exit 1",
		"answers what expired":  "printf '" + fmt.Sprintf(answer, `,"expirationTimestamp":"2001-01-01T00:00:00Z"`) + "'",
		"answers a broken key":  "printf '" + fmt.Sprintf(answer, `,"clientKeyData":"`+secret+`","clientCertificateData":"x"`) + "'",
		"answers another kind":  "printf '{\"apiVersion\":\"v1\",\"kind\":\"Pod\"}'",
		"answers half of it":    "printf '{\"apiVersion\":\"client'",
		"kills itself":          "kill -9 $$",
		"closes what it writes": "exec >&- 2>&-",
	} {
		all = append(all, struct{ name, body string }{name, body})
	}
	for i, a := range part(all, 3) {
		plugin := plugins[i%len(plugins)]
		t.Run(plugin+" "+a.name, func(t *testing.T) {
			t.Parallel()
			kubeconfig := fleet(t, way{})
			config, err := clientcmd.LoadFromFile(kubeconfig)
			if err != nil {
				t.Fatal(err)
			}
			config.AuthInfos["north"] = &clientcmdapi.AuthInfo{Exec: &clientcmdapi.ExecConfig{
				APIVersion: "client.authentication.k8s.io/v1", Command: "sh", Args: []string{"-c", a.body}, InteractiveMode: clientcmdapi.IfAvailableExecInteractiveMode,
			}}
			if err := clientcmd.WriteToFile(*config, kubeconfig); err != nil {
				t.Fatal(err)
			}
			args := []string{"verify"}
			if plugin == check {
				args = nil
			}
			got := try{
				area: "credential plugins that fail", plugin: plugin, env: []string{"KUBECONFIG=" + kubeconfig}, codes: []int{0, 1},
				args: append(args, "--contexts", "east,north,west", "--timeout", timeout.String(), "-o", "json"), most: timeout*12/10 + 4*time.Second,
			}.do(t).document(t)
			for _, c := range got.Clusters {
				if c.Context != "north" && !c.Reached {
					t.Errorf("%s was not reached", c.Context)
				}
			}
		})
	}
}

// Many contexts with few open files, and little of the rest.
func TestLimits(t *testing.T) {
	kubeconfig := fleet(t, way{})
	config, err := clientcmd.LoadFromFile(kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 200 {
		config.Contexts[fmt.Sprintf("copy-%03d", i)] = config.Contexts[[]string{"east", "north", "west"}[i%3]]
	}
	if err := clientcmd.WriteToFile(*config, kubeconfig); err != nil {
		t.Fatal(err)
	}
	// The same three clusters again and again are no mesh, which mesh-check would compare with care.
	for i, limit := range part([]string{"ulimit -n 64", "ulimit -n 256", "GOMAXPROCS=1; export GOMAXPROCS", "GOMEMLIMIT=50MiB; export GOMEMLIMIT", "ulimit -s 256"}, 5) {
		plugin := plugins[1+i%3]
		t.Run(limit, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			line := limit + `; exec "$0" verify --contexts 'copy-*' --timeout 20s -o json`
			cmd := exec.CommandContext(ctx, "sh", "-c", line, filepath.Join(*binaries, plugin)) // #nosec G204 -- it is ours
			cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "KUBECONFIG=" + kubeconfig}
			var stdout, stderr bytes.Buffer
			cmd.Stdout, cmd.Stderr, cmd.Stdin = &stdout, &stderr, io.Reader(nil)
			begin := time.Now()
			_ = cmd.Run()
			out := outcome{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String(), time.Since(begin), peakOfStarted(cmd.ProcessState)}
			tries.add("200 contexts, few resources", out)
			try{plugin: plugin, args: []string{line}, codes: []int{0, 1}, most: 45 * time.Second, mostMemory: 400 << 20}.hold(t, out)
			document := out.document(t)
			for _, c := range document.Clusters {
				if !c.Reached {
					t.Errorf("%s was not reached", c.Context)
				}
			}
			if t.Failed() {
				t.Log(short(out.stderr), document.Findings[:min(3, len(document.Findings))])
			}
		})
	}
}
