// Package linkerdtest has Linkerd fleets for tests: those that real controllers made, with what
// they answered, and changes of them.
package linkerdtest

import (
	"embed"
	"encoding/json"
	"io/fs"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/cases"
	"github.com/kubectl-mesh/kubectl-mesh/internal/dump"
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/resources"
)

// recorded are fleets of Linkerd edge-26.8.3 on Kubernetes 1.36: a healthy one, and what differs
// from it in others.
//
//go:embed testdata/recorded
var recorded embed.FS

// Recorded is a fleet that real controllers made.
type Recorded struct {
	*cases.Case
	// Planted is what was done to the healthy fleet.
	Planted string `json:"planted"`
	Healthy bool   `json:"healthy"`
	// Checks are those that have to say it, as the catalogue of checks calls them, with remarks.
	Checks     []string  `json:"expectedChecks"`
	RecordedAt time.Time `json:"recordedAt"`
	// Answers are what the destination controllers told a new client, by context.
	Answers map[string][]Answer `json:"destination"`
}

// Answer is what a destination controller told.
type Answer struct {
	Authority string `json:"authority"`
	// Result is "endpoints", "silence" or "error".
	Result    string `json:"result"`
	Error     string `json:"error"`
	Addresses []struct {
		Address     string `json:"address"`
		TLSIdentity string `json:"tlsIdentity"`
	} `json:"addresses"`
}

func files(t *testing.T) fs.FS {
	t.Helper()
	dir, err := fs.Sub(recorded, "testdata/recorded")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// AllRecorded are the recorded fleets, by name.
func AllRecorded(t *testing.T) []*Recorded {
	t.Helper()
	dir := files(t)
	all, err := cases.All(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []*Recorded
	for _, c := range all {
		text, err := fs.ReadFile(dir, path.Join(c.Name, "truth.json"))
		if err != nil {
			t.Fatal(err)
		}
		r := &Recorded{Case: c}
		if err := json.Unmarshal(text, r); err != nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
		out = append(out, r)
	}
	if len(out) == 0 {
		t.Fatal("there are no recorded fleets")
	}
	return out
}

// Facts are those of the fleet.
func (r *Recorded) Facts(t *testing.T) *facts.Fleet {
	t.Helper()
	return factsOf(t, r.Case)
}

// read are the facts of fleets by name: to decode them takes most of a test's time.
var (
	reading sync.Mutex
	read    = map[string]*facts.Fleet{}
)

// factsOf are the facts of a fleet. Clusters are copies, whose reads can be replaced.
func factsOf(t *testing.T, c *cases.Case) *facts.Fleet {
	t.Helper()
	reading.Lock()
	defer reading.Unlock()
	fleet := read[c.Name]
	if fleet == nil {
		var err error
		if fleet, err = c.Facts(files(t), resources.All); err != nil {
			t.Fatal(err)
		}
		read[c.Name] = fleet
	}
	out := *fleet
	out.Clusters = slices.Clone(fleet.Clusters)
	return &out
}

// Healthy is the fleet of which all others are changes: two clusters, each linked to the other.
func Healthy(t *testing.T) *facts.Fleet {
	t.Helper()
	base := &cases.Case{Name: "bases/two-clusters", Fleet: cases.Fleet{Base: "two-clusters"}}
	return factsOf(t, base)
}

// checkName is the name of a check in the catalogue: L5D-NET-002.
var checkName = regexp.MustCompile(`^L5D-([A-Z]+)-(\d+)`)

// Codes are the checks that have to say it, by our codes.
func (r *Recorded) Codes() []finding.Code {
	var out []finding.Code
	for _, check := range r.Checks {
		if m := checkName.FindStringSubmatch(check); m != nil {
			out = append(out, finding.Code(m[1]+"1"+m[2][1:]))
		}
	}
	return out
}

// Dumps writes recorded fleets as a plugin dumps them, and returns the folder: linkerd, with a folder
// for each of them.
func Dumps(t *testing.T, names ...string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "linkerd")
	for _, r := range AllRecorded(t) {
		if !slices.Contains(names, r.Name) {
			continue
		}
		if err := dump.Write(filepath.Join(out, r.Name), r.Facts(t), resources.All); err != nil {
			t.Fatal(err)
		}
	}
	return out
}
