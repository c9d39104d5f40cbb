package main

import (
	"testing"

	"github.com/kubectl-mesh/kubectl-mesh/internal/plugintest"
)

func TestScreens(t *testing.T) {
	plugintest.Screens(t, plugin, documents, "verify", "diff", "list")
}

func TestHelp(t *testing.T) { plugintest.Helped(t, plugin, "verify", "diff", "list") }
