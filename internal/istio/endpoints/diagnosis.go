package endpoints

import "github.com/kubectl-mesh/kubectl-mesh/internal/view"

// Verdict and the others are what a diagnosis is made of, the same for every mesh.
type (
	Verdict         = view.Verdict
	Diagnosis       = view.Diagnosis
	Presence        = view.Presence
	Source          = view.Source
	Path            = view.Path
	Outcome         = view.Outcome
	Step            = view.Step
	Port            = view.Port
	Address         = view.Address
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
