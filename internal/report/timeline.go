package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
)

// The time line of certificates shows at least the first, and at most the second of these times from now on: roots
// of ten years would else leave no room for what ends next week.
const (
	leastLine = 90 * 24 * time.Hour
	mostLine  = 3 * 365 * 24 * time.Hour
	// soon is when the end of a certificate stands out.
	soon = 30 * 24 * time.Hour
)

// timeLine places times on a line, in hundredths of its length.
type timeLine struct{ from, until time.Time }

func newTimeLine(certificates []Validity, now time.Time) timeLine {
	length := leastLine
	for _, c := range certificates {
		length = max(length, min(c.NotAfter.Sub(now), mostLine)*11/10)
	}
	return timeLine{now.Add(-length / 8), now.Add(length)}
}

// at is where a time is, within the line.
func (l timeLine) at(t time.Time) float64 {
	return min(max(float64(t.Sub(l.from))/float64(l.until.Sub(l.from)), 0), 1) * 100
}

// ticks are times with their labels, about six of them.
func (l timeLine) ticks() (times []time.Time, labels []string) {
	step, format := 1, "Jan 2006"
	for l.until.Sub(l.from) > time.Duration(step)*6*30*24*time.Hour {
		step *= 2
	}
	if step >= 8 {
		step, format = 12, "2006"
	}
	first := time.Date(l.from.Year(), 1, 1, 0, 0, 0, 0, time.UTC)
	for t := first; t.Before(l.until); t = t.AddDate(0, step, 0) {
		if x := l.at(t); t.After(l.from) && x < 88 {
			times, labels = append(times, t), append(labels, t.Format(format))
		}
	}
	return times, labels
}

// certificates writes them on a line of time, what ends first above.
func (w *web) certificates() {
	if len(w.Certificates) == 0 {
		return
	}
	all := slices.Clone(w.Certificates)
	slices.SortStableFunc(all, func(a, b Validity) int { return a.NotAfter.Compare(b.NotAfter) })
	line := newTimeLine(all, w.At)
	times, labels := line.ticks()
	w.put(`<section id="certificates"><h2>Certificates</h2>`)
	w.table("Certificate", "Time", "Ends")
	w.put(`<tr aria-hidden="true"><td></td><td class="time"><svg class="line" role="presentation">`)
	for i, t := range times {
		w.put(`<text x="%.1f%%" y="12">%s</text>`, line.at(t), labels[i])
	}
	w.put("</svg></td><td></td></tr>")
	for _, c := range all {
		tone, when := validity(c, w.At)
		w.put(`<tr><td>%s<small>%s · %s</small><small>SHA-256 %s</small></td>`,
			c.Subject, strings.Join(c.Roles, ", "), Clusters(c.Clusters), c.SHA256)
		w.put(`<td class="time"><svg class="line" role="img"><title>%s until %s</title>`,
			c.NotBefore.UTC().Format(time.DateOnly), c.NotAfter.UTC().Format(time.DateOnly))
		w.put(`<rect class="track" x="0" y="4" width="100%%" height="8" rx="4"/>`)
		from, until := line.at(c.NotBefore), line.at(c.NotAfter)
		w.put(`<rect class="bar-%s" x="%.1f%%" y="4" width="%.1f%%" height="8" rx="4"/>`, safe(tone), from, max(until-from, 0.8))
		for _, t := range times {
			w.put(`<line class="tick" x1="%.1f%%" x2="%.1f%%" y1="0" y2="16"/>`, line.at(t), line.at(t))
		}
		now := line.at(w.At)
		w.put(`<line class="now" x1="%.1f%%" x2="%.1f%%" y1="0" y2="16"/></svg></td>`, now, now)
		w.put(`<td>%s<small>%s</small></td></tr>`, c.NotAfter.UTC().Format(time.DateOnly),
			safe(fmt.Sprintf(`<span class="state %s"><span aria-hidden="true">%s</span> %s</span>`, tone, signs[tone], when)))
	}
	w.put("</tbody></table>")
	w.put(`<p class="about">The upright line is the time of reading. A bar that ends at the right edge goes on beyond it.</p></section>`)
}

// validity says how a certificate is at a time, and when it ends.
func validity(c Validity, now time.Time) (tone, when string) {
	left := c.NotAfter.Sub(now)
	days := func(d time.Duration) string {
		switch n := int(d / (24 * time.Hour)); {
		case n >= 3*365:
			return finding.Plural(n/365, "year")
		case n < 2:
			return finding.Plural(int(d/time.Hour), "hour")
		default:
			return finding.Plural(n, "day")
		}
	}
	switch {
	case now.Before(c.NotBefore):
		return "error", "begins in " + days(c.NotBefore.Sub(now))
	case left < 0:
		return "error", "ended " + days(-left) + " ago"
	case left < soon:
		return "warning", "in " + days(left)
	}
	return "ok", "in " + days(left)
}
