package endpoints

import "github.com/kubectl-mesh/kubectl-mesh/internal/view"

type (
	// What a diagnosis is made of, which is the same for every mesh.

	// Verdict is that of every mesh.
	Verdict = view.Verdict
	// Diagnosis is that of every mesh.
	Diagnosis = view.Diagnosis
	// Presence is that of every mesh.
	Presence = view.Presence
	// Source is that of every mesh.
	Source = view.Source
	// Path is that of every mesh.
	Path = view.Path
	// Outcome is that of every mesh.
	Outcome = view.Outcome
	// Step is that of every mesh.
	Step = view.Step
	// Port is that of every mesh.
	Port = view.Port
	// Address is that of every mesh.
	Address = view.Address
	// DroppedEndpoint is that of every mesh.
	DroppedEndpoint = view.DroppedEndpoint
)

// The verdicts, the worst first, and the outcomes of steps.
const (
	Broken  = view.Broken
	Partial = view.Partial
	Unknown = view.Unknown
	Local   = view.Local
	Nothing = view.Nothing
	Reaches = view.Reaches
	Passed  = view.Passed
	Fault   = view.Fault
	Answer  = view.Answer
	Unclear = view.Unclear
)

// Verdicts lists all verdicts, the worst first.
var Verdicts = view.Verdicts
