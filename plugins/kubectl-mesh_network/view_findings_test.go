package main

import (
	"bytes"
	"crypto/x509"
	"regexp"
	"strings"
	"testing"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/golden"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/certs"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiomesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	probes "github.com/kubectl-mesh/kubectl-mesh/internal/istio/probing"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/probetest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
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
			fleet := istiotest.Networked("east", "west").Serve().Facts()
			bare := model.New(fleet, model.Options{})
			targets := probes.Targets(bare)
			for i := range attempts {
				attempts[i].Address = targets[1].Address
			}
			trials := probes.NewTrials(bare, targets[1:2], [][]facts.Attempt{attempts}, certs.Roots(fleet), istiotest.Now)
			var out bytes.Buffer
			report.NewPage(&out, false, 80, true).Findings(tried(fleet, trials), nil, false)
			golden.Compare(t, "findings/"+strings.ReplaceAll(name, " ", "-")+".txt", out.String())
		})
	}
}

// The same of a control plane that a remote cluster is told to use.
func TestControlPlaneFindings(t *testing.T) {
	pod := facts.Vantage{Context: "west", Namespace: "sample", Pod: "curl-5d5c8b9f7-00002", Container: "istio-proxy"}
	const name = "istiod.istio-system.svc"
	for file, c := range map[string]struct {
		attempt facts.Attempt
		// shown is the name in the certificate, by the CA of the mesh or another.
		shown string
		other bool
	}{
		"plane-timeout":    {facts.Attempt{Outcome: facts.Unanswered}, "", false},
		"plane-refused":    {facts.Attempt{Outcome: facts.Refused, From: pod}, "", false},
		"plane-reset":      {facts.Attempt{Outcome: facts.Reset, From: pod}, "", false},
		"plane-other-name": {facts.Attempt{Outcome: facts.Answered}, "istiod-canary.istio-system.svc", false},
		"plane-other-root": {facts.Attempt{Outcome: facts.Answered, From: pod}, name, true},
		"plane-web-server": {facts.Attempt{Outcome: facts.Answered}, "www.example.com", true},
		"plane-no-tool":    {facts.Attempt{Outcome: facts.Opened, Detail: "the tool only connects", From: pod}, "", false},
	} {
		t.Run(file, func(t *testing.T) {
			f := istiotest.PrimaryAndRemote("east", "west").Serve()
			fleet := f.Facts()
			if c.shown != "" {
				signer := f.Get("east").Signer
				if c.other {
					signer = istiotest.Root(istiotest.Spec{Name: "Other CA"})
				}
				for _, der := range probetest.Leaf(t, signer, c.shown).Certificate {
					certificate, err := x509.ParseCertificate(der)
					if err != nil {
						t.Fatal(err)
					}
					c.attempt.Certificates = append(c.attempt.Certificates, certificate)
				}
			}
			bare := model.New(fleet, model.Options{})
			targets := probes.Targets(bare)[2:4]
			var attempts [][]facts.Attempt
			for _, target := range targets {
				a := c.attempt
				a.Probe, a.IP = target.Probe, target.Address
				attempts = append(attempts, []facts.Attempt{a})
			}
			trials := probes.NewTrials(bare, targets, attempts, certs.Roots(fleet), istiotest.Now)
			var out bytes.Buffer
			p := report.NewPage(&out, false, 80, true)
			if err := probeTable(p, trials, false); err != nil {
				t.Fatal(err)
			}
			p.Blank()
			p.Findings(tried(fleet, trials), nil, false)
			text := fingerprint.ReplaceAllString(out.String(), "SHA256")
			golden.Compare(t, "findings/"+file+".txt", text)
		})
	}
}

// tried is what the rules make of a fleet and of what was tried.
func tried(fleet *facts.Fleet, trials probes.Trials) finding.Result {
	m := model.New(fleet, model.Options{Given: []any{trials}})
	return istiomesh.Judge(m, rule.Options{Topics: []rule.Topic{probes.Topic}}, mesh.Network)
}

// fingerprint is one of a certificate that was made for the test.
var fingerprint = regexp.MustCompile(`[0-9a-f]{64}`)
