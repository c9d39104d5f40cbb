package command

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pattern"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
)

// Output are the flags of a command that prints results.
type Output struct {
	format    formats
	noHeaders bool
	color     string
	extra     []report.Format
}

// word is a flag that takes one of a few words, which are checked later.
type word struct {
	text string
	kind string // how help calls it
}

// Set takes what the user gives.
func (w *word) Set(text string) error {
	w.text = text
	return nil
}

func (w *word) String() string { return w.text }

// Type is how help calls it.
func (w *word) Type() string { return w.kind }

var colorModes = []string{"auto", "always", "never"}

// AddOutput adds the flags about output to a command. extra are the formats that
// it has beside those of every command.
func (f *Frame) AddOutput(cmd *cobra.Command, extra ...report.Format) *Output {
	o := &Output{extra: extra, format: formats{word: word{kind: "format"}}}
	names := report.FormatNames(extra...)
	cmd.Flags().VarP(&o.format, "output", "o", firstOf(append(names, report.Templates...)))
	cmd.Flags().BoolVar(&o.noHeaders, "no-headers", false, "Print no headers of tables")
	cmd.Flags().StringVar(&o.color, "color", colorModes[0],
		"Use colours: "+strings.Join(colorModes, "|")+"; auto is on a terminal, unless NO_COLOR is set, or if CLICOLOR_FORCE is")
	ofAll(cmd, "no-headers", "color")
	f.must(cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(names, cobra.ShellCompDirectiveNoFileComp)))
	f.must(cmd.RegisterFlagCompletionFunc("color", cobra.FixedCompletions(colorModes, cobra.ShellCompDirectiveNoFileComp)))
	return o
}

// AddResultOutput is AddOutput for a command whose result can be written into files as well.
func (f *Frame) AddResultOutput(cmd *cobra.Command, extra ...report.Format) *Output {
	o := f.AddOutput(cmd, extra...)
	o.format.toFiles = slices.Concat(report.Formats, extra)
	return o
}

// firstOf names as many of the formats as a line of help has room for; an unknown one is answered with all.
func firstOf(formats []string) string {
	const room = 46
	text := ""
	for i, f := range formats {
		if len(text)+len(f) > room {
			return text + "…"
		}
		if text += f; i < len(formats)-1 {
			text += "|"
		}
	}
	return text
}

// Format checks the flags and returns the format.
func (o *Output) Format() (report.Format, error) {
	if !slices.Contains(colorModes, o.color) {
		return "", fmt.Errorf("there is no color mode %q; --color takes one of %s", o.color, strings.Join(colorModes, ", "))
	}
	format, err := report.ParseFormat(o.format.text, o.extra...)
	if o.noHeaders {
		format = format.WithoutHeaders()
	}
	return format, err
}

// Page is where text for people goes.
func (f *Frame) Page(o *Output) *report.Page {
	return f.page(o, report.Format(o.format.text) == report.Wide)
}

// page is Page for text that is wide, and so has no width, or not.
func (f *Frame) page(o *Output, wide bool) *report.Page {
	width := 0
	file, terminal := f.terminal()
	if terminal {
		if w, _, err := term.GetSize(int(file.Fd())); err == nil {
			width = w
		}
	}
	if s, is := f.screen(); is {
		width = s.Columns
	}
	if wide {
		width = 0
	}
	page := report.NewPage(f.Out, colored(o.color, terminal, os.Getenv), width, !o.noHeaders)
	page.Short = f.short
	if asciiOnly(os.Getenv) {
		page.Plain()
	}
	return page
}

// colored reports whether to use colours. What the user says by the flag comes before what the
// environment says; NO_COLOR is https://no-color.org, CLICOLOR_FORCE https://bixense.com/clicolors.
func colored(mode string, terminal bool, getenv func(string) string) bool {
	force := getenv("CLICOLOR_FORCE")
	switch {
	case mode != colorModes[0]:
		return mode == "always"
	case getenv("NO_COLOR") != "":
		return false
	case force != "" && force != "0":
		return true
	}
	return terminal && getenv("TERM") != "dumb" && getenv("CLICOLOR") != "0"
}

// asciiOnly reports whether the locale is one whose characters are not those of UTF-8. Where
// nothing is set, as in containers, what shows the text mostly takes UTF-8.
func asciiOnly(getenv func(string) string) bool {
	locale := strings.ToLower(cmp.Or(getenv("LC_ALL"), getenv("LC_CTYPE"), getenv("LANG")))
	return locale != "" && !strings.Contains(locale, "utf-8") && !strings.Contains(locale, "utf8")
}

// Screen is where results go as if to a terminal of so many columns.
type Screen struct {
	io.Writer
	Columns int
}

// screen is what results go to, if that is a Screen.
func (f *Frame) screen() (*Screen, bool) {
	out := f.Out
	if s, ok := out.(*sink); ok {
		out = s.w
	}
	s, is := out.(*Screen)
	return s, is
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
	level  word
	strict bool
}

const failNever = "never"

// AddFailOn adds flags --fail-on and --strict to a command.
func (f *Frame) AddFailOn(cmd *cobra.Command) *FailOn {
	o := &FailOn{level: word{string(finding.Error), "severity"}}
	cmd.Flags().Var(&o.level, "fail-on", strings.Join(failLevels(), "|"))
	cmd.Flags().BoolVar(&o.strict, "strict", false, "Exit with 3 where not all could be checked")
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
	if !slices.Contains(failLevels(), o.level.text) {
		return fmt.Errorf("there is no severity %q; --fail-on takes one of %s", o.level.text, strings.Join(failLevels(), ", "))
	}
	return nil
}

// Fails reports whether findings of a severity make the command fail.
func (o *FailOn) Fails(s finding.Severity) bool {
	return o.level.text != failNever && s.AtLeast(finding.Severity(o.level.text))
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

// sentences is an error stream that breaks lines at words where the terminal would break them anywhere.
type sentences struct {
	io.Writer
	columns func() int // 0 where there is no terminal
}

// pasted is what is pasted, which a break would spoil.
var pasted = pattern.Of(`kubectl[ -].* --(?:context|from)`)

// Write writes whole lines, and what is no line as it is.
func (s sentences) Write(text []byte) (int, error) {
	columns := s.columns()
	if columns <= 0 {
		return s.Writer.Write(text)
	}
	var out strings.Builder
	for line := range strings.Lines(string(text)) {
		body, ended := strings.CutSuffix(line, "\n")
		if ended && !pasted().MatchString(body) && body == strings.TrimLeft(body, " ") {
			body = strings.Join(report.Wrap(body, columns), "\n")
		}
		out.WriteString(body)
		if ended {
			out.WriteByte('\n')
		}
	}
	if _, err := io.WriteString(s.Writer, out.String()); err != nil {
		return 0, err
	}
	return len(text), nil
}

// note writes a line for people to w, which is the error stream: it is no result.
func note(w io.Writer, format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }
