package main

import (
	"testing"

	"github.com/kubectl-mesh/kubectl-mesh/internal/plugintest"
)

func TestScreens(t *testing.T) {
	plugintest.Screens(t, plugin, documents, "verify", "gateways", "labels", "map")
}

func TestHelp(t *testing.T) {
	plugintest.Helped(t, plugin, "verify", "gateways", "labels", "map", "probe")
}
