// Package plugintest is what the tests of all plugins share: scripts that run the
// plugin as people do, and whether the machine-readable output is documented.
package plugintest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/golden"
)

// Scripts runs the scripts in testdata/script. Each has a folder of its own, in which
// folders of recorded fleets appear under their last name: by a link, so that no path of
// this machine is in what is expected.
func Scripts(t *testing.T, folders ...string) {
	t.Helper()
	ScriptsIn(t, "testdata/script", folders...)
}

// ScriptsIn is Scripts for those of another folder.
func ScriptsIn(t *testing.T, dir string, folders ...string) {
	t.Helper()
	testscript.Run(t, testscript.Params{
		Dir: dir, UpdateScripts: *golden.Update, RequireExplicitExec: true, RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("HOME", env.WorkDir)
			for _, folder := range folders {
				path, err := filepath.Abs(folder)
				if err != nil {
					return err
				}
				if err := os.Symlink(path, filepath.Join(env.WorkDir, filepath.Base(folder))); err != nil {
					return err
				}
			}
			return nil
		},
	})
}

// Documented checks that docs/output.md has a section for each kind of document,
// and tells of every field in it.
func Documented(t *testing.T, documents map[string]any) {
	t.Helper()
	text, err := os.ReadFile("../../docs/output.md")
	if err != nil {
		t.Fatal(err)
	}
	for kind, document := range documents {
		_, section, found := strings.Cut(string(text), "## "+kind+":")
		if !found {
			t.Errorf("docs/output.md has no section about %s", kind)
		}
		section, _, _ = strings.Cut(section, "\n## ")
		for field := range fields(reflect.TypeOf(document)) {
			if field != "apiVersion" && field != "kind" && !strings.Contains(section, "`"+field+"`") && !strings.Contains(section, "`"+field+"[]`") {
				t.Errorf("docs/output.md does not tell of %s in %s", field, kind)
			}
		}
	}
}

// fields are the names that a type and what it holds have in JSON.
func fields(t reflect.Type) map[string]bool {
	out := map[string]bool{}
	switch {
	case t == reflect.TypeFor[finding.Step]():
		out["say"], out["run"] = true, true
		return out
	case t.Implements(reflect.TypeFor[json.Marshaler]()):
		return out // it says itself how it is written
	}
	switch t.Kind() {
	case reflect.Slice, reflect.Pointer:
		return fields(t.Elem())
	case reflect.Struct:
		for _, f := range reflect.VisibleFields(t) {
			if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" && name != "-" {
				out[name] = true
			}
			if f.Type != t {
				for name := range fields(f.Type) {
					out[name] = true
				}
			}
		}
	}
	return out
}
