package command

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
)

func (f *Frame) newExplain() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "explain [CODE]",
		Short: "Explain a finding's code, or list all codes",
		Long: `Explain a finding's code: its symptom, cause, evidence and fix, and where the rule
comes from, and last which rights its rules use. Without a code it lists all codes of all
plugins. A code can be written as CERT004, CERT-04 or cert4.`,
		Example:           "  %[1]s explain CERT004\n  %[1]s explain",
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: completeCodes,
	}
	output := f.AddOutput(cmd)
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		format, err := output.Format()
		if err != nil {
			return err
		}
		entries, err := finding.Catalogue()
		if err != nil {
			return err
		}
		if len(args) == 1 {
			entry, err := finding.Lookup(args[0])
			if err != nil {
				return err
			}
			entries = []finding.Entry{entry}
		}
		return f.explain(entries, format, output, len(args) == 1)
	}
	return cmd
}

// explanation is the document of "explain".
type explanation struct {
	report.Meta
	Codes []explainedCode `json:"codes"`
}

type explainedCode struct {
	Code       finding.Code       `json:"code"`
	Meaning    string             `json:"meaning"`
	Severities []finding.Severity `json:"severities"`
	Text       string             `json:"text"`
	// Needs is what the rules read that find it.
	Needs []explainedNeed `json:"needs"`
}

// explainedNeed is something that rules read of a cluster, or ask of it.
type explainedNeed struct {
	What   string           `json:"what"`
	Rights []explainedRight `json:"rights"`
	// Instead are the rights that do where Rights are not given.
	Instead []explainedRight `json:"instead,omitempty"`
}

type explainedRight struct {
	Verb     string `json:"verb"`
	Group    string `json:"group"`
	Resource string `json:"resource"`
}

func explainedRights(grants []resource.Grant) []explainedRight {
	out := []explainedRight{}
	for _, g := range grants {
		out = append(out, explainedRight(g.Right))
	}
	return out
}

// needs is what the rules of all meshes read that find some codes.
func (p *Plugin) needs(codes ...finding.Code) []mesh.Need {
	var out []mesh.Need
	for _, m := range p.Meshes {
		out = append(out, m.Needs(codes...)...)
	}
	return out
}

// reads are the rights that needs take, each once: "get secrets; list pods, services".
func reads(needs []mesh.Need) string {
	by := map[string][]string{}
	var verbs []string
	for _, need := range needs {
		for _, g := range need.Grants {
			if by[g.Verb] == nil {
				verbs = append(verbs, g.Verb)
			}
			if !slices.Contains(by[g.Verb], g.Called()) {
				by[g.Verb] = append(by[g.Verb], g.Called())
			}
		}
	}
	slices.Sort(verbs)
	for i, verb := range verbs {
		slices.Sort(by[verb])
		verbs[i] += " " + strings.Join(by[verb], ", ")
	}
	return strings.Join(verbs, "; ")
}

func (f *Frame) explain(entries []finding.Entry, format report.Format, output *Output, whole bool) error {
	switch format.Kind() {
	case report.JSON, report.YAML:
		doc := explanation{Meta: report.NewMeta("Explanation")}
		for _, e := range entries {
			code := explainedCode{Code: e.Code, Meaning: e.Meaning, Severities: e.Severities, Text: e.Text, Needs: []explainedNeed{}}
			for _, need := range f.Plugin.needs(e.Code) {
				explained := explainedNeed{What: need.Name, Rights: explainedRights(need.Grants)}
				if len(need.Instead) > 0 {
					explained.Instead = explainedRights(need.Instead)
				}
				code.Needs = append(code.Needs, explained)
			}
			doc.Codes = append(doc.Codes, code)
		}
		return report.Encode(f.Out, format, doc)
	case report.Name:
		for _, e := range entries {
			if _, err := fmt.Fprintln(f.Out, e.Code); err != nil {
				return err
			}
		}
		return nil
	default: // a page, or a table
	}
	if whole {
		text := entries[0].Text
		if rights := reads(f.Plugin.needs(entries[0].Code)); rights != "" {
			text += "\nReads: " + rights + ".\n"
		}
		_, err := fmt.Fprint(f.Out, text)
		return err
	}
	var rows [][]string
	for _, e := range entries {
		rows = append(rows, []string{string(e.Code), e.Meaning})
	}
	return f.Page(output).Table([]string{"CODE", "MEANING"}, rows)
}
