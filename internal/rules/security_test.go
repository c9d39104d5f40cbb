package rules_test

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// root is the folder of the whole project.
const root = "../.."

// functionsOf are the tests and fuzz targets of a folder.
func functionsOf(t *testing.T, folder string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`).FindAllStringSubmatch(string(text), -1) {
			out[m[1]] = true
		}
	}
	return out
}

func textOf(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// rowsOf are the rows of the first table in a section, by cell.
func rowsOf(t *testing.T, text, section string) [][]string {
	t.Helper()
	_, rest, ok := strings.Cut(text, "\n## "+section+"\n")
	if !ok {
		t.Fatalf("there is no section %s", section)
	}
	rest, _, _ = strings.Cut(rest, "\n## ")
	var out [][]string
	for line := range strings.Lines(rest) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "| ") && !strings.HasPrefix(line, "| ---") {
			out = append(out, strings.Split(strings.Trim(line, "| "), " | "))
		}
	}
	return out[1:]
}

// cited is a test that a document names: its folder and its name.
var cited = regexp.MustCompile("`([a-z0-9_/-]+)` ((?:Test|Fuzz)\\w+)")

// Every promise of SECURITY.md that is a part of the table is really one, and the tests that hold it
// are there; every paragraph that promises something has a row.
func TestPromisesAreHeld(t *testing.T) {
	security := strings.Join(strings.Fields(textOf(t, "SECURITY.md")), " ")
	page := textOf(t, "docs/security-tests.md")
	var promises []string
	for _, row := range rowsOf(t, page, "Promises") {
		if !strings.Contains(security, row[0]) {
			t.Errorf("SECURITY.md does not promise: %s", row[0])
		}
		promises = append(promises, row[0])
		tests := cited.FindAllStringSubmatch(row[1], -1)
		if len(tests) != strings.Count(row[1], ",")+1 {
			t.Errorf("%s: is this a list of tests: %s", row[0], row[1])
		}
		for _, m := range tests {
			if !functionsOf(t, m[1])[m[2]] {
				t.Errorf("%s: there is no %s in %s", row[0], m[2], m[1])
			}
		}
	}
	_, behaviour, _ := strings.Cut(textOf(t, "SECURITY.md"), "\n## What the plugins do\n")
	behaviour, _, _ = strings.Cut(behaviour, "\n## How releases are made")
	for paragraph := range strings.SplitSeq(behaviour, "\n\n**") {
		title, _, leads := strings.Cut(paragraph, ".**")
		if paragraph = strings.Join(strings.Fields(paragraph), " "); leads && !slices.ContainsFunc(promises, func(p string) bool { return strings.Contains(paragraph, p) }) {
			t.Errorf("no row of docs/security-tests.md is about %q", title)
		}
	}
}

// seeded reports whether a fuzz target adds inputs, or has a folder of them.
func seeded(t *testing.T, folder, target string) bool {
	t.Helper()
	if inputs, err := os.ReadDir(filepath.Join(root, folder, "testdata", "fuzz", target)); err == nil && len(inputs) > 0 {
		return true
	}
	files, err := filepath.Glob(filepath.Join(root, folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, function, found := strings.Cut(string(text), "\nfunc "+target+"(")
		if function, _, _ = strings.Cut(function, "\n}"); found && strings.Contains(function, "f.Add(") {
			return true
		}
	}
	return false
}

// Every fuzz target is listed, and has inputs in the tree.
func TestFuzzTargetsAreListed(t *testing.T) {
	var listed, targets []string
	for _, row := range rowsOf(t, textOf(t, "docs/security-tests.md"), "Fuzz targets") {
		m := cited.FindStringSubmatch(row[0])
		if m == nil {
			t.Fatalf("is this a target: %s", row[0])
		}
		listed = append(listed, m[1]+" "+m[2])
		if !seeded(t, m[1], m[2]) {
			t.Errorf("%s has no inputs in the tree", m[2])
		}
	}
	for _, top := range []string{"internal", "plugins"} {
		err := fs.WalkDir(os.DirFS(root), top, func(file string, entry fs.DirEntry, err error) error {
			if err == nil && entry.IsDir() {
				for name := range functionsOf(t, file) {
					if strings.HasPrefix(name, "Fuzz") {
						targets = append(targets, path.Clean(file)+" "+name)
					}
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(targets)
	if diff := cmp.Diff(targets, listed); diff != "" {
		t.Errorf("targets in the tree (-) and in docs/security-tests.md (+):\n%s", diff)
	}
}
