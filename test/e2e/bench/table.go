package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"time"
)

// table is what was measured, against what it was held: a line for each, written as soon as
// it is known.
type table struct {
	w      io.Writer
	slack  float64 // what limits are multiplied by, 1 for what they are
	broken int
}

const row = "%-6s  %5s  %11s  %5s  %10s  %10s  %s\n"

func (b *table) head() {
	fmt.Fprintf(b.w, row, "", "RATIO", "SPREAD", "LIMIT", "MEASURED", "AGAINST", "WHAT")
}

// measure is one figure of what a run cost.
type measure struct {
	of   func(usage) float64
	text func(float64) string
}

var (
	wallTime   = measure{func(u usage) float64 { return u.wall.Seconds() }, milliseconds}
	peakMemory = measure{func(u usage) float64 { return float64(u.memory) }, megabytes}
)

// against holds runs against those of another command that took place in turn with them: the
// ratio of the medians. The spread is that of the ratios of runs that stood side by side, from
// the first quartile to the third. The limit is broken where all of the spread is beyond it:
// a machine that is busy for one round breaks nothing.
func (b *table) against(what string, ours, theirs []usage, of measure, limit float64) {
	ratios := make([]float64, min(len(ours), len(theirs)))
	for i := range ratios {
		ratios[i] = of.of(ours[i]) / of.of(theirs[i])
	}
	b.write(what, middle(ours, of.of), middle(theirs, of.of), ratios, of, limit)
}

// fixed holds runs against a figure that is known before.
func (b *table) fixed(what string, ours []usage, of measure, figure, limit float64) {
	ratios := make([]float64, len(ours))
	for i, u := range ours {
		ratios[i] = of.of(u) / figure
	}
	b.write(what, middle(ours, of.of), figure, ratios, of, limit)
}

func (b *table) write(what string, measured, against float64, ratios []float64, of measure, limit float64) {
	slices.Sort(ratios)
	low, high := ratios[len(ratios)/4], ratios[(len(ratios)-1)-len(ratios)/4]
	verdict, most := "", "-"
	if !math.IsInf(limit, 1) {
		limit *= b.slack
		verdict, most = "ok", fmt.Sprintf("%.2f", limit)
		if low > limit {
			verdict = "BROKEN"
			b.broken++
		}
	}
	fmt.Fprintf(b.w, row, verdict, fmt.Sprintf("%.2f", measured/against), fmt.Sprintf("%.2f-%.2f", low, high), most,
		of.text(measured), of.text(against), what)
}

// note is a line of what has no limit.
func (b *table) note(what, measured, against string) {
	fmt.Fprintf(b.w, row, "", "", "", "", measured, against, what)
}

// prepares says what is being done that no line shows, and then how long it took.
func (b *table) prepares(what string) (done func()) {
	start := time.Now()
	fmt.Fprintf(b.w, "# %s ...\n", what)
	return func() { fmt.Fprintf(b.w, "# ... took %s\n", time.Since(start).Round(time.Second)) }
}

func middle(all []usage, of func(usage) float64) float64 {
	values := make([]float64, len(all))
	for i, u := range all {
		values[i] = of(u)
	}
	slices.Sort(values)
	return values[len(values)/2]
}

func milliseconds(v float64) string { return fmt.Sprintf("%.0f ms", v*1000) }
func megabytes(v float64) string    { return fmt.Sprintf("%.1f MB", v/1e6) }
