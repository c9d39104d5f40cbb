package manifest

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/version"
)

var (
	safeName    = regexp.MustCompile(`^[\w-]+$`)
	indexedName = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
	sum         = regexp.MustCompile(`^[a-f0-9]{64}$`)
	reserved    = regexp.MustCompile(`(?i)^(con|prn|aux|nul|com[1-9]|lpt[1-9])$`)
	lineBreak   = regexp.MustCompile(`[\r\n]`)
)

// Targets are those for which every plugin is released.
var Targets = []Target{
	{"linux", "amd64"}, {"linux", "arm64"}, {"darwin", "amd64"}, {"darwin", "arm64"}, {"windows", "amd64"}, {"windows", "arm64"},
}

// Check reports everything in a manifest that krew, krew-index or our own releases would
// not have. The name is that of the manifest's file, the targets are those that it has to
// serve.
func Check(name string, p Plugin, targets []Target) error {
	c := &checker{}
	c.wrong(p.APIVersion != APIVersion, "apiVersion is %q, not %q", p.APIVersion, APIVersion)
	c.wrong(p.Kind != Kind, "kind is %q, not %q", p.Kind, Kind)
	c.name(name, p)
	c.text(p.Spec)
	c.version(p.Spec.Version)
	c.wrong(len(p.Spec.Platforms) == 0, "spec.platforms is empty")
	for i, platform := range p.Spec.Platforms {
		field := fmt.Sprintf("spec.platforms[%d]", i)
		c.platform(field, p, platform)
		c.wrong(!slices.ContainsFunc(Known, platform.Selects), "%s.selector selects no platform that krew knows", field)
	}
	for _, t := range Known {
		var selected []int
		for i, platform := range p.Spec.Platforms {
			if platform.Selects(t) {
				selected = append(selected, i)
			}
		}
		c.wrong(len(selected) > 1, "spec.platforms%v all select %s", selected, t)
		c.wrong(len(selected) == 0 && slices.Contains(targets, t), "spec.platforms has none for %s", t)
	}
	return errors.Join(c.faults...)
}

type checker struct{ faults []error }

func (c *checker) wrong(is bool, format string, args ...any) {
	if is {
		c.faults = append(c.faults, fmt.Errorf(format, args...))
	}
}

func (c *checker) name(name string, p Plugin) {
	c.wrong(p.Name != name, "metadata.name is %q, and the file's name %q", p.Name, name)
	c.wrong(!safeName.MatchString(p.Name) || reserved.MatchString(p.Name), "metadata.name %q is none that krew takes", p.Name)
	c.wrong(
		!indexedName.MatchString(p.Name) || strings.HasPrefix(p.Name, "kube"),
		"metadata.name %q is none that krew-index takes: lower case, words with dashes between them, no kube before them",
		p.Name,
	)
}

// text is about what people read; krew-index asks for it in its guide.
func (c *checker) text(s Spec) {
	short := s.ShortDescription
	c.wrong(short == "", "spec.shortDescription is empty")
	c.wrong(lineBreak.MatchString(short), "spec.shortDescription is not one line")
	c.wrong(len(short) > 60, "spec.shortDescription has %d characters; 60 fit into the list of plugins", len(short))
	for _, word := range []string{"kubectl", "plugin"} {
		c.wrong(strings.Contains(strings.ToLower(short), word), "spec.shortDescription says %q, which goes without saying", word)
	}
	c.wrong(strings.TrimSpace(s.Description) == "", "spec.description is empty")
	c.wrong(strings.TrimSpace(s.Caveats) == "", "spec.caveats is empty; it says which rights a user needs")
	home, err := url.Parse(s.Homepage)
	c.wrong(err != nil || home.Scheme != "https" || home.Host == "", "spec.homepage %q is no https address", s.Homepage)
}

func (c *checker) version(v string) {
	_, err := version.ParseSemantic(v)
	c.wrong(!strings.HasPrefix(v, "v") || err != nil, "spec.version %q is no semantic version with a v before it", v)
}

func (c *checker) platform(field string, plugin Plugin, p Platform) {
	uri, err := url.Parse(p.URI)
	c.wrong(err != nil || uri.Scheme != "https" || uri.Host == "", "%s.uri %q is no https address", field, p.URI)
	if err == nil {
		folder := path.Base(path.Dir(uri.Path))
		c.wrong(folder != plugin.Spec.Version, "%s.uri is of release %q, and spec.version is %q", field, folder, plugin.Spec.Version)
	}
	c.wrong(!sum.MatchString(p.SHA256), "%s.sha256 %q is not 64 lower-case hexadecimal digits", field, p.SHA256)
	c.wrong(p.Bin == "", "%s.bin is empty", field)
	c.wrong(p.Files != nil && len(p.Files) == 0, "%s.files is there and empty", field)
	for i, f := range p.Files {
		c.wrong(f.From == "", "%s.files[%d].from is empty", field, i)
		c.wrong(f.To == "" || f.To != path.Clean(f.To), "%s.files[%d].to %q is no clean path", field, i, f.To)
	}
	c.selector(field, p)
	for _, t := range Targets {
		if !p.Selects(t) {
			continue
		}
		c.wrong(p.Bin != Link(plugin.Name, t), "%s.bin is %q; on %s it is %q", field, p.Bin, t, Link(plugin.Name, t))
		c.wrong(
			p.Archive() != ArchiveName(plugin.Name, t),
			"%s.uri ends in %q; the archive for %s is %q",
			field,
			p.Archive(),
			t,
			ArchiveName(plugin.Name, t),
		)
	}
}

func (c *checker) selector(field string, p Platform) {
	if p.Selector == nil || len(p.Selector.MatchLabels)+len(p.Selector.MatchExpressions) == 0 {
		c.wrong(true, "%s.selector is empty", field)
		return
	}
	var keys []string
	for key := range p.Selector.MatchLabels {
		keys = append(keys, key)
	}
	for _, e := range p.Selector.MatchExpressions {
		keys = append(keys, e.Key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		c.wrong(key != "os" && key != "arch", "%s.selector asks for %q; krew knows os and arch", field, key)
	}
}

// ArchiveName is the name that .goreleaser.yaml gives to the archive of a plugin.
func ArchiveName(plugin string, t Target) string {
	extension := ".tar.gz"
	if t.OS == "windows" {
		extension = ".zip"
	}
	return fmt.Sprintf("%s_%s_%s%s", plugin, t.OS, t.Arch, extension)
}
