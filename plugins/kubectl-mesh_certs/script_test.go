package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/glootest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/linkerdtest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/plugintest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"kubectl-mesh_certs": main})
}

// TestScripts runs the plugin as people do, on recorded fleets.
func TestScripts(t *testing.T) {
	gloo := glootest.Dumps(t, map[string]string{"agentless": "no agent is known", "forgotten": "the certificate is deleted"})
	plugintest.Scripts(t, "../../examples", gloo, linkerdtest.Dumps(t, "01-healthy", "02-anchors-differ", "03-anchors-rotating"))
}

// Every field of a machine-readable document is described.
// documents are what -o json prints, by kind.
var documents = map[string]any{"Report": report.Report{}, "WhatIf": report.WhatIf{}, "RootComparison": comparisonDocument{}, "CertificateList": listingDocument{}}

func TestOutputIsDocumented(t *testing.T) {
	plugintest.Documented(t, documents)
	plugintest.Published(t, documents)
}
