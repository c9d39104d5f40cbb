package command

import (
	"context"
	"errors"
	"fmt"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/printable"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
)

// Listing is what a command shows that lists or draws something, in each format.
type Listing struct {
	// Document is what -o json and yaml print.
	Document any
	// Names are the lines of -o name.
	Names []string
	// Table writes the text, with more in it if wide.
	Table func(page *report.Page, wide bool) error
	// Drawings are the other formats of the command.
	Drawings map[report.Format]func() []byte
	// Gaps say what is missing, and why.
	Gaps []mesh.Gap
}

// List reads the sources of the fleet and prints the listing of it; what is missing goes to
// the error stream. It fails where no cluster was reached, and where none has a mesh.
func (f *Frame) List(ctx context.Context, output *Output, sources resource.Set, listing func(*facts.Fleet) (Listing, error)) error {
	format, err := output.Format()
	if err != nil {
		return err
	}
	fleet, err := f.Gather(ctx, sources)
	if err != nil {
		return err
	}
	if err := f.noMesh(fleet, finding.Result{}, "listed"); err != nil {
		return errors.Join(Unreachable(fleet), err)
	}
	l, err := listing(fleet)
	if err != nil {
		return err
	}
	draw, drawing := l.Drawings[format]
	switch {
	case drawing:
		_, err = f.Out.Write(draw())
	case format.Kind() == report.JSON, format == report.YAML:
		err = report.Encode(f.Out, format, l.Document)
	case format == report.Name:
		for _, name := range l.Names {
			fmt.Fprintln(f.Out, printable.Line(name))
		}
	default:
		err = l.Table(f.Page(output), format == report.Wide)
	}
	if err != nil {
		return err
	}
	f.sayGaps(l.Gaps)
	return Unreachable(fleet)
}

// sayGaps tells on the error stream what is missing: equal reasons of several clusters once.
func (f *Frame) sayGaps(gaps []mesh.Gap) {
	page := report.NewPage(f.ErrOut, false, 0, false)
	page.Short = f.short
	var reasons []string
	clusters := map[string][]string{}
	for _, g := range gaps {
		if clusters[g.Reason] == nil {
			reasons = append(reasons, g.Reason)
		}
		clusters[g.Reason] = append(clusters[g.Reason], g.Cluster)
	}
	for _, reason := range reasons {
		page.Line("not listed: %s: %s", report.Clusters(clusters[reason]), reason)
	}
}
