package manifest

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"text/template"

	"sigs.k8s.io/yaml"
)

// Sums are the checksums of a release: by the name of a file, its SHA-256 in lower-case
// hexadecimal.
type Sums map[string]string

// ParseSums reads checksums.txt, as sha256sum writes it.
func ParseSums(text string) (Sums, error) {
	sums := Sums{}
	for i, line := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		fields := strings.Fields(line)
		if len(fields) != 2 || !sum.MatchString(fields[0]) {
			return nil, fmt.Errorf("line %d of the checksums is no sum and name: %q", i+1, line)
		}
		sums[strings.TrimPrefix(fields[1], "*")] = fields[0]
	}
	return sums, nil
}

// Render fills a template in for a release: {{ .Tag }}, and {{ sha256 "ARCHIVE" }} from the
// sums. An archive that has no sum is an error, unless the release is partial, made for
// some platforms alone: then the manifest is for these.
func Render(name, text, tag string, sums Sums, partial bool) ([]byte, error) {
	var missing []string
	t, err := template.New(name).Option("missingkey=error").Funcs(template.FuncMap{
		"sha256": func(archive string) string {
			if sums[archive] == "" {
				missing = append(missing, archive)
			}
			return sums[archive]
		},
	}).Parse(text)
	if err != nil {
		return nil, fmt.Errorf("template: %w", err)
	}
	var out bytes.Buffer
	if err := t.Execute(&out, struct{ Tag string }{tag}); err != nil {
		return nil, fmt.Errorf("template: %w", err)
	}
	if len(missing) == 0 {
		return out.Bytes(), nil
	}
	if !partial {
		return nil, fmt.Errorf("the checksums lack %s", strings.Join(missing, ", "))
	}
	p, err := parse(out.Bytes())
	if err != nil {
		return nil, err
	}
	p.Spec.Platforms = slices.DeleteFunc(p.Spec.Platforms, func(platform Platform) bool { return platform.SHA256 == "" })
	return yaml.Marshal(p)
}
