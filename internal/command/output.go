package command

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
)

// Output are the flags of a command that prints results.
type Output struct {
	format    string
	noHeaders bool
	color     string
	extra     []report.Format
}

var colorModes = []string{"auto", "always", "never"}

// AddOutput adds the flags about output to a command. extra are the formats that
// it has beside those of every command.
func (f *Frame) AddOutput(cmd *cobra.Command, extra ...report.Format) *Output {
	o := &Output{extra: extra}
	formats := report.FormatNames(extra...)
	cmd.Flags().
		StringVarP(&o.format, "output", "o", string(report.Table), "Output format: "+strings.Join(append(formats, report.Templates...), "|"))
	cmd.Flags().BoolVar(&o.noHeaders, "no-headers", false, "Print no headers of tables")
	cmd.Flags().StringVar(&o.color, "color", colorModes[0],
		"Use colours: "+strings.Join(colorModes, "|")+"; auto is on a terminal, unless NO_COLOR is set")
	f.must(cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp)))
	f.must(cmd.RegisterFlagCompletionFunc("color", cobra.FixedCompletions(colorModes, cobra.ShellCompDirectiveNoFileComp)))
	return o
}

// Format checks the flags and returns the format.
func (o *Output) Format() (report.Format, error) {
	if !slices.Contains(colorModes, o.color) {
		return "", fmt.Errorf("there is no color mode %q; --color takes one of %s", o.color, strings.Join(colorModes, ", "))
	}
	return report.ParseFormat(o.format, o.extra...)
}

// Page is where text for people goes.
func (f *Frame) Page(o *Output) *report.Page {
	width := 0
	file, terminal := f.terminal()
	if terminal {
		if w, _, err := term.GetSize(int(file.Fd())); err == nil {
			width = w
		}
	}
	if report.Format(o.format) == report.Wide {
		width = 0
	}
	colored := o.color == "always" || o.color == "auto" && terminal && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	page := report.NewPage(f.Out, colored, width, !o.noHeaders)
	page.Short = f.short
	return page
}

// outFile is the file that results go to, if they go to one.
func (f *Frame) outFile() (*os.File, bool) {
	out := f.Out
	if s, ok := out.(*sink); ok {
		out = s.w
	}
	file, ok := out.(*os.File)
	return file, ok
}

// sink is where results go. It keeps the first error: whoever writes a table does not look
// at each line's, and a full disk is no success.
type sink struct {
	w   io.Writer
	mu  sync.Mutex
	err error
}

func (s *sink) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	if err != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.err == nil {
			s.err = err
		}
	}
	return n, err
}

func (s *sink) failed() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// FailOn is the flag that says which findings make the command fail.
type FailOn struct {
	level  string
	strict bool
}

const failNever = "never"

// AddFailOn adds flags --fail-on and --strict to a command.
func (f *Frame) AddFailOn(cmd *cobra.Command) *FailOn {
	o := &FailOn{}
	cmd.Flags().StringVar(&o.level, "fail-on", string(finding.Error),
		"Exit with 1 on findings of this severity or worse: "+strings.Join(failLevels(), "|"))
	cmd.Flags().BoolVar(&o.strict, "strict", false, "Exit with 3 if nothing is found, but something could not be checked")
	f.must(cmd.RegisterFlagCompletionFunc("fail-on", cobra.FixedCompletions(failLevels(), cobra.ShellCompDirectiveNoFileComp)))
	return o
}

func failLevels() []string {
	var out []string
	for _, s := range finding.Severities {
		out = append(out, string(s))
	}
	return append(out, failNever)
}

// Check reports a level that does not exist.
func (o *FailOn) Check() error {
	if !slices.Contains(failLevels(), o.level) {
		return fmt.Errorf("there is no severity %q; --fail-on takes one of %s", o.level, strings.Join(failLevels(), ", "))
	}
	return nil
}

// Fails reports whether findings of a severity make the command fail.
func (o *FailOn) Fails(s finding.Severity) bool {
	return o.level != failNever && s.AtLeast(finding.Severity(o.level))
}

// Exit is the error that ends a command with the code that the result deserves.
func (o *FailOn) Exit(result finding.Result) error {
	for _, f := range result.Findings {
		if o.Fails(f.Severity) {
			return ExitCode(ExitFindings)
		}
	}
	if o.strict && len(result.Unknowns) > 0 {
		return ExitCode(ExitIncomplete)
	}
	return nil
}

// Note writes a line for people to w, which is the error stream: it is no result.
func note(w io.Writer, format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }
