package report

import (
	"crypto/sha256"
	_ "embed" // for the style sheet and the script
	"encoding/base64"
	"fmt"
	"html"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/printable"
	"github.com/kubectl-mesh/kubectl-mesh/internal/verdict"
)

// HTML is the format of a WebPage.
const HTML Format = "html"

var (
	//go:embed html.css
	webStyle string
	//go:embed html.js
	webScript string
)

// WebPage is a result as one file for a browser, which loads nothing. What is not there is left out.
type WebPage struct {
	// Command is what was run: "mesh-certs verify"; Version that of the plugin.
	Command, Version string
	// At is when the facts were read.
	At time.Time
	// Clusters are the contexts of the fleet.
	Clusters []string
	// Names says which context a shortened name is; each has the short one and the whole one.
	Names [][2]string
	// Short are the names in whose place shorter ones are shown, but in commands.
	Short *strings.Replacer
	// State is the worst that there is, and Last what it comes to in one line.
	State verdict.State
	Last  string
	Areas []verdict.Area
	// Tables are those of the meshes in the fleet.
	Tables []ClusterTable
	// Causes are what is wrong, in the order in which to fix it; Notes what is worth knowing.
	Causes, Notes []verdict.Cause
	Result        finding.Result
	// Deeper are the commands that tell more of a cause.
	Deeper func(verdict.Cause) []finding.Command
	// Picture is the map.
	Picture      Picture
	Certificates []Validity
}

// Picture is a map of the fleet.
type Picture struct {
	// SVG is a drawing, as an element, and Style the style sheet for it.
	SVG   []byte
	Style string
	// Ways are those from cluster to cluster: how each is, from, to, and how it leads.
	Ways [][4]string
	// Tones are the severities of the ways; "" for one that is ok.
	Tones []finding.Severity
}

// Validity is the time of a certificate.
type Validity struct {
	// SHA256 is as much of the fingerprint as is shown.
	Subject, SHA256     string
	Roles, Clusters     []string
	NotBefore, NotAfter time.Time
}

// safe is text that is HTML already.
type safe string

// web writes a WebPage.
type web struct {
	WebPage
	out      strings.Builder
	commands int
}

// put writes HTML. Whatever is among the arguments is made inert, but what is safe, and numbers.
func (w *web) put(format string, args ...any) {
	for i, a := range args {
		switch a := a.(type) {
		case safe, int, float64:
		default:
			args[i] = w.text(fmt.Sprint(a))
		}
	}
	fmt.Fprintf(&w.out, format+"\n", args...)
}

// text is text of anybody with short names.
func (w *web) text(text string) safe {
	if w.Short != nil {
		text = w.Short.Replace(text)
	}
	return safe(html.EscapeString(printable.Line(text)))
}

// Write writes the page.
func (p WebPage) Write(out io.Writer) error {
	w := &web{WebPage: p}
	style := webStyle + p.Picture.Style
	w.put(`<!DOCTYPE html>
<html xmlns="http://www.w3.org/1999/xhtml" lang="en">
<head>
<meta charset="utf-8"/>
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; style-src '%s'; script-src '%s'; base-uri 'none'; form-action 'none'"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<meta name="color-scheme" content="light dark"/>
<meta name="referrer" content="no-referrer"/>
<title>%s: %s</title>
<style>%s</style>
</head>
<body>`, hash(style), hash(webScript), safe(p.State), p.Last, safe(style))
	w.put("<header>")
	w.put(`<p class="verdict">%s</p>`, state(p.State))
	w.put("<h1>%s</h1>", p.Last)
	w.put(`<p class="about">kubectl %s, read %s</p>`, p.Command, stamp(p.At))
	w.order()
	w.contents()
	w.put("</header>\n<main>")
	w.areas()
	w.tables()
	w.causes()
	w.picture()
	w.certificates()
	w.notes()
	w.setApart()
	w.notChecked()
	w.names()
	w.put("</main>\n<footer>")
	w.put(`<p>Written by kubectl %s %s. This page loads nothing and sends nothing.</p>`, p.Command, p.Version)
	w.put("</footer>\n<script>%s</script>\n</body>\n</html>", safe(webScript))
	_, err := io.WriteString(out, w.out.String())
	return err
}

