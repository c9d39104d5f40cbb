// Package mesh is what a kind of service mesh is to the rest of the program: how it is
// told that a cluster has it, what is read of a cluster for it, to which other clusters it leads, and
// what its rules say. Whoever uses it names areas, and knows no mesh.
package mesh

import (
	"context"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/simulate"
	"github.com/kubectl-mesh/kubectl-mesh/internal/survey"
	"github.com/kubectl-mesh/kubectl-mesh/internal/verdict"
)

// Area is a part of what is checked: what one plugin is about.
type Area string

// The areas.
const (
	ControlPlane Area = "control plane" // does each cluster's own run, with what it injects and the proxies?

	Certs     Area = "certs"     // do the clusters trust one another?
	Network   Area = "network"   // networks, gateways, and clusters without a control plane
	Endpoints Area = "endpoints" // who watches whom, and which endpoints clients get
)

// Mesh is a kind of service mesh.
type Mesh interface {
	// Name is what people call it: "Istio".
	Name() string
	// SystemNamespace is the usual namespace of its control plane.
	SystemNamespace() string
	// Presence says whether a cluster has it.
	Presence(c *facts.Cluster) Presence
	// Table are all rows that are read for it, in the order in which a dump has them.
	Table() resource.Set
	// Resources are the rows that the rules of some areas read, with what wishes take.
	Resources(wishes []any, areas ...Area) resource.Set
	// PeerResources are the rows that tell which other clusters a cluster leads to.
	PeerResources() resource.Set
	// Peers are the clusters to which a cluster leads.
	Peers(c *facts.Cluster) Peers
	// FollowUps are what the facts of a fleet show to be read further, by context; only of
	// those rows that were asked for.
	FollowUps(fleet *facts.Fleet, rows resource.Set) map[string]FollowUp
	// Codes are the codes that the rules of some areas can find.
	Codes(areas ...Area) []finding.Code
	// Needs is what the rules read that can find some codes.
	Needs(codes ...finding.Code) []Need
	// Verify asks what its rules of some areas need besides the facts, and runs them. An
	// error is about what the user wants.
	Verify(ctx context.Context, run *Run) (finding.Result, error)
	// CheckUp is Verify, and what is well besides.
	CheckUp(ctx context.Context, run *Run) (finding.Result, verdict.Overview, error)
}

// Explainer is a mesh that drives another one: what its rules find can be the cause of what those of the other
// one find.
type Explainer interface {
	Mesh
	// Explain names causes in a result of all meshes, and takes out of it what is by design where this one
	// drives the other.
	Explain(fleet *facts.Fleet, result *finding.Result)
}

// Simulator is a mesh of which it is known what its controllers make of a change.
type Simulator interface {
	Mesh
	Effects() simulate.Mesh
}

// Need is something that rules read of a cluster, or ask of it.
type Need struct {
	// Name is what people call it, in the plural.
	Name string
	// Grants are the rights that it takes; with Instead it is also to be had where
	// these are not given.
	Grants, Instead []resource.Grant
}

// Presence is whether a cluster has a mesh.
type Presence struct {
	Found bool
	// Unknown says why that is not known; the zero Reason where it is.
	Unknown finding.Reason
	// Missing is a sentence for a cluster that does not have it, Evidence what was looked
	// for, and Elsewhere the namespaces in which something of it was found.
	Missing   string
	Evidence  []finding.Evidence
	Elsewhere []string
}

// Peers are the clusters to which a cluster leads.
type Peers struct {
	// By is what names them, in the plural: "remote secrets".
	By string
	// Unknown says why they are not known; "" where they are.
	Unknown string
	Peers   []Peer
}

// Peer is a cluster to which another one leads.
type Peer struct {
	// Object is what names it: namespace/name of a Secret.
	Object string
	// ClusterID is its name in the mesh, Server the URL of its API server; "" where that is not known.
	ClusterID, Server string
}

// FollowUp reads further of a cluster.
type FollowUp interface {
	// Read reads, and notes in the facts what could not be read. It costs one round trip.
	Read(ctx context.Context, cluster survey.Cluster, c *facts.Cluster)
	// Fail notes that the cluster could not be asked, and why.
	Fail(c *facts.Cluster, reason string)
}

// Run is one run of the rules, as the user wants it.
type Run struct {
	Fleet *facts.Fleet
	// By asks clusters of the fleet something more.
	By survey.Asker
	// Say tells the user what is done besides, on the error stream.
	Say func(format string, args ...any)
	// Areas are what is to be checked.
	Areas []Area
	// Wishes are what the user chose, each of a type that some mesh knows.
	Wishes []any
}

// Wish is the choice of a type; false where the user made none.
func Wish[T any](wishes []any) (T, bool) {
	for _, w := range wishes {
		if wish, ok := w.(T); ok {
			return wish, true
		}
	}
	var none T
	return none, false
}
