package plugintest

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-mesh/kubectl-mesh/internal/command"
	"github.com/kubectl-mesh/kubectl-mesh/internal/golden"
	"github.com/kubectl-mesh/kubectl-mesh/internal/kinds"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
)

// table are the lines of a manifest for krew with the rights that a plugin needs.
var table = regexp.MustCompile(`(?m)(?:^      (?:get, list|get|list|create) {2,}.*\n)+`)

// Caveats checks that the manifest for krew has the rights that the plugin's rows take in a
// table, which -update writes, and names all that its rules read and ask besides.
func Caveats(t *testing.T, plugin command.Plugin) {
	t.Helper()
	path := "../../krew-manifests/" + plugin.Name + ".yaml"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at, want := table.FindIndex(text), tableOf(plugin.Rows())
	if at == nil {
		t.Fatalf("%s has no table of rights", path)
	}
	if *golden.Update {
		text = slices.Concat(text[:at[0]], []byte(want), text[at[1]:])
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
	} else if diff := cmp.Diff(want, string(text[at[0]:at[1]])); diff != "" {
		t.Errorf("rights in %s (-want +got); go test -update writes them:\n%s", path, diff)
	}
	var manifest struct {
		Spec struct {
			Caveats string `json:"caveats"`
		} `json:"spec"`
	}
	if err := yaml.Unmarshal(text, &manifest); err != nil {
		t.Fatal(err)
	}
	var needs []mesh.Need
	for _, row := range plugin.Rows() {
		needs = append(needs, mesh.Need{Name: row.String(), Grants: []resource.Grant{row.About().Grant()}})
	}
	for _, m := range plugin.Meshes {
		needs = append(needs, m.Needs(m.Codes(plugin.Areas...)...)...)
	}
	for _, need := range needs {
		for _, g := range slices.Concat(need.Grants, need.Instead) {
			if !regexp.MustCompile(`(?:^|\W)` + regexp.QuoteMeta(g.Resource) + `\b`).MatchString(manifest.Spec.Caveats) {
				t.Errorf("%s does not name %s, which %s take", path, g.Right, need.Name)
			}
		}
	}
}

// verbs are in the order of the table.
var verbs = []string{"get", "list", "create"}

// tableOf are the lines of the table: resources with the same verbs, groups and place in one.
func tableOf(rows resource.Set) string {
	type object struct{ name, after string }
	may := map[object][]string{}
	var objects []object
	for _, row := range rows {
		if row.About().Later {
			continue // read only where facts lead there, which the caveats tell in words
		}
		g := row.About().Grant()
		o := object{name: g.Resource}
		switch {
		case g.Verb == "create":
			o.after = " (a question: it changes nothing)"
		case row.About().Metadata && g.Scope == resource.Cluster && kinds.BuiltIn(g.Group):
			o.after = " in all namespaces (their metadata alone is sent)"
		case !kinds.BuiltIn(g.Group):
			o.after = " in " + g.Group
		case g.Scope == resource.System && everywhere(rows, g.Right):
		case g.Scope == resource.System:
			o.after = " in the namespace of Istio"
		}
		if may[o] == nil {
			objects = append(objects, o)
		}
		if !slices.Contains(may[o], g.Verb) {
			may[o] = append(may[o], g.Verb)
		}
	}
	lines := map[string][]string{} // the names, by verbs and what comes after the names
	var order []string
	for _, o := range objects {
		slices.SortFunc(may[o], func(a, b string) int { return slices.Index(verbs, a) - slices.Index(verbs, b) })
		key := strings.Join(may[o], ", ") + "|" + o.after
		if lines[key] == nil {
			order = append(order, key)
		}
		lines[key] = append(lines[key], o.name)
	}
	slices.SortStableFunc(order, func(a, b string) int {
		_, first, _ := strings.Cut(a, "|")
		_, second, _ := strings.Cut(b, "|")
		return strings.Compare(first, second)
	})
	var out strings.Builder
	for _, key := range order {
		verbs, after, _ := strings.Cut(key, "|")
		names := slices.Sorted(slices.Values(lines[key]))
		for len(names) > 0 {
			n := 1
			for n < len(names) && len(strings.Join(names[:n+1], ", ")+after) <= most {
				n++
			}
			out.WriteString("      " + (verbs + strings.Repeat(" ", 12))[:12] + strings.Join(names[:n], ", ") + after + "\n")
			names = names[n:]
		}
	}
	return out.String()
}

// everywhere reports whether a right that a row takes in the system namespace is one that
// another row takes in all namespaces for whole objects.
func everywhere(rows resource.Set, right resource.Right) bool {
	return slices.ContainsFunc(rows, func(row resource.Resource) bool {
		about := row.About()
		return about.Right() == right && about.Scope == resource.Cluster && !about.Metadata && !about.Later
	})
}

// most is how wide a line of the table is after the verbs.
const most = 64