// hash names a style sheet or a script to a Content-Security-Policy.
func hash(text string) safe {
	sum := sha256.Sum256([]byte(text))
	return safe("sha256-" + base64.StdEncoding.EncodeToString(sum[:]))
}

// stamp is a time for people in any zone.
func stamp(at time.Time) string { return at.UTC().Format("2006-01-02 15:04 UTC") }

// signs are what states and severities look like without colours.
var signs = map[string]string{"ok": "✓", "error": "✗", "warning": "!", "unknown": "?", "note": "i", "skipped": "–"}

// state is how something is, in a sign, a word and a colour.
func state[T ~string](of T) safe {
	return safe(fmt.Sprintf(`<span class="state %s"><span aria-hidden="true">%s</span> %s</span>`, string(of), signs[string(of)], string(of)))
}

// order lists the causes, each with a link.
func (w *web) order() {
	if len(w.Causes) == 0 {
		return
	}
	if n := len(w.Causes); n > 1 {
		w.put(`<p class="lead">%d causes. Fix them in this order:</p>`, n)
	}
	w.put(`<ol class="order">`)
	for i, c := range w.Causes {
		w.put(`<li><a href="#cause-%d"><span class="n">%d</span>%s<span>%s <small>%s in %s</small></span></a></li>`,
			i+1, i+1, state(c.Severity), times(c), string(c.Code), Clusters(c.Clusters))
	}
	w.put("</ol>")
}

// times is the title of a cause, and how often it is there.
func times(c verdict.Cause) string {
	if n := len(c.Findings); n > 1 {
		return fmt.Sprintf("%s (%d times)", c.Title, n)
	}
	return c.Title
}

// contents are links to the parts of a page.
func (w *web) contents() {
	var out strings.Builder
	for _, part := range []struct {
		there    bool
		id, name string
	}{
		{len(w.Areas) > 0, "areas", "Areas"},
		{len(w.Tables) > 0, "clusters", "Clusters"},
		{len(w.Picture.SVG) > 0, "map", "Map"},
		{len(w.Certificates) > 0, "certificates", "Certificates"},
		{len(w.Notes) > 0, "notes", "Notes"},
		{len(w.Result.Unknowns) > 0, "not-checked", "Not checked"},
	} {
		if part.there {
			fmt.Fprintf(&out, `<a href="#%s">%s</a> `, part.id, part.name)
		}
	}
	if out.Len() > 0 {
		w.put(`<nav aria-label="Parts of this page">%s</nav>`, safe(out.String()))
	}
}

func (w *web) areas() {
	if len(w.Areas) == 0 {
		return
	}
	w.put(`<section id="areas"><h2>Areas</h2>`)
	w.table("Status", "Area", "What")
	for _, a := range w.Areas {
		w.put(`<tr><td class="nowrap">%s</td><td class="nowrap"><strong>%s</strong></td><td>%s</td></tr>`, state(a.State), string(a.Area), a.What)
	}
	w.put("</tbody></table></section>")
}

// table begins a table, which on a phone is one of records.
func (w *web) table(headers ...string) {
	w.put(`<table class="records"><thead><tr>`)
	for _, h := range headers {
		w.put(`<th scope="col">%s</th>`, h)
	}
	w.put("</tr></thead><tbody>")
}

func (w *web) tables() {
	if len(w.Tables) == 0 {
		return
	}
	w.put(`<section id="clusters"><h2>Clusters</h2>`)
	for _, t := range w.Tables {
		headers := make([]string, len(t.Header))
		for i, h := range t.Header {
			headers[i] = capital(h)
		}
		w.table(headers...)
		for _, row := range t.Rows {
			w.put("<tr>")
			for i, cell := range row {
				if i == 0 {
					w.put("<td><strong>%s</strong></td>", cell)
					continue
				}
				w.put(`<td data-of="%s">%s</td>`, headers[i], cell)
			}
			w.put("</tr>")
		}
		for _, s := range t.Silent {
			w.put(`<tr><td><strong>%s</strong></td><td colspan="%d">%s</td></tr>`, s[0], len(t.Header)-1, s[1])
		}
		w.put("</tbody></table>")
	}
	w.put("</section>")
}

