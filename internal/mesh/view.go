package mesh

import (
	"context"
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/view"
)

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
	// Gaps say what is missing.
	Gaps []Gap `json:"gaps,omitempty"`
}

// Gap is what a view could not list.
type Gap struct {
	// Cluster is a context, or what a cluster without one is called.
	Cluster string `json:"cluster"`
	Reason  string `json:"reason"`
}

// Gaps are what rules could not check, each reason of a cluster once.
func Gaps(unknowns []finding.Unknown) []Gap {
	var out []Gap
	for _, u := range unknowns {
		if gap := (Gap{Cluster: u.Cluster, Reason: u.Reason.Text}); !slices.Contains(out, gap) {
			out = append(out, gap)
		}
	}
	return out
}

// Area is the one whose rules say how what the view lists is.
func (v View) Area() Area {
	switch v {
	case Peerings:
		return Endpoints
	case Gateways:
		return Network
	default:
		return Certs
	}
}

// Diagnoser is a mesh that says why a service is, or is not, reached.
type Diagnoser interface {
	Mesh
	// DiagnosisResources are the rows that a diagnosis reads.
	DiagnosisResources() resource.Set
	// Diagnose says what becomes of requests for a service from each cluster to each other
	// one. An error is about what the user wants.
	Diagnose(ctx context.Context, run *Run, namespace, name string) (*view.Diagnosis, finding.Result, error)
}

// Prober is a mesh whose gateways are tried from this machine.
type Prober interface {
	Mesh
	// ProbeResources are the rows that tell which addresses there are, and who trusts whom.
	ProbeResources() resource.Set
	// Probe tries the addresses of the gateways of the fleet of a run, and says what came of it.
	Probe(ctx context.Context, run *Run, wish Probing) Probed
}

// Probed is what came of trying addresses.
type Probed struct {
	Section
	// Failed: one of them is not reached, or not trusted.
	Failed bool
}

// Mapper is a mesh that is drawn.
type Mapper interface {
	Mesh
	// Map is who reaches whom in the fleet of a run, and through which gateways.
	Map(ctx context.Context, run *Run) (view.NetworkMap, error)
}

// Comparer is a mesh whose clusters trust roots that are compared.
type Comparer interface {
	Mesh
	// RootResources are the rows that tell the roots.
	RootResources() resource.Set
	// CompareRoots says which roots the workloads of which clusters trust, and who trusts whom.
	CompareRoots(fleet *facts.Fleet) view.Comparison
}

// Rotator is a mesh of which it is known who refuses whom after a change of CAs, until all proxies have renewed.
type Rotator interface {
	Mesh
	// Rotation compares a fleet with what it would be.
	Rotation(before, after *facts.Fleet) view.Rotation
}

// Certified is a mesh whose CA certificates are known.
type Certified interface {
	Mesh
	// Certificates are the CA certificates of a fleet, as far as they were read.
	Certificates(fleet *facts.Fleet) view.Certificates
}
