package command

import (
	"context"
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/drawing"
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
	"github.com/kubectl-mesh/kubectl-mesh/internal/verdict"
	"github.com/kubectl-mesh/kubectl-mesh/internal/view"
)

// webPage is what a page of any command has.
func (f *Frame) webPage(
	ctx context.Context, name string, fleet *facts.Fleet, result finding.Result, areas []mesh.Area,
) (report.WebPage, error) {
	page := report.WebPage{Command: name, Version: Version(), At: fleet.At, Short: f.short, Result: result}
	for _, c := range fleet.Clusters {
		page.Clusters = append(page.Clusters, c.Context)
		if f.short != nil {
			if short := f.short.Replace(c.Context); short != c.Context {
				page.Names = append(page.Names, [2]string{short, c.Context})
			}
		}
	}
	for _, illustrate := range f.Plugin.Illustrate {
		if err := illustrate(f, ctx, fleet, areas, &page); err != nil {
			return page, err
		}
	}
	return page, nil
}

// Illustration adds to a page what is there of some areas.
type Illustration func(f *Frame, ctx context.Context, fleet *facts.Fleet, areas []mesh.Area, page *report.WebPage) error

// DrawMap adds the map, where the networks were checked.
func DrawMap(f *Frame, ctx context.Context, fleet *facts.Fleet, areas []mesh.Area, page *report.WebPage) error {
	if !slices.Contains(areas, mesh.Network) {
		return nil
	}
	m, err := f.Map(ctx, fleet)
	if err != nil {
		return err
	}
	seen := drawing.Short(&report.Page{Short: f.short}, m)
	page.Picture = report.Picture{SVG: drawing.Inline(seen), Style: drawing.Style}
	page.Picture.Ways, page.Picture.Tones = drawing.Ways(seen)
	return nil
}

// ListCertificates adds the CA certificates, where these were checked.
func ListCertificates(f *Frame, _ context.Context, fleet *facts.Fleet, areas []mesh.Area, page *report.WebPage) error {
	if !slices.Contains(areas, mesh.Certs) {
		return nil
	}
	var all view.Certificates
	for _, m := range f.inForce(fleet) {
		if able, ok := m.(mesh.Certified); ok {
			all.Merge(able.Certificates(fleet))
		}
	}
	for _, c := range all {
		shown := report.Validity(c)
		shown.SHA256 = c.Short()
		page.Certificates = append(page.Certificates, shown)
	}
	return nil
}

// verifyPage is the page of a verify.
func (f *Frame) verifyPage(ctx context.Context, fleet *facts.Fleet, result finding.Result, areas []mesh.Area) error {
	page, err := f.webPage(ctx, f.Plugin.Name+" verify", fleet, result, areas)
	if err != nil {
		return err
	}
	page.Causes, page.Notes = verdict.Causes(verdict.Question{Fleet: fleet, Result: result, About: about, Meaning: meaning})
	page.Last = report.SummaryLine(fleet, result)
	switch {
	case len(page.Causes) > 0:
		page.State = verdict.State(page.Causes[0].Severity)
	case result.Unchecked() > 0:
		page.State = verdict.Unknown
	default:
		page.State = verdict.OK
	}
	return page.Write(f.Out)
}

// writePage writes the page of a check-up.
func (c *checkUp) writePage(ctx context.Context, found checked) error {
	page, err := c.webPage(ctx, c.Plugin.Name, found.fleet, found.result, c.areas())
	if err != nil {
		return err
	}
	page.Causes, page.Notes, page.Areas = found.verdict.Causes, found.verdict.Notes, found.verdict.Areas
	page.Tables, page.Last, page.State = tables(found), lastLine(found, c.wanted != nil), found.verdict.State
	if page.State == verdict.OK && found.verdict.Unchecked > 0 {
		page.State = verdict.Unknown
	}
	page.Deeper = func(cause verdict.Cause) []finding.Command { return c.Deeper(cause, c.Again()) }
	return page.Write(c.Out)
}
