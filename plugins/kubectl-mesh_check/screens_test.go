package main

import (
	"testing"

	"github.com/kubectl-mesh/kubectl-mesh/internal/plugintest"
)

func TestScreens(t *testing.T) {
	plugintest.Screens(t, plugin, documents, "", "-o short")
}

func TestHelp(t *testing.T) { plugintest.Helped(t, plugin) }
