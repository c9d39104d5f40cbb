package views_test

import (
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/ambient"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/gateways"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/network"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/primaryremote"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// found is what the rules of all areas of which views show codes find in a mesh.
func found(m *model.Mesh) finding.Result {
	return rule.Run(m, slices.Concat(network.Rules(), gateways.Rules(), ambient.Rules(), primaryremote.Rules()), rule.Options{})
}
