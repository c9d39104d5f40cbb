package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/golden"
	"github.com/kubectl-mesh/kubectl-mesh/internal/meshtest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/network"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
	"github.com/kubectl-mesh/kubectl-mesh/internal/trust"
)

// What a person reads of what was tried, on a terminal of 80 columns.
func TestTrialFindings(t *testing.T) {
	pod := facts.Vantage{Context: "east", Namespace: "sample", Pod: "curl-5d5c8b9f7-00002", Container: "istio-proxy"}
	for name, attempts := range map[string][]facts.Attempt{
		"this machine": {{Outcome: facts.Unanswered}},
		"a pod":        {{Outcome: facts.Refused, From: pod}},
		"both":         {{Outcome: facts.Opened}, {Outcome: facts.Unanswered, From: pod}},
		"plain text":   {{Outcome: facts.Foreign, Detail: "it answers in plain text: HTTP/1.1 400 Bad Request", From: pod}},
		"no tool":      {{Outcome: facts.NotTried, Detail: "the container has nothing to try it with", From: pod}},
	} {
		t.Run(name, func(t *testing.T) {
			fleet := meshtest.Networked("east", "west").Serve().Facts()
			targets := network.Targets(fleet, network.Options{})
			for i := range attempts {
				attempts[i].Address = targets[1].Address
			}
			trials := network.Trials(fleet, targets[1:], [][]facts.Attempt{attempts}, trust.Roots(fleet), meshtest.Now)
			var out bytes.Buffer
			report.NewPage(&out, false, 80, true).Findings(network.Verify(fleet, network.Options{Trials: trials}), false)
			golden.Compare(t, "findings/"+strings.ReplaceAll(name, " ", "-")+".txt", out.String())
		})
	}
}
