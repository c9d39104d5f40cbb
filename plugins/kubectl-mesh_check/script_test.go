package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/kubectl-mesh/kubectl-mesh/internal/command"
	"github.com/kubectl-mesh/kubectl-mesh/internal/plugintest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"kubectl-mesh_check": main})
}

// TestScripts runs the plugin as people do, on recorded fleets.
func TestScripts(t *testing.T) { plugintest.Scripts(t, "../../examples") }

// Every field of a machine-readable document is described.
// documents are what -o json prints, by kind.
var documents = map[string]any{"CheckUp": report.CheckUp{}}

func TestOutputIsDocumented(t *testing.T) {
	plugintest.Documented(t, documents)
	plugintest.Published(t, documents)
	plugintest.Published(t, command.Documents())
}
