package finding

// ReasonKind tells apart why something is not known.
type ReasonKind string

// The kinds of reasons.
const (
	Unreached ReasonKind = "unreached" // the cluster did not answer
	Forbidden ReasonKind = "forbidden" // the user may not read it
	Failed    ReasonKind = "failed"    // reading it failed
	NotRead   ReasonKind = "not-read"  // this run did not ask for it, or the dump does not hold it
	NotAsked  ReasonKind = "not-asked" // clusters of a dump cannot be asked
	Undecided ReasonKind = "undecided" // what was read does not decide it
)

// Reason says why something is not known. Code decides by Kind; Text is for people.
type Reason struct {
	Kind ReasonKind `json:"kind"`
	// Text is a few words, fit to be shown: "pods: forbidden".
	Text string `json:"text"`
}

func (r Reason) String() string { return r.Text }

// Because is the reason of something that what was read does not decide.
func Because(text string) Reason { return Reason{Undecided, text} }

// ClusterUnreached is the reason in a cluster that did not answer.
var ClusterUnreached = Reason{Unreached, "the cluster was not reached"}
