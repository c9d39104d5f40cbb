package command

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
)

// ListView is List, with what further meshes of the fleet have of the view. Where the fleet has
// those alone, the listing is not made.
func (f *Frame) ListView(
	ctx context.Context, view mesh.View, output *Output, sources resource.Set, listing func(*facts.Fleet) (Listing, error),
) error {
	viewers := f.viewers()
	for _, v := range viewers {
		sources = resource.Join(sources, v.ViewResources(view))
	}
	return f.List(ctx, output, sources, func(fleet *facts.Fleet) (Listing, error) {
		if err := f.notFound(fleet); err != nil {
			return Listing{}, err
		}
		var sections []mesh.Section
		for _, v := range viewers {
			if f.present(fleet, v) {
				sections = append(sections, v.View(view, f.Run(fleet, f.Plugin.Areas...)))
			}
		}
		var out Listing
		others := slices.ContainsFunc(f.Plugin.Meshes, func(m mesh.Mesh) bool {
			_, viewer := m.(mesh.Viewer)
			return !viewer && f.present(fleet, m)
		})
		if others || len(sections) == 0 {
			var err error
			if out, err = listing(fleet); err != nil {
				return out, err
			}
		}
		return with(out, sections), nil
	})
}

// viewers are the meshes that list what views are about.
func (f *Frame) viewers() []mesh.Viewer {
	var out []mesh.Viewer
	for _, m := range f.Plugin.Meshes {
		if v, ok := m.(mesh.Viewer); ok {
			out = append(out, v)
		}
	}
	return out
}

// sectionsDocument is what -o json and yaml print of sections alone.
type sectionsDocument struct {
	report.Meta
	Meshes []mesh.Section `json:"meshes"`
}

// ProbeRows are those that Probed reads.
func ProbeRows(meshes []mesh.Mesh) resource.Set { return rowsOf(meshes, mesh.Prober.ProbeResources) }

// Probed is what came of trying the gateways of the meshes of a fleet that do so themselves: those that it has.
func (f *Frame) Probed(ctx context.Context, fleet *facts.Fleet, wish mesh.Probing) []mesh.Probed {
	var out []mesh.Probed
	for _, m := range f.Plugin.Meshes {
		if p, ok := m.(mesh.Prober); ok && f.present(fleet, m) {
			out = append(out, p.Probe(ctx, f.Run(fleet, f.Plugin.Areas...), wish))
		}
	}
	return out
}

// With is a listing with what came of further probes beneath it.
func (l Listing) With(probed []mesh.Probed) Listing {
	var sections []mesh.Section
	for _, p := range probed {
		sections = append(sections, p.Section)
	}
	return with(l, sections)
}

// with adds sections to a listing.
func with(l Listing, sections []mesh.Section) Listing {
	if len(sections) == 0 {
		return l
	}
	table := l.Table
	l.Table = func(page *report.Page, wide bool) error {
		if table != nil {
			if err := table(page, wide); err != nil {
				return err
			}
		}
		for i, s := range sections {
			if table != nil || i > 0 {
				page.Blank()
			}
			if table != nil || len(sections) > 1 {
				page.Line("%s:", s.Mesh)
			}
			if err := page.Table(s.Header, s.Rows); err != nil {
				return err
			}
		}
		return nil
	}
	for _, s := range sections {
		l.Names, l.Gaps = append(l.Names, s.Names...), append(l.Gaps, s.Gaps...)
	}
	l.Document = document(l.Document, sections)
	return l
}

// document puts sections into a document.
func document(of any, sections []mesh.Section) any {
	if of == nil {
		return sectionsDocument{report.NewMeta("MeshView"), sections}
	}
	text, err := json.Marshal(of)
	fields := map[string]any{}
	if err != nil || json.Unmarshal(text, &fields) != nil {
		return of
	}
	fields["meshes"] = sections
	return fields
}
