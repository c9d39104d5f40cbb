package command

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/similar"
)

func (f *Frame) newExplain() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "explain [CODE|AREA]...",
		Short: "Explain codes of findings, or list those of an area or all",
		Long: `Explain the code of a finding: its fix, symptom, cause and evidence, where the
rule comes from, and which rights its rules use. A code can be written as
CERT004, CERT-04 or cert4.

An area lists its codes: the letters of codes, such as GW, or a name, such as
trust. So does no argument at all, with all codes of all plugins. On a
terminal the page is shown by the program in PAGER, or by less.`,
		Example:           "  %[1]s explain CERT004\n  %[1]s explain GW\n  %[1]s explain",
		ValidArgsFunction: completeCodes,
	}
	output := f.AddOutput(cmd)
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		format, err := output.Format()
		if err != nil {
			return err
		}
		entries, whole, err := explained(args)
		if err != nil {
			return err
		}
		return f.explain(entries, format, output, whole)
	}
	return cmd
}

// explained are the entries that arguments name, each once, all without arguments. whole: they are
// named by their codes alone, and not by an area.
func explained(args []string) (entries []finding.Entry, whole bool, err error) {
	if len(args) == 0 {
		entries, err = finding.Catalogue()
		return entries, false, err
	}
	whole = true
	for _, arg := range args {
		found, isCode, err := finding.Find(arg)
		if err != nil {
			return nil, false, meant(err, arg)
		}
		whole = whole && isCode
		for _, e := range found {
			if !slices.ContainsFunc(entries, func(o finding.Entry) bool { return o.Code == e.Code }) {
				entries = append(entries, e)
			}
		}
	}
	return entries, whole, nil
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
		return f.manual(entries, output)
	}
	var rows [][]string
	for _, e := range entries {
		rows = append(rows, []string{string(e.Code), e.Meaning})
	}
	return f.Page(output).Table([]string{"CODE", "MEANING"}, rows)
}

// manual prints whole pages: as they are, or on a terminal as a manual.
func (f *Frame) manual(entries []finding.Entry, output *Output) error {
	_, isTerminal := f.terminal()
	var out bytes.Buffer
	page := report.NewPage(&out, f.Page(output).Color, f.Page(output).Width, true)
	for i, e := range entries {
		text := e.Text
		if rights := reads(f.Plugin.needs(e.Code)); rights != "" {
			text += "\nReads: " + rights + ".\n"
		}
		if i > 0 {
			out.WriteByte('\n')
		}
		if isTerminal || page.Color {
			page.Manual(text)
		} else {
			out.WriteString(text)
		}
	}
	return f.paged(out.Bytes())
}

// meant adds to an error about a code which one may have been meant, if its letters are those of none.
func meant(err error, code string) error {
	entries, failed := finding.Catalogue()
	if failed != nil {
		return err
	}
	code = strings.ToUpper(code)
	var codes []string
	for _, e := range entries {
		if strings.TrimRight(code, "0123456789") == strings.TrimRight(string(e.Code), "0123456789") {
			return err
		}
		codes = append(codes, string(e.Code))
	}
	if near := similar.Typo(code, codes); near != "" {
		return fmt.Errorf("%w; did you mean %s?", err, near)
	}
	return err
}
