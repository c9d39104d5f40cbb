package command

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
)

// What is still open is said before each further check, until nothing is or the time is over.
func TestUntil(t *testing.T) {
	var said bytes.Buffer
	wait := func(d time.Duration, left int) (checks int, err error) {
		said.Reset()
		o := &inTime{Frame: &Frame{IOStreams: genericiooptions.IOStreams{ErrOut: &said}}, wait: d}
		err = o.until(t.Context(), func(context.Context) error {
			if checks++; checks > 1 {
				note(o.ErrOut, "said again")
			}
			return nil
		}, func() []string {
			if checks > left {
				return nil
			}
			return []string{"NET013 (east)", "no cluster answered"}
		})
		if o.ErrOut != &said {
			t.Error("the error stream is lost")
		}
		return checks, err
	}
	if n, err := wait(0, 5); n != 1 || err != nil || said.Len() > 0 {
		t.Errorf("without --wait: %d checks, %v, %q", n, err, said.String())
	}
	if n, err := wait(time.Hour, 0); n != 1 || err != nil {
		t.Errorf("all is well: %d checks, %v", n, err)
	}
	if n, err := wait(20*time.Millisecond, 5); n != 2 || err != nil || !strings.HasPrefix(said.String(), "Still open: NET013 (east), no cluster answered. Checking again for") ||
		strings.Contains(said.String(), "said again") {
		t.Errorf("until the time is over: %d checks, %v, %q", n, err, said.String())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o := &inTime{Frame: &Frame{IOStreams: genericiooptions.IOStreams{ErrOut: &said}}, wait: time.Hour}
	if err := o.until(ctx, func(context.Context) error { return nil }, func() []string { return []string{"x"} }); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}

func TestOpen(t *testing.T) {
	fleet := &facts.Fleet{Clusters: []facts.Cluster{{Context: "east"}}}
	found := func(code finding.Code, s finding.Severity, cluster string) finding.Finding {
		return finding.Finding{Code: code, Severity: s, Clusters: []string{cluster}}
	}
	result := finding.Result{
		Findings: []finding.Finding{found("NET013", finding.Error, "east"), found("NET013", finding.Error, "west"), found("GW002", finding.Warning, "east")},
		Unknowns: []finding.Unknown{{Cluster: "east", Codes: []finding.Code{"CP001", "CP002"}}},
	}
	failOn := &FailOn{level: word{string(finding.Error), "severity"}, strict: true}
	o := &inTime{Frame: &Frame{}}
	for name, c := range map[string]struct {
		fleet  *facts.Fleet
		result finding.Result
		want   []string
	}{
		"what fails":            {fleet, result, []string{"NET013 (east, west)"}},
		"what was not checked":  {fleet, finding.Result{Unknowns: result.Unknowns}, []string{"2 rules not checked"}},
		"nothing":               {fleet, finding.Result{}, nil},
		"what does not answer":  {&facts.Fleet{Clusters: []facts.Cluster{{Unreached: &facts.Unreached{}}}}, finding.Result{}, []string{"no cluster answered"}},
		"what is known of late": {fleet, finding.Result{Apart: []finding.Apart{{Finding: result.Findings[0]}}}, nil},
	} {
		if diff := cmp.Diff(c.want, o.open(failOn, c.fleet, c.result)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
