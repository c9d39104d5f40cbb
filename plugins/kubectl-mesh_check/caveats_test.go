package main

import (
	"testing"

	"github.com/kubectl-mesh/kubectl-mesh/internal/plugintest"
)

// The manifest for krew tells which rights the plugin needs.
func TestCaveats(t *testing.T) { plugintest.Caveats(t, plugin) }
