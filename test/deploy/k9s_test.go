package deploy

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// k9sPlugin is what k9s reads of a plugin (https://k9scli.io/topics/plugins/).
type k9sPlugin struct {
	ShortCut    string   `json:"shortCut"`
	Description string   `json:"description"`
	Scopes      []string `json:"scopes"`
	Command     string   `json:"command"`
	Background  bool     `json:"background"`
	Args        []string `json:"args"`
}

// throughKubectl is a kubectl that finds plugins on the PATH, and gives them the clusters in FROM.
const throughKubectl = `
name=$1; shift
exec "kubectl-${name//-/_}" "$@" ${FROM:+--from "$FROM"}
`

// substitute puts in what k9s puts in: what looks like a variable, and an error for one that it does not know.
func substitute(arg string, env map[string]string) (string, error) {
	for _, v := range regexp.MustCompile(`\$!?[\w|-]+`).FindAllString(arg, -1) {
		value, known := env[strings.ToUpper(v[1:])]
		if !known {
			return "", fmt.Errorf("k9s knows no %s", v)
		}
		arg = strings.ReplaceAll(arg, v, value)
	}
	return arg, nil
}

// Each plugin of k9s shows what its command prints, of whatever name the context has.
func TestK9sPlugins(t *testing.T) {
	var plugins struct {
		Plugins map[string]k9sPlugin `json:"plugins"`
	}
	strictly(t, file(t, "k9s/plugins.yaml"), &plugins)
	path := tools(t, map[string]string{"kubectl": throughKubectl, "less": "cat\n"})
	keys := map[string]bool{}
	for name, want := range map[string]struct{ fleet, text string }{
		"mesh-check":    {"fleet", "Fix them in this order"},
		"mesh-map":      {"networks", "network3"},
		"mesh-diagnose": {"services", "helloworld.sample: "},
	} {
		t.Run(name, func(t *testing.T) {
			p, found := plugins.Plugins[name]
			if !found || p.ShortCut == "" || p.Description == "" || len(p.Scopes) == 0 || keys[p.ShortCut] {
				t.Fatalf("%+v", p)
			}
			keys[p.ShortCut] = true
			for _, context := range []string{"east", "$(touch owned)`touch owned`'\"; touch owned #"} {
				var args []string
				for _, arg := range p.Args {
					arg, err := substitute(arg, map[string]string{
						"CONTEXT": context, "CLUSTER": "c", "USER": "u", "GROUPS": "", "KUBECONFIG": "", "NAME": "helloworld", "NAMESPACE": "sample",
					})
					if err != nil {
						t.Fatal(err)
					}
					args = append(args, arg)
				}
				folder := t.TempDir()
				script := filepath.Join(folder, "run")
				write(t, script, "cd \""+folder+"\"\nexec \"$@\"\n", 0o755)
				out := execute(t, []string{path, "FROM=" + example(t, want.fleet)}, "bash", append([]string{script, p.Command}, args...)...)
				if context == "east" && (out.code != 0 || !strings.Contains(out.stdout, want.text)) {
					t.Errorf("it ends with %d\n%s%s", out.code, out.stdout, out.stderr)
				}
				if _, err := os.Stat(filepath.Join(folder, "owned")); err == nil {
					t.Errorf("the name of a context was run: %q", args)
				}
			}
		})
	}
	if len(keys) != len(plugins.Plugins) {
		t.Errorf("%d plugins, and %d were run", len(plugins.Plugins), len(keys))
	}
}
