package rules_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/reach"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rules"
)

// literals are the string literals of the code of the project, tests and fixtures apart, with
// the folders and files in which each stands.
func literals(t *testing.T) map[string][]string {
	t.Helper()
	root := filepath.Join("..", "..")
	out := map[string][]string{}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		switch relative = filepath.ToSlash(relative); {
		case d.IsDir() && (slices.Contains([]string{"test", "release", "cases", ".git", "bin"}, relative) ||
			strings.HasSuffix(relative, "test") && relative != "."):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(relative, ".go") || strings.HasSuffix(relative, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
				if text, err := strconv.Unquote(l.Value); err == nil && !slices.Contains(out[text], relative) {
					out[text] = append(out[text], relative)
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// A code is named where its rule is declared, and by rules whose cause or consequence it is: a
// new rule touches its folder and its page. Neither the general rooms nor what prints, lists and draws
// names one.
func TestWhereCodesAreNamed(t *testing.T) {
	where := literals(t)
	areas := []string{"internal/reach"}
	for _, area := range []string{"certs", "network", "gateways", "ambient", "primaryremote", "remotesecrets", "endpoints", "releases", "controlplane"} {
		areas = append(areas, "internal/istio/"+area)
	}
	for _, area := range []string{"certs", "network", "endpoints", "controlplane"} {
		areas = append(areas, "internal/linkerd/"+area, "internal/gloo/"+area)
	}
	var codes []finding.Code
	for _, report := range reach.Reports() {
		codes = append(codes, report.Code)
	}
	for _, m := range rules.Meshes() {
		codes = append(codes, m.Codes("control plane", "certs", "network", "endpoints")...)
	}
	if len(codes) < 150 {
		t.Fatalf("only %d codes", len(codes))
	}
	for _, code := range codes {
		files := where[string(code)]
		if len(files) == 0 {
			t.Errorf("%s is named nowhere", code)
		}
		for _, file := range files {
			if !slices.Contains(areas, path.Dir(file)) {
				t.Errorf("%s names %s, and holds no rules", file, code)
			}
		}
	}
}

// A kind is one row: what the row is called in dumps and to people is in one file of the tables, and
// nobody else knows its file.
func TestWhereKindsAreNamed(t *testing.T) {
	where := literals(t)
	for _, m := range rules.Meshes() {
		for _, row := range m.Table() {
			about := row.About()
			for _, name := range []string{about.File, about.Name} {
				in := slices.DeleteFunc(slices.Clone(where[name]), func(file string) bool { return !inTablesOf(m, file) })
				if len(in) > 1 { // none: it is made of a constant
					t.Errorf("row %s: %q is in several files of the tables: %v", row, name, in)
				}
			}
			if !strings.Contains(about.File, "-") {
				continue // a word like any other
			}
			for _, file := range where[about.File] {
				if !inTables(file) {
					t.Errorf("%s names %q, the file of a row", file, about.File)
				}
			}
		}
	}
}

// inTablesOf reports whether a file is of the rows that a mesh reads: its own, or those of every mesh.
func inTablesOf(m mesh.Mesh, file string) bool {
	folder, _, _ := strings.Cut(strings.ToLower(m.Name()), " ")
	return slices.Contains([]string{"internal/" + folder + "/resources", "internal/resource/kubernetes"}, path.Dir(file))
}

func inTables(file string) bool {
	return slices.Contains([]string{"internal/istio/resources", "internal/linkerd/resources", "internal/gloo/resources", "internal/resource/kubernetes"}, path.Dir(file))
}
