package report

import (
	"net/url"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/printable"
)

// pages is where the page of a code is to be read.
const pages = "https://github.com/kubectl-mesh/kubectl-mesh/blob/main/docs/findings/"

// sarifLog is a result as the Static Analysis Results Interchange Format has it, 2.1.0 (OASIS).
type sarifLog struct {
	Schema  string     `json:"$schema"`
	Version string     `json:"version"`
	Runs    []sarifRun `json:"runs"`
}

type sarifRun struct {
	Tool        sarifTool         `json:"tool"`
	Invocations []sarifInvocation `json:"invocations"`
	Results     []sarifResult     `json:"results"`
}

type sarifTool struct {
	Driver sarifDriver `json:"driver"`
}

type sarifDriver struct {
	Name           string      `json:"name"`
	Version        string      `json:"version,omitempty"`
	InformationURI string      `json:"informationUri"`
	Rules          []sarifRule `json:"rules"`
}

type sarifRule struct {
	ID               string    `json:"id"`
	ShortDescription sarifText `json:"shortDescription"`
	HelpURI          string    `json:"helpUri"`
}

type sarifText struct {
	Text string `json:"text"`
}

type sarifInvocation struct {
	ExecutionSuccessful bool                `json:"executionSuccessful"`
	EndTimeUTC          string              `json:"endTimeUtc"`
	Notifications       []sarifNotification `json:"toolExecutionNotifications"`
}

type sarifNotification struct {
	Level   string    `json:"level"`
	Message sarifText `json:"message"`
}

type sarifResult struct {
	RuleID              string            `json:"ruleId"`
	RuleIndex           int               `json:"ruleIndex"`
	Level               string            `json:"level"`
	Message             sarifText         `json:"message"`
	Locations           []sarifLocation   `json:"locations"`
	PartialFingerprints map[string]string `json:"partialFingerprints"`
	// BaselineState is "unchanged" where the finding is in the baseline.
	BaselineState string             `json:"baselineState,omitempty"`
	Suppressions  []sarifSuppression `json:"suppressions,omitempty"`
}

type sarifSuppression struct {
	Kind          string `json:"kind"`
	Justification string `json:"justification"`
}

type sarifLocation struct {
	Physical sarifPhysical  `json:"physicalLocation"`
	Logical  []sarifLogical `json:"logicalLocations"`
}

type sarifPhysical struct {
	Artifact sarifArtifact `json:"artifactLocation"`
}

type sarifArtifact struct {
	URI string `json:"uri"`
}

type sarifLogical struct {
	FullyQualifiedName string `json:"fullyQualifiedName"`
	Kind               string `json:"kind"`
}

// sarif is the result with a rule for each code that was checked. A location is a cluster and
// the object in it; viewers that know files alone show it as a path.
func (p Pipeline) sarif() sarifLog {
	run := sarifRun{
		Tool: sarifTool{Driver: sarifDriver{
			Name: "kubectl " + p.Command, Version: p.Version, InformationURI: "https://github.com/kubectl-mesh/kubectl-mesh", Rules: []sarifRule{},
		}},
		Results: []sarifResult{},
	}
	for _, code := range p.Codes {
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRule{
			ID: string(code), ShortDescription: sarifText{p.Meaning(code)}, HelpURI: pages + string(code) + ".md",
		})
	}
	all := make([]finding.Apart, 0, len(p.Result.Findings)+len(p.Result.Apart))
	for _, f := range p.Result.Findings {
		all = append(all, finding.Apart{Finding: f})
	}
	for i, f := range append(all, p.Result.Apart...) {
		result := sarifResult{
			RuleID: string(f.Code), RuleIndex: slices.Index(p.Codes, f.Code), Level: string(f.Severity),
			Message:             sarifText{printable.Line(f.Title) + "\n" + prose(f.Finding)},
			PartialFingerprints: map[string]string{"finding/v1": f.ID()},
		}
		switch {
		case f.Suppressed():
			result.Suppressions = []sarifSuppression{{"external", printable.Line(f.Reason)}}
		case i >= len(p.Result.Findings):
			result.BaselineState = "unchanged"
		}
		for _, cluster := range f.Clusters {
			name, path := cluster, url.PathEscape(cluster)
			if f.Object != (finding.Object{}) && (f.ObjectIn == "" || f.ObjectIn == cluster) {
				name += "/" + f.Object.String()
				for part := range strings.FieldsFuncSeq(f.Object.String(), func(r rune) bool { return r == ' ' || r == '/' }) {
					path += "/" + url.PathEscape(part)
				}
			}
			result.Locations = append(result.Locations, sarifLocation{
				Physical: sarifPhysical{sarifArtifact{path}}, Logical: []sarifLogical{{name, "resource"}},
			})
		}
		run.Results = append(run.Results, result)
	}
	invocation := sarifInvocation{
		ExecutionSuccessful: true, EndTimeUTC: p.At.UTC().Format("2006-01-02T15:04:05Z"), Notifications: []sarifNotification{},
	}
	for _, u := range p.Result.Unknowns {
		codes := make([]string, len(u.Codes))
		for i, c := range u.Codes {
			codes[i] = string(c)
		}
		invocation.Notifications = append(invocation.Notifications, sarifNotification{
			Level: "warning", Message: sarifText{u.Cluster + ": " + u.Reason.Text + ": not checked: " + strings.Join(codes, ", ")},
		})
	}
	run.Invocations = []sarifInvocation{invocation}
	return sarifLog{Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0", Runs: []sarifRun{run}}
}
