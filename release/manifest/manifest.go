// Package manifest reads, fills in, checks and installs krew's manifests of plugins, as
// krew itself does. krew cannot be imported: what it demands is written here anew, after
// its packages internal/index/validation, internal/installation, internal/download and its
// program validate-krew-manifest.
package manifest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"
)

// What krew writes into manifests and receipts.
const (
	APIVersion = "krew.googlecontainertools.github.com/v1alpha2"
	Kind       = "Plugin"
	Extension  = ".yaml"
)

// Plugin is a manifest.
type Plugin struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              Spec `json:"spec"`
}

// Spec is what a manifest says of its plugin.
type Spec struct {
	Version          string     `json:"version,omitempty"`
	Homepage         string     `json:"homepage,omitempty"`
	ShortDescription string     `json:"shortDescription,omitempty"`
	Description      string     `json:"description,omitempty"`
	Caveats          string     `json:"caveats,omitempty"`
	Platforms        []Platform `json:"platforms,omitempty"`
}

// Platform is how the plugin is installed on the platforms that its selector selects.
type Platform struct {
	Selector *metav1.LabelSelector `json:"selector,omitempty"`
	URI      string                `json:"uri,omitempty"`
	SHA256   string                `json:"sha256,omitempty"`
	Bin      string                `json:"bin"`
	Files    []File                `json:"files"`
}

// File says what of the archive is installed, and under which name; From may be a glob.
type File struct {
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
}

// Archive is the name of the archive's file.
func (p Platform) Archive() string { return p.URI[strings.LastIndex(p.URI, "/")+1:] }

// Target is an operating system and an architecture, in Go's names.
type Target struct{ OS, Arch string }

func (t Target) String() string { return t.OS + "/" + t.Arch }

// Known are the targets that krew knows (cmd/validate-krew-manifest).
var Known = []Target{
	{"windows", "386"}, {"windows", "amd64"}, {"windows", "arm64"},
	{"linux", "386"}, {"linux", "amd64"}, {"linux", "arm"}, {"linux", "arm64"}, {"linux", "ppc64le"},
	{"darwin", "386"}, {"darwin", "amd64"}, {"darwin", "arm64"},
}

// Selects tells whether the platform is for a target; a selector that is none selects
// nothing.
func (p Platform) Selects(t Target) bool {
	selector, err := metav1.LabelSelectorAsSelector(p.Selector)
	return err == nil && selector.Matches(labels.Set{"os": t.OS, "arch": t.Arch})
}

// For returns the first platform for a target.
func (p Plugin) For(t Target) (Platform, error) {
	for _, platform := range p.Spec.Platforms {
		if platform.Selects(t) {
			return platform, nil
		}
	}
	return Platform{}, fmt.Errorf("the manifest of %s has no platform for %s", p.Name, t)
}

// Link is the name under which krew puts the plugin on the PATH, by which kubectl finds it.
func Link(plugin string, t Target) string {
	name := "kubectl-" + strings.ReplaceAll(plugin, "-", "_")
	if t.OS == "windows" {
		name += ".exe"
	}
	return name
}

// Read reads the manifest in a file, and reports a field that is none, for krew would pass
// over it in silence. Check tells whether what it says is right.
func Read(file string) (Plugin, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return Plugin{}, err
	}
	p, err := parse(text)
	if err != nil {
		return Plugin{}, fmt.Errorf("%s: %w", file, err)
	}
	return p, nil
}

func parse(text []byte) (Plugin, error) {
	var p Plugin
	return p, yaml.UnmarshalStrict(text, &p)
}

// NameOf is the name of the plugin whose manifest is in a file.
func NameOf(file string) string { return strings.TrimSuffix(filepath.Base(file), Extension) }
