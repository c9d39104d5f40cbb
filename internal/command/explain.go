package command

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
)

func (f *Frame) newExplain() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "explain [CODE]",
		Short: "Explain a finding's code, or list all codes",
		Long: `Explain a finding's code: its symptom, cause, evidence and fix, and where the rule
comes from. Without a code it lists all codes of all plugins. A code can be written
as CERT004, CERT-04 or cert4.`,
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
}

func (f *Frame) explain(entries []finding.Entry, format report.Format, output *Output, whole bool) error {
	switch format {
	case report.JSON, report.YAML:
		doc := explanation{Meta: report.NewMeta("Explanation")}
		for _, e := range entries {
			doc.Codes = append(doc.Codes, explainedCode(e))
		}
		return report.Encode(f.Out, format, doc)
	case report.Name:
		for _, e := range entries {
			if _, err := fmt.Fprintln(f.Out, e.Code); err != nil {
				return err
			}
		}
		return nil
	}
	if whole {
		_, err := fmt.Fprint(f.Out, entries[0].Text)
		return err
	}
	var rows [][]string
	for _, e := range entries {
		rows = append(rows, []string{string(e.Code), e.Meaning})
	}
	return f.Page(output).Table([]string{"CODE", "MEANING"}, rows)
}