// capital is a header of a table of a terminal as one of a page.
func capital(header string) string {
	if len(header) < 2 {
		return header
	}
	return header[:1] + strings.ToLower(header[1:])
}

func (w *web) causes() {
	if len(w.Causes) == 0 {
		return
	}
	w.put(`<section id="causes"><h2>What is wrong, and what fixes it</h2>`)
	for i, c := range w.Causes {
		w.cause(c, fmt.Sprintf("cause-%d", i+1), fmt.Sprint(i+1))
	}
	w.put("</section>")
}

// A page of tens of thousands of lines opens nowhere: mostShown are the lines of evidence that are seen at once, and
// mostListed those that a page has at all.
const (
	mostShown  = 5
	mostListed = 500
	// mostFixes are the different fixes of one cause.
	mostFixes = 20
)

// cause writes a cause in full.
func (w *web) cause(c verdict.Cause, id, number string) {
	first := c.Findings[0]
	w.put(`<article class="cause is-%s" id="%s">`, safe(c.Severity), safe(id))
	if number != "" {
		number += " "
	}
	w.put(`<h3><span class="n">%s</span>%s <a href="%s%s.md" rel="noreferrer">%s</a> %s</h3>`,
		safe(number), state(c.Severity), safe(pages), string(c.Code), string(c.Code), times(c))
	where := strings.Join(c.Clusters, ", ")
	if len(c.Findings) == 1 && first.Object != (finding.Object{}) {
		where += " · " + first.Object.String()
	}
	w.put(`<p class="where">%s</p>`, where)
	if first.Effect != "" {
		w.put(`<p><span class="label">Effect:</span> %s</p>`, first.Effect)
	}
	if steps := causeFix(c, mostFixes); len(steps) > 0 {
		w.put(`<h4>Fix</h4><ol class="fix">`)
		w.steps(steps)
		w.put("</ol>")
	}
	w.evidence(c)
	if len(c.Caused) > 0 {
		w.put(`<details><summary>This causes %s</summary><ul>`, finding.Plural(len(c.Caused), "more finding"))
		var lines []string
		for _, f := range c.Caused {
			lines = append(lines, fmt.Sprintf("%s %s: %s", f.Code, Clusters(f.Clusters), f.Title))
		}
		w.items(lines)
		w.put("</ul></details>")
	}
	if w.Deeper != nil {
		if commands := w.Deeper(c); len(commands) > 0 {
			w.put("<h4>Look closer</h4>")
			w.run(commands)
		}
	}
	w.put("</article>")
}

// steps writes the steps of a fix.
func (w *web) steps(steps []finding.Step) {
	for _, s := range steps {
		say, careful := strings.CutPrefix(s.Say, "Careful:")
		switch {
		case careful:
			w.put(`<li><p><span class="careful">Careful:</span>%s</p>`, say)
		case s.Say != "":
			w.put("<li><p>%s</p>", s.Say)
		default:
			w.put("<li>")
		}
		w.run(s.Run)
		w.put("</li>")
	}
}

// run writes commands, each with its button, which only a script shows.
func (w *web) run(commands []finding.Command) {
	for _, c := range commands {
		w.commands++
		w.put(`<div class="command"><pre id="command-%d">%s</pre>`, w.commands, safe(html.EscapeString(printable.Line(c.String()))))
		w.put(`<button type="button" hidden="" aria-describedby="command-%d">Copy</button></div>`, w.commands)
	}
}

