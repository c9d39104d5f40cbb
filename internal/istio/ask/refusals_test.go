package ask

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
)

const metricsText = `# HELP citadel_server_authentication_failure_count The number of authentication failures.
# TYPE citadel_server_authentication_failure_count counter
citadel_server_authentication_failure_count 212
citadel_server_csr_count 900
# TYPE citadel_server_csr_sign_err_count counter
citadel_server_csr_sign_err_count{error="CA_NOT_READY"} 3
citadel_server_csr_sign_err_count{error="CSR_ERROR"} 1e+01
citadel_server_authentication_failure_count_created 1.7e+09
pilot_xds{version="1.29.1"} 4
`

func TestParseRefusals(t *testing.T) {
	got, err := parseRefusals(strings.NewReader(metricsText))
	if want := (facts.RefusalCount{Unauthenticated: 212, Unsigned: 13}); got != want || err != nil {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := parseRefusals(strings.NewReader("")); got != (facts.RefusalCount{}) || err != nil {
		t.Errorf("an istiod that refused nobody: %+v, %v", got, err)
	}
	for _, text := range []string{unauthenticated + " many\n", unauthenticated + " -1\n", unsigned + "{error=\"x\"} NaN\n"} {
		if got, err := parseRefusals(strings.NewReader(text)); !errors.Is(err, errGarbage) {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
	if _, err := parseRefusals(strings.NewReader(strings.Repeat("x", mostToken+1))); !errors.Is(err, errGarbage) {
		t.Errorf("an endless line: %v", err)
	}
	if _, err := parseRefusals(&bounded{Reader: strings.NewReader(metricsText), left: 50}); !errors.Is(err, errTooMuch) {
		t.Errorf("a flood: %v", err)
	}
}

// Of replicas of which one was not read twice nothing is known: a proxy can be connected to that one.
func TestRefusals(t *testing.T) {
	read := func(n int64) facts.Read[facts.RefusalCount] {
		return facts.Read[facts.RefusalCount]{State: facts.OK, Value: facts.RefusalCount{Unauthenticated: n}}
	}
	before := map[string]facts.Read[facts.RefusalCount]{"istiod-0": read(7), "istiod-1": read(0)}
	after := map[string]facts.Read[facts.RefusalCount]{"istiod-0": read(9), "istiod-1": read(0)}
	pods := []string{"istiod-0", "istiod-1"}
	want := facts.Read[[]facts.Refusals]{State: facts.OK, Value: []facts.Refusals{
		{Pod: "istiod-0", Before: read(7).Value, After: read(9).Value}, {Pod: "istiod-1"},
	}}
	if diff := cmp.Diff(want, refusals(pods, before, after)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	after["istiod-1"] = facts.Read[facts.RefusalCount]{State: facts.Failed, Reason: "istiod did not answer in time"}
	if got := refusals(pods, before, after); got.State != facts.Failed || got.Reason != "istiod-1: istiod did not answer in time" {
		t.Errorf("%+v", got)
	}
}
