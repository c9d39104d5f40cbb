package istiomesh

import (
	"reflect"
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/effects"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
	"github.com/kubectl-mesh/kubectl-mesh/internal/simulate"
)

// standIns are values for what a person fills in, of a range that is for documentation: a fix
// with another address of the kind does the same.
var standIns = map[string]string{"ADDRESS": "192.0.2.10", "HOST": "192.0.2.11"}

// Proof is what becomes of a fleet if the commands of one way of a fix are run.
type Proof struct {
	// Outcomes are those of the commands.
	Outcomes []simulate.Outcome
	// Left: the finding is still there, or no longer checked.
	Left bool
	// After is the finding as it is then.
	After finding.Finding
	// Unknown is where it is no longer checked.
	Unknown []finding.Unknown
	// Added are errors and warnings that were not there before.
	Added []finding.Finding
}

// Changes reports whether a command was simulated that changes something.
func (p Proof) Changes() bool {
	return slices.ContainsFunc(p.Outcomes, func(o simulate.Outcome) bool { return o.Kind == simulate.Done })
}

// Gap is the first command that was not simulated; false where all were.
func (p Proof) Gap() (simulate.Outcome, bool) {
	for _, o := range p.Outcomes {
		if o.Kind != simulate.Done && o.Kind != simulate.Reads {
			return o, true
		}
	}
	return simulate.Outcome{}, false
}

// Prover simulates fixes of what was found in a fleet. Running control planes cannot be
// asked what they would say: their answers are left out, before and after.
type Prover struct {
	fleet   *facts.Fleet
	options model.Options
	areas   []mesh.Area
	before  finding.Result
}

// NewProver is a Prover of what was found in a model of a fleet in some areas.
func NewProver(fleet *facts.Fleet, options model.Options, found finding.Result, areas ...mesh.Area) *Prover {
	p := &Prover{fleet: fleet, options: options, areas: areas, before: found}
	if seen := reflect.ValueOf(&p.options.Seen).Elem(); !seen.IsZero() {
		seen.SetZero()
		p.before = p.judge(fleet)
	}
	return p
}

func (p *Prover) judge(fleet *facts.Fleet) finding.Result {
	return Judge(model.New(fleet, p.options), rule.Options{}, p.areas...)
}

// Before is what is found without asking control planes.
func (p *Prover) Before() finding.Result { return p.before }

// Finds reports whether a finding is there without the answers of control planes.
func (p *Prover) Finds(f finding.Finding) bool {
	id := f.ID()
	return slices.ContainsFunc(p.before.Findings, func(o finding.Finding) bool { return o.ID() == id })
}

// Prove simulates one way of the fix of a finding; false for one that rests on the answers
// of control planes.
func (p *Prover) Prove(f finding.Finding, way []finding.Step) (Proof, bool) {
	id := f.ID()
	if !p.Finds(f) {
		return Proof{}, false
	}
	world := simulate.New(p.fleet, resources.All, effects.Istio{})
	world.Values = standIns
	proof := Proof{Outcomes: world.Run(finding.Commands(way)...)}
	if !proof.Changes() {
		proof.Left = true
		return proof, true
	}
	after := p.judge(world.Fleet())
	worst := map[string]finding.Severity{}
	for _, o := range p.before.Findings {
		worst[o.ID()] = o.Severity
	}
	for _, o := range after.Findings {
		if o.ID() == id {
			proof.Left, proof.After = true, o
		}
		if was, there := worst[o.ID()]; o.Severity.AtLeast(finding.Warning) && (!there || !was.AtLeast(o.Severity)) {
			proof.Added = append(proof.Added, o)
		}
	}
	for _, u := range after.Unknowns {
		if !asked(u.Reason) && slices.Contains(u.Codes, f.Code) && slices.Contains(f.Clusters, u.Cluster) && !p.unknown(u.Cluster, f.Code) {
			proof.Left, proof.Unknown = true, append(proof.Unknown, u)
		}
	}
	return proof, true
}

// asked reports whether something is unknown because nobody was asked, which a simulation
// cannot do.
func asked(why finding.Reason) bool {
	return why.Kind == finding.NotRead || why.Kind == finding.NotAsked
}

// unknown reports whether a code was not checked in a cluster before.
func (p *Prover) unknown(cluster string, code finding.Code) bool {
	return slices.ContainsFunc(p.before.Unknowns, func(u finding.Unknown) bool {
		return u.Cluster == cluster && slices.Contains(u.Codes, code)
	})
}
