package report

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/fatih/color"
	"github.com/mattn/go-runewidth"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/printable"
)

// Page is where text for people goes. Whatever is written through it reaches
// the terminal without control characters of its own.
type Page struct {
	w io.Writer
	// Color says whether to use colours.
	Color bool
	// Width is how many columns there are; 0 when nothing is to be wrapped.
	Width int
	// Headers says whether tables begin with a row of headers.
	Headers bool
	// Short are the names in whose place shorter ones are shown, but in commands.
	Short *strings.Replacer
}

// NewPage returns a page that writes to w.
func NewPage(w io.Writer, color bool, width int, headers bool) *Page {
	return &Page{w: w, Color: color, Width: width, Headers: headers}
}

// Text is text of anybody as the page shows it: in one line, printable, with short names.
func (p *Page) Text(text string) string {
	if p.Short != nil {
		text = p.Short.Replace(text)
	}
	return printable.Line(text)
}

// Shortened is what a drawing is made of, with the names that the page shows: it is laid out by
// their width. It is copied through JSON.
func Shortened[T any](p *Page, drawn T) T {
	if p.Short == nil {
		return drawn
	}
	text, err := json.Marshal(drawn)
	if err != nil {
		return drawn
	}
	var out T
	if err := json.Unmarshal([]byte(p.Short.Replace(string(text))), &out); err != nil {
		return drawn
	}
	return out
}

// Line writes one line of plain text.
func (p *Page) Line(format string, args ...any) {
	fmt.Fprintln(p.w, strings.TrimRight(p.Text(fmt.Sprintf(format, args...)), " "))
}

// Blank writes an empty line.
func (p *Page) Blank() { fmt.Fprintln(p.w) }

// Wrapped writes text beneath a prefix, wrapped at words; the lines that follow are
// indented by as much as the prefix is wide.
func (p *Page) Wrapped(prefix, text string, style ...color.Attribute) {
	indent := strings.Repeat(" ", runewidth.StringWidth(prefix))
	for i, line := range wrap(p.Text(text), p.Width-len(indent)) {
		if i > 0 {
			prefix = indent
		}
		fmt.Fprintln(p.w, strings.TrimRight(prefix+p.style(line, style...), " "))
	}
}

// command writes a command that can be pasted, which is never wrapped.
func (p *Page) command(prefix string, c finding.Command) {
	fmt.Fprintln(p.w, prefix+printable.Line(c.String()))
}

func (p *Page) style(s string, attributes ...color.Attribute) string {
	if !p.Color || len(attributes) == 0 || s == "" {
		return s
	}
	c := color.New(attributes...)
	c.EnableColor()
	return c.Sprint(s)
}

var severityStyle = map[finding.Severity][]color.Attribute{
	finding.Error:   {color.FgRed, color.Bold},
	finding.Warning: {color.FgYellow, color.Bold},
	finding.Note:    {color.FgCyan},
}

// wrap breaks text at blanks so that no line is wider than width, unless a single
// word is; a width under 20 is taken for "do not wrap".
func wrap(text string, width int) []string {
	if width < 20 {
		return []string{text}
	}
	return words(text, width)
}

// words breaks text at blanks into lines of at most width, where no word is wider.
func words(text string, width int) []string {
	if runewidth.StringWidth(text) <= width {
		return []string{text}
	}
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		switch {
		case line == "":
			line = word
		case runewidth.StringWidth(line)+1+runewidth.StringWidth(word) <= width:
			line += " " + word
		default:
			lines = append(lines, line)
			line = word
		}
	}
	return append(lines, line)
}
