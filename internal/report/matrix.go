package report

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/mattn/go-runewidth"
)

// Matrix says something of each ordered pair of names by a sign: rows are from, columns to.
type Matrix struct {
	// Corner heads the names: "FROM", "PRIMARY".
	Corner string
	// From are the names of the rows, To those of the columns, which are shown by numbers where they
	// are the same, in the same order, and else after the rows.
	From, To []string
	// Cell is the sign of a pair, and its tone. A sign is one column wide.
	Cell func(from, to int) (string, Tone)
	// Legend says what the signs mean.
	Legend string
}

// MostMatrix are the names up to which a matrix is shown: of more nobody sees the lines.
const MostMatrix = 40

// leastMatrix is the width of a name beside a matrix that can still be told from others.
const leastMatrix = 12

// FitsMatrix reports whether a matrix goes onto the page.
func (p *Page) FitsMatrix(m Matrix) bool {
	return len(m.From) > 0 && max(len(m.From), len(m.To)) <= MostMatrix && (p.Width == 0 || p.pitch(m) > 0)
}

// pitch is how many columns a sign and what follows it take; 0 where the matrix does not fit.
func (p *Page) pitch(m Matrix) int {
	names := p.matrixNames(m)
	for _, pitch := range []int{2, 1} {
		if p.Width == 0 || names+len(between)+pitch*len(m.To) <= p.Width {
			return pitch
		}
	}
	return 0
}

// matrixNames is how wide the names of rows are, with their numbers.
func (p *Page) matrixNames(m Matrix) int {
	width := len(m.Corner)
	for i := range m.From {
		width = max(width, runewidth.StringWidth(p.rowName(m, i)))
	}
	return max(width, leastMatrix)
}

// rowName is the number of a row, which is that of its column, and its name.
func (p *Page) rowName(m Matrix, i int) string {
	return fmt.Sprintf("%*d %s", len(strconv.Itoa(len(m.To))), m.number(m.From[i]), p.Text(m.From[i]))
}

// number is that of a name among the columns, from 1; of one that has no column 0.
func (m Matrix) number(name string) int { return slices.Index(m.To, name) + 1 }

// Matrix writes a matrix of signs; the columns have the numbers of the rows, from top to bottom.
func (p *Page) Matrix(m Matrix) {
	pitch, width := max(p.pitch(m), 1), p.matrixNames(m)
	digits := len(strconv.Itoa(len(m.To)))
	for d := range digits {
		var line strings.Builder
		for i := range m.To {
			number := fmt.Sprintf("%*d", digits, i+1)
			line.WriteString(number[d:d+1] + strings.Repeat(" ", pitch-1))
		}
		corner := ""
		if d == digits-1 {
			corner = m.Corner
		}
		fmt.Fprintln(p.w, strings.TrimRight(corner+strings.Repeat(" ", width-len(corner)+len(between))+line.String(), " "))
	}
	for i := range m.From {
		name := p.rowName(m, i)
		var line strings.Builder
		for k := range m.To {
			sign, tone := m.Cell(i, k)
			line.WriteString(p.style(sign, tone.style()...) + strings.Repeat(" ", pitch-1))
		}
		fmt.Fprintln(p.w, strings.TrimRight(name+strings.Repeat(" ", width-runewidth.StringWidth(name)+len(between))+line.String(), " "))
	}
	for i, name := range m.To {
		if !slices.Contains(m.From, name) {
			fmt.Fprintf(p.w, "%*d %s\n", digits, i+1, p.Text(name))
		}
	}
	if m.Legend != "" {
		p.Wrapped("", m.Legend)
	}
}
