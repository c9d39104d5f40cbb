package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/kubectl-mesh/kubectl-mesh/internal/command"
	"github.com/kubectl-mesh/kubectl-mesh/internal/input/inputtest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/plugintest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"kubectl-mesh_check": main})
}

// TestScripts runs the plugin as people do, on recorded fleets.
func TestScripts(t *testing.T) { plugintest.Scripts(t, "../../examples", reports(t)) }

// reports are files that people send of the clusters of a fleet, in a folder of that name.
func reports(t *testing.T) string {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "reports")
	var fleet *istiotest.Fleet
	for _, c := range istiotest.EndpointFaults {
		if fleet == nil && strings.HasPrefix(strings.Join(c.Want, " "), "EP003 ") {
			fleet = c.Fleet()
		}
	}
	for _, c := range fleet.Clusters {
		one := &inputtest.Cluster{Context: c.Name, Server: c.Server, At: istiotest.Now, Objects: c.Objects(), Rows: resources.All}
		inputtest.Files{
			"bug-report-" + c.Name + ".tar.gz":   string(one.BugReport(t, inputtest.Release{FullSecrets: true}).TarGz(t)),
			"without-secrets-" + c.Name + ".tgz": string(one.BugReport(t, inputtest.Release{Split: true}).TarGz(t)),
			"gather-" + c.Name + ".zip":          string(one.MustGather(t, istiotest.System).Zip(t)),
			"lists/" + c.Name + ".yaml":          one.List(t),
		}.Write(t, folder)
		one.ClusterInfo(t).Below("info-"+c.Name).Write(t, folder)
	}
	return folder
}

// Every field of a machine-readable document is described.
// documents are what -o json prints, by kind.
var documents = map[string]any{"CheckUp": report.CheckUp{}, "WhatIf": report.WhatIf{}}

func TestOutputIsDocumented(t *testing.T) {
	plugintest.Documented(t, documents)
	plugintest.Published(t, documents)
	plugintest.Published(t, command.Documents())
}
