package manifest

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const templates = "../../krew-manifests"

// sumsOf are sums, made up, of all archives of a plugin.
func sumsOf(plugin string) Sums {
	sums := Sums{}
	for i, t := range Targets {
		sums[ArchiveName(plugin, t)] = strings.Repeat(fmt.Sprintf("%x", i+1), 64)
	}
	return sums
}

// whole is the manifest of a release of a plugin.
func whole(t *testing.T, plugin string) Plugin {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(templates, plugin+Extension))
	if err != nil {
		t.Fatal(err)
	}
	out, err := Render(plugin, string(text), "v0.1.0", sumsOf(plugin), false)
	if err != nil {
		t.Fatal(err)
	}
	p, err := parse(out)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Every plugin has a template of a manifest, and the template is good for a release, but
// none by itself.
func TestTemplates(t *testing.T) {
	folders, err := filepath.Glob("../../plugins/kubectl-*")
	if err != nil {
		t.Fatal(err)
	}
	var plugins, files []string
	for _, folder := range folders {
		plugins = append(plugins, strings.ReplaceAll(strings.TrimPrefix(filepath.Base(folder), "kubectl-"), "_", "-"))
	}
	found, err := filepath.Glob(templates + "/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range found {
		files = append(files, NameOf(file))
	}
	if diff := cmp.Diff(plugins, files); diff != "" || len(plugins) == 0 {
		t.Fatalf("plugins and templates: %s", diff)
	}
	for _, plugin := range plugins {
		t.Run(plugin, func(t *testing.T) {
			if err := Check(plugin, whole(t, plugin), Targets); err != nil {
				t.Error(err)
			}
			file := filepath.Join(templates, plugin+Extension)
			unfilled, err := Read(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := Check(plugin, unfilled, Targets); err == nil {
				t.Error("the template passes for a manifest")
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if made := regexp.MustCompile(`[0-9a-f]{64}`).Find(text); made != nil {
				t.Errorf("the template has a sum, %s, of no release", made)
			}
		})
	}
}

// What is in the index of the repository are manifests of a release, or nothing; krew
// reads the regular files there that are called .yaml.
func TestIndex(t *testing.T) {
	entries, err := os.ReadDir("../../plugins")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		switch {
		case e.IsDir() && strings.HasPrefix(e.Name(), "kubectl-"):
		case e.Type().IsRegular() && filepath.Ext(e.Name()) == Extension:
			p, err := Read(filepath.Join("../../plugins", e.Name()))
			if err != nil {
				t.Error(err)
			} else if err := Check(NameOf(e.Name()), p, Targets); err != nil {
				t.Errorf("plugins/%s: %v", e.Name(), err)
			}
		default:
			t.Errorf("plugins/%s is neither a plugin's folder nor a manifest", e.Name())
		}
	}
}

func TestCheck(t *testing.T) {
	linux := func(p *Plugin) *Platform { return &p.Spec.Platforms[0] }
	for _, c := range []struct {
		name  string
		spoil func(*Plugin)
		want  string
	}{
		{"apiVersion", func(p *Plugin) { p.APIVersion = "krew.googlecontainertools.github.com/v1" }, `apiVersion is "krew.googlecontainertools.github.com/v1"`},
		{"kind", func(p *Plugin) { p.Kind = "Plug" }, `kind is "Plug"`},
		{"name of another", func(p *Plugin) { p.Name = "mesh-network" }, `metadata.name is "mesh-network", and the file's name "mesh-certs"`},
		{"name that is a path", func(p *Plugin) { p.Name = "../mesh" }, `none that krew takes`},
		{"name of a device", func(p *Plugin) { p.Name = "nul" }, `none that krew takes`},
		{"name in capitals", func(p *Plugin) { p.Name = "Mesh" }, `none that krew-index takes`},
		{"name with an underscore", func(p *Plugin) { p.Name = "mesh_certs" }, `none that krew-index takes`},
		{"name with kube", func(p *Plugin) { p.Name = "kube-mesh" }, `none that krew-index takes`},
		{"no version", func(p *Plugin) { p.Spec.Version = "" }, `spec.version "" is no semantic version`},
		{"version without v", func(p *Plugin) { p.Spec.Version = "0.1.0" }, `spec.version "0.1.0" is no semantic version`},
		{"odd version", func(p *Plugin) { p.Spec.Version = "v01.1" }, `spec.version "v01.1" is no semantic version`},
		{"version of another release", func(p *Plugin) { p.Spec.Version = "v0.2.0" }, `spec.platforms\[0\].uri is of release "v0.1.0", and spec.version is "v0.2.0"`},
		{"no homepage", func(p *Plugin) { p.Spec.Homepage = "" }, `spec.homepage "" is no https`},
		{"no short description", func(p *Plugin) { p.Spec.ShortDescription = "" }, `shortDescription is empty`},
		{"two lines", func(p *Plugin) { p.Spec.ShortDescription = "a\nb" }, `shortDescription is not one line`},
		{"long", func(p *Plugin) { p.Spec.ShortDescription = strings.Repeat("a", 61) }, `shortDescription has 61 characters`},
		{"plugin", func(p *Plugin) { p.Spec.ShortDescription = "A Kubectl tool" }, `shortDescription says "kubectl"`},
		{"no description", func(p *Plugin) { p.Spec.Description = "" }, `description is empty`},
		{"no caveats", func(p *Plugin) { p.Spec.Caveats = " " }, `caveats is empty`},
		{"no platforms", func(p *Plugin) { p.Spec.Platforms = nil }, `platforms is empty`},
		{"a platform less", func(p *Plugin) { p.Spec.Platforms = p.Spec.Platforms[1:] }, `has none for linux/amd64`},
		{"overlap", func(p *Plugin) { linux(p).Selector.MatchLabels = map[string]string{"os": "linux"} }, `\[0 1\] all select linux/arm64`},
		{"unknown platform", func(p *Plugin) { linux(p).Selector.MatchLabels["os"] = "plan9" }, `selects no platform that krew knows`},
		{"no selector", func(p *Plugin) { linux(p).Selector = nil }, `selector is empty`},
		{"empty selector", func(p *Plugin) { linux(p).Selector = &metav1.LabelSelector{} }, `selector is empty`},
		{"selector by something else", func(p *Plugin) { linux(p).Selector.MatchLabels["libc"] = "musl" }, `selector asks for "libc"`},
		{"no sum", func(p *Plugin) { linux(p).SHA256 = "" }, `sha256 "" is not 64`},
		{"short sum", func(p *Plugin) { linux(p).SHA256 = linux(p).SHA256[1:] }, `sha256 "1+" is not 64`},
		{"sum in capitals", func(p *Plugin) { linux(p).SHA256 = strings.Repeat("A", 64) }, `sha256 "A+" is not 64`},
		{"no uri", func(p *Plugin) { linux(p).URI = "" }, `uri "" is no https`},
		{"plain http", func(p *Plugin) { linux(p).URI = strings.Replace(linux(p).URI, "https", "http", 1) }, `uri "http:.*" is no https`},
		{"archive of another platform", func(p *Plugin) { linux(p).URI = strings.Replace(linux(p).URI, "amd64", "arm64", 1) }, `the archive for linux/amd64 is "mesh-certs_linux_amd64.tar.gz"`},
		{"no bin", func(p *Plugin) { linux(p).Bin = "" }, `bin is empty`},
		{"bin of another name", func(p *Plugin) { linux(p).Bin = "kubectl-mesh-certs" }, `on linux/amd64 it is "kubectl-mesh_certs"`},
		{"empty files", func(p *Plugin) { linux(p).Files = []File{} }, `files is there and empty`},
		{"file from nowhere", func(p *Plugin) { linux(p).Files[0].From = "" }, `files\[0\].from is empty`},
		{"file to nowhere", func(p *Plugin) { linux(p).Files[0].To = "" }, `files\[0\].to "" is no clean path`},
		{"file to an odd path", func(p *Plugin) { linux(p).Files[0].To = "./a" }, `files\[0\].to "./a" is no clean path`},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := whole(t, "mesh-certs")
			c.spoil(&p)
			if err := Check("mesh-certs", p, Targets); err == nil || !regexp.MustCompile(c.want).MatchString(err.Error()) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

func TestReadUnknownField(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.yaml")
	if err := os.WriteFile(file, []byte("kind: Plugin\nspec: {sha265: x}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(file); err == nil || !strings.Contains(err.Error(), `unknown field "sha265"`) {
		t.Error(err)
	}
}
