package mesh

import "github.com/kubectl-mesh/kubectl-mesh/internal/resource"

// View is what a command lists.
type View string

// The views.
const (
	Peerings     View = "peerings"     // which cluster watches which, and by what
	Gateways     View = "gateways"     // by which clusters are reached from others
	Certificates View = "certificates" // those that proxies trust, and that sign theirs
)

// Viewer is a mesh that lists what views are about.
type Viewer interface {
	Mesh
	// ViewResources are the rows that a view reads.
	ViewResources(view View) resource.Set
	// View is what there is of the mesh in the fleet of a run.
	View(view View, run *Run) Section
}

// Section is a table of a view.
type Section struct {
	Mesh   string     `json:"mesh"`
	Header []string   `json:"columns"`
	Rows   [][]string `json:"rows"`
	// Names are the lines of the output by names.
	Names []string `json:"-"`
	// Gaps say what is missing, each in a line that begins with its context.
	Gaps []string `json:"gaps,omitempty"`
}
