package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/kubectl-mesh/kubectl-mesh/internal/plugintest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"kubectl-mesh_endpoints": main})
}

// TestScripts runs the plugin as people do, on recorded fleets.
func TestScripts(t *testing.T) { plugintest.Scripts(t, "testdata/fleets") }
