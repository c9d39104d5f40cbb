package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/kubectl-mesh/kubectl-mesh/internal/golden"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"kubectl-mesh_network": main})
}

// TestScripts runs the plugin as people do, on recorded fleets.
func TestScripts(t *testing.T) {
	fleets, err := filepath.Abs("testdata/fleets")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", UpdateScripts: *golden.Update, RequireExplicitExec: true, RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("HOME", env.WorkDir)
			// By a link, so that no path of this machine is in what is expected.
			return os.Symlink(fleets, filepath.Join(env.WorkDir, "fleets"))
		},
	})
}
