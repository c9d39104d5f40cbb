package rules_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/kubectl-mesh/kubectl-mesh/internal/styletest"
)

// sentence is text in the source: literals that are joined by "+" are one.
func sentence(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		if e.Kind == token.STRING {
			text, err := strconv.Unquote(e.Value)
			return text, err == nil
		}
	case *ast.BinaryExpr:
		if e.Op == token.ADD {
			left, is := sentence(e.X)
			right, isToo := sentence(e.Y)
			return left + right, is || isToo
		}
	case *ast.ParenExpr:
		return sentence(e.X)
	}
	return "…", false
}

// What the source says to people: titles, effects, fixes, evidence, help and errors. Tests, fixtures, the
// tools of the release and the names of packages and fields are no words for people.
func TestWordsOfTheSource(t *testing.T) {
	root, files := filepath.Join("..", ".."), 0
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative := filepath.ToSlash(strings.TrimPrefix(strings.TrimPrefix(name, root), string(filepath.Separator)))
		switch {
		case d.IsDir() && (slices.Contains([]string{"test", "release", "cases", ".git", "bin", "internal/istio/topology"}, relative) || strings.HasSuffix(relative, "test")):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(relative, ".go") || strings.HasSuffix(relative, "_test.go"):
			return nil
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, name, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		files++
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ImportSpec:
				return false
			case *ast.Field:
				n.Tag = nil
			case *ast.CallExpr:
				return !isPattern(n) // what others say
			case ast.Expr:
				text, is := sentence(n)
				if !is {
					return true
				}
				for _, refused := range styletest.Refused(styletest.Prose(text)) {
					t.Errorf("%s:%d: %s", relative, set.Position(n.Pos()).Line, refused)
				}
				return false
			}
			return true
		})
		return nil
	})
	if err != nil || files < 100 {
		t.Fatalf("%d files: %v", files, err)
	}
}

// isPattern reports whether a call makes a regular expression.
func isPattern(call *ast.CallExpr) bool {
	f, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	from, _ := f.X.(*ast.Ident)
	return f.Sel.Name == "MustCompile" || from != nil && from.Name == "pattern"
}

// What the documents of the project say; what has its own words is quoted there as code.
func TestWordsOfTheDocuments(t *testing.T) {
	var pages []string
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/findings/*.md", "cases/*.md", "examples/*.md", "krew-manifests/*"} {
		found, err := filepath.Glob(filepath.Join("..", "..", pattern))
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, found...)
	}
	if len(pages) < 200 {
		t.Fatalf("only %d pages", len(pages))
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, refused := range styletest.Refused(styletest.Prose(string(text))) {
			t.Errorf("%s: %s", filepath.ToSlash(page), refused)
		}
	}
}
