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
// indented by as much as the prefix is wide. A prefix that leaves no room has lines of its own.
func (p *Page) Wrapped(prefix, text string, style ...color.Attribute) {
	cells := runewidth.StringWidth(prefix)
	if p.Width > 0 && p.Width-cells < leastText && cells > len(farIndent) {
		for _, line := range wrap(strings.TrimSpace(prefix), p.Width) {
			fmt.Fprintln(p.w, line)
		}
		prefix, cells = farIndent, len(farIndent)
	}
	indent := strings.Repeat(" ", cells)
	for i, line := range wrap(p.Text(text), p.Width-len(indent)) {
		if i > 0 {
			prefix = indent
		}
		fmt.Fprintln(p.w, strings.TrimRight(prefix+p.style(line, style...), " "))
	}
}

// Toned is Wrapped in a tone.
func (p *Page) Toned(prefix, text string, tone Tone) { p.Wrapped(prefix, text, tone.style()...) }

// Command writes a command that can be pasted, which is never wrapped.
func (p *Page) Command(prefix string, c finding.Command) {
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

// leastText is how much room text wants beside a prefix; with less it stands beneath it, behind
// farIndent.
const (
	leastText = 20
	farIndent = "    "
)

// Wrap breaks text into lines as pages do.
func Wrap(text string, width int) []string { return wrap(text, width) }

// wrap breaks text at blanks so that no line is wider than width; a width under leastText is taken
// for "do not wrap".
func wrap(text string, width int) []string {
	if width < leastText {
		return []string{text}
	}
	return words(text, width)
}

// words breaks text at blanks into lines of at most width. A word that is wider is broken as a
// terminal would do, but an address on the web, which is clicked or pasted, never is.
func words(text string, width int) []string {
	if runewidth.StringWidth(text) <= width {
		return []string{text}
	}
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && runewidth.StringWidth(line)+1+runewidth.StringWidth(word) <= width {
			line += " " + word
			continue
		}
		if line != "" {
			lines = append(lines, line)
		}
		if strings.Contains(word, "://") {
			line = word
			continue
		}
		pieces := cut(word, width)
		lines, line = append(lines, pieces[:len(pieces)-1]...), pieces[len(pieces)-1]
	}
	return append(lines, line)
}

// cut breaks a word into pieces of at most width.
func cut(word string, width int) []string {
	if width < 1 || runewidth.StringWidth(word) <= width {
		return []string{word}
	}
	var out []string
	piece, cells := "", 0
	for _, r := range word {
		if n := runewidth.RuneWidth(r); piece != "" && cells+n > width {
			out, piece, cells = append(out, piece), "", 0
		}
		piece, cells = piece+string(r), cells+runewidth.RuneWidth(r)
	}
	return append(out, piece)
}

// plain are characters for terminals that show ASCII alone, each as wide as what it stands for.
var plain = strings.NewReplacer(
	"┌", "+", "┐", "+", "└", "+", "┘", "+", "│", "|", "─", "-", "→", ">", "✓", "+", "✗", "x", "◐", "~", "–", "-", "…", ".",
)

// plainWriter writes what a terminal of ASCII alone can show of drawings.
type plainWriter struct{ w io.Writer }

func (p plainWriter) Write(text []byte) (int, error) {
	if _, err := io.WriteString(p.w, plain.Replace(string(text))); err != nil {
		return 0, err
	}
	return len(text), nil
}

// Plain makes the page use no characters for drawings that are not in ASCII.
func (p *Page) Plain() { p.w = plainWriter{p.w} }
