package main

import (
	"bytes"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/dump"
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/golden"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remotesecrets"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/plugintest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// damaged is a fleet in which much is wrong at once, and what it says.
func damaged() (*facts.Fleet, facts.Seen) {
	return istiotest.Remote(nil, func(w istiotest.RemoteWorld) {
		w.At = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		w.Drop("east", "west")
		w.Refuse("north", "west")
		w.Deny("north", "pods")
		w.Say("west", "north", "timeout")
		w.Secret("west", "east").Access.Token.Expires = w.At.Add(36 * time.Hour)
		s := w.Secret("north", "east")
		s.Server, s.Access.Token.AccountUID = "https://west.example:6443", "account-west"
		resources.StraySecrets.Edit(w.Cluster("east")).Value = []facts.LooseSecret{{Namespace: "default", Name: "istio-remote-secret-west", Labelled: true, Label: "true", Cluster: "west"}}
	}, "east", "north", "west")()
}

func write(t *testing.T, name string, print func(*report.Page) error, width int, color bool) {
	t.Helper()
	var out bytes.Buffer
	if err := print(report.NewPage(&out, color, width, true)); err != nil {
		t.Fatal(err)
	}
	golden.Compare(t, filepath.Join("golden", name), out.String())
}

// listed is what "secrets" lists.
func listed(fleet *facts.Fleet, seen facts.Seen) remotesecrets.Listing {
	m := model.New(fleet, model.Options{Seen: seen})
	return remotesecrets.List(m, rule.Run(m, remotesecrets.Rules(), rule.Options{}))
}

// What a person sees.
func TestSecretsTable(t *testing.T) {
	fleet, seen := damaged()
	l := listed(fleet, seen)
	for _, width := range []int{0, 80} {
		for _, wide := range []bool{false, true} {
			if wide && width > 0 {
				continue // as the frame has it
			}
			write(t, fmt.Sprintf("secrets-%d-%t.txt", width, wide), func(p *report.Page) error { return secretsTable(p, l, wide) }, width, false)
		}
	}
	seen.NotAsked = "clusters of a dump cannot be asked"
	write(t, "secrets-dump.txt", func(p *report.Page) error {
		return secretsTable(p, listed(fleet, facts.Seen{NotAsked: seen.NotAsked}), false)
	}, 80, false)
	for _, color := range []bool{false, true} {
		fleet, seen := damaged()
		write(t, fmt.Sprintf("verify-%t.txt", color), func(p *report.Page) error {
			m := model.New(fleet, model.Options{Seen: seen})
			p.Findings(rule.Run(m, remotesecrets.Rules(), rule.Options{}), nil, false)
			return nil
		}, 80, color)
	}
}

// On dumps, as people run it.
func TestSecretsScripts(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]func() (*facts.Fleet, facts.Seen){"damaged": damaged, "sound": istiotest.Remote(nil, nil)} {
		fleet, _ := c()
		if err := dump.Write(filepath.Join(dir, "remotes", name), fleet, resources.All); err != nil {
			t.Fatal(err)
		}
	}
	plugintest.ScriptsIn(t, "testdata/remotes", filepath.Join(dir, "remotes"))
}