// evidence writes what a cause rests on: the first lines, and the others to be opened.
func (w *web) evidence(c verdict.Cause) {
	var lines []string
	if len(c.Findings) == 1 {
		lines = gatherEvidence(c.Findings[0].Evidence, true)
	} else {
		for _, f := range c.Findings {
			line := instance(c, f)
			if seen := gatherEvidence(f.Evidence, true); len(seen) > 0 {
				line += " (" + strings.Join(seen, "; ") + ")"
			}
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		return
	}
	w.put(`<h4>Evidence</h4><div class="evidence"><ul>`)
	if len(lines) <= mostShown+1 {
		w.items(lines)
		w.put("</ul></div>")
		return
	}
	w.items(lines[:mostShown])
	w.put("</ul><details><summary>%d more</summary><ul>", len(lines)-mostShown)
	w.items(lines[mostShown:])
	w.put("</ul></details></div>")
}

// items writes lines of a list, of very many the first ones.
func (w *web) items(lines []string) {
	for i, line := range lines {
		if i == mostListed {
			w.put("<li>and %d more: -o json has all</li>", len(lines)-i)
			return
		}
		w.put("<li>%s</li>", line)
	}
}

func (w *web) picture() {
	if len(w.Picture.SVG) == 0 {
		return
	}
	w.put(`<section id="map"><h2>Map</h2>`)
	w.put(`<div class="picture" tabindex="0" role="region" aria-label="Map of the fleet">%s</div>`, safe(w.Picture.SVG))
	if len(w.Picture.Ways) > 0 {
		w.table("Status", "From", "To", "How")
		for i, way := range w.Picture.Ways {
			tone := string(w.Picture.Tones[i])
			if tone == "" {
				tone = "ok"
			}
			w.put(`<tr><td class="nowrap"><span class="state %s"><span aria-hidden="true">%s</span> %s</span></td>`+
				`<td data-of="From">%s</td><td data-of="To">%s</td><td>%s</td></tr>`, safe(tone), safe(signs[tone]), way[0], way[1], way[2], way[3])
		}
		w.put("</tbody></table>")
	}
	w.put("</section>")
}

func (w *web) notes() {
	if len(w.Notes) == 0 {
		return
	}
	w.put(`<section id="notes"><h2>Worth knowing</h2>`)
	for i, c := range w.Notes {
		w.cause(c, fmt.Sprintf("note-%d", i+1), "")
	}
	w.put("</section>")
}

// setApart lists the findings that do not count.
func (w *web) setApart() {
	if len(w.Result.Apart) == 0 {
		return
	}
	var known, suppressed []string
	for _, a := range w.Result.Apart {
		line := fmt.Sprintf("%s %s: %s", a.Code, Clusters(a.Clusters), a.Title)
		switch {
		case !a.Suppressed():
			known = append(known, line)
		case a.Expires != "":
			suppressed = append(suppressed, fmt.Sprintf("%s (%s, until %s)", line, a.Reason, a.Expires))
		default:
			suppressed = append(suppressed, fmt.Sprintf("%s (%s)", line, a.Reason))
		}
	}
	w.put(`<section id="known"><h2>Known and suppressed</h2>`)
	for _, part := range []struct {
		title string
		lines []string
	}{{"Known from the baseline", known}, {"Suppressed", suppressed}} {
		if len(part.lines) > 0 {
			w.put("<h4>%s</h4><ul>", part.title)
			w.items(part.lines)
			w.put("</ul>")
		}
	}
	w.put("</section>")
}

func (w *web) notChecked() {
	if len(w.Result.Unknowns) == 0 {
		return
	}
	w.put(`<section id="not-checked"><h2>Not checked</h2><ul>`)
	for _, g := range gatherUnknowns(w.Result.Unknowns) {
		codes := someCodes(g.codes, true)
		w.put("<li>%s: %s <small class=\"where\">(%s)</small></li>", strings.Join(g.clusters, ", "), g.reason, codes)
	}
	w.put("</ul>")
	if slices.ContainsFunc(w.Result.Unknowns, func(u finding.Unknown) bool { return u.Reason.Kind == finding.Forbidden }) {
		w.put(`<p>Roles with the rights to what is forbidden: <a href="%s" rel="noreferrer">docs/rbac.yaml</a></p>`, safe(rightsPage))
	}
	w.put("</section>")
}

// names says which contexts the shortened names are.
func (w *web) names() {
	if len(w.Names) == 0 {
		return
	}
	w.put(`<section id="names"><h2>Names</h2><ul>`)
	for _, n := range w.Names {
		w.put("<li><strong>%s</strong> is %s</li>", safe(html.EscapeString(printable.Line(n[0]))), safe(html.EscapeString(printable.Line(n[1]))))
	}
	w.put("</ul></section>")
}
