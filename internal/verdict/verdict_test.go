package verdict

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
)

// areas are those of some codes, as their pages name them.
var areas = map[finding.Code]finding.Area{
	"FLT002": finding.Clusters, "CP001": finding.ControlPlane, "CERT010": finding.Trust, "CERT002": finding.Trust, "CERT021": finding.Trust,
	"GW002": finding.Networks, "GW001": finding.Networks, "SEC001": finding.Discovery, "EP032": finding.Services, "EP003": finding.Services,
}

// of is the verdict of a fleet of clusters, in which those whose names begin with "no" were
// not reached.
func of(contexts string, only []finding.Area, found ...finding.Finding) Verdict {
	q := Question{
		Fleet: &facts.Fleet{}, Only: only,
		Well:    map[finding.Area]string{finding.Trust: "one root"},
		About:   func(code finding.Code) finding.Area { return areas[code] },
		Meaning: func(code finding.Code) string { return "the meaning of " + string(code) },
	}
	for code := range areas {
		q.Codes = append(q.Codes, code)
	}
	for _, f := range found {
		q.Result.Add(f)
	}
	for _, name := range strings.Fields(contexts) {
		c := facts.Cluster{Context: name}
		if strings.HasPrefix(name, "no") {
			c.Unreached = &facts.Unreached{}
			q.Result.NotChecked(name, finding.ClusterUnreached, q.Codes...)
		}
		q.Fleet.Clusters = append(q.Fleet.Clusters, c)
	}
	q.Result.Sort()
	return Of(q)
}

func f(code finding.Code, severity finding.Severity, clusters, title, causedBy string) finding.Finding {
	return finding.Finding{Code: code, Severity: severity, Clusters: strings.Split(clusters, ","), Title: title, CausedBy: causedBy}
}

// lines are the areas of a verdict that say something, as people read them.
func lines(v Verdict) []string {
	var out []string
	for _, a := range v.Areas {
		if a.State != OK || a.What != "nothing found" {
			out = append(out, string(a.State)+" "+string(a.Area)+": "+a.What)
		}
	}
	return out
}

func TestAreas(t *testing.T) {
	for _, c := range []struct {
		name     string
		contexts string
		only     []finding.Area
		found    []finding.Finding
		state    State
		want     []string
	}{
		{
			name: "all is well", contexts: "east west", state: OK,
			want: []string{
				"ok clusters: 2 of 2 answered", "unknown versions: not checked", "unknown injection: not checked",
				"unknown proxies: not checked", "ok trust: one root",
			},
		},
		{
			name: "a note is no fault", contexts: "east west", state: OK,
			found: []finding.Finding{f("CERT021", finding.Note, "east,west", "two roots have one name", "")},
			only:  []finding.Area{finding.Clusters, finding.Trust},
			want: []string{
				"ok clusters: 2 of 2 answered", "skipped control plane: left out", "skipped versions: left out", "skipped injection: left out",
				"skipped proxies: left out", "ok trust: one root", "skipped networks: left out", "skipped discovery: left out", "skipped services: left out",
			},
		},
		{
			name: "what an area suffers from may be of another one", contexts: "east west", state: Error,
			found: []finding.Finding{
				f("GW002", finding.Error, "west", "the gateway has no address", ""),
				f("GW001", finding.Error, "west", "no gateway leads to network2", "GW002/west"),
				f("EP032", finding.Error, "east", "cart is not reached", "GW001/west"),
				f("EP003", finding.Warning, "east", "the port has another name", ""),
			},
			want: []string{
				"ok clusters: 2 of 2 answered", "unknown versions: not checked", "unknown injection: not checked", "unknown proxies: not checked",
				"ok trust: one root", "error networks: the gateway has no address (GW002)", "error services: 2 findings (GW002, EP003)",
			},
		},
		{
			name: "a cluster that does not answer", contexts: "east north", state: Error,
			found: []finding.Finding{f("FLT002", finding.Error, "north", "the cluster did not answer in time", "")},
			want: []string{
				"error clusters: 1 of 2 answered, not north (FLT002)", "unknown versions: not checked",
				"unknown injection: not checked", "unknown proxies: not checked", "ok trust: one root",
			},
		},
		{
			name: "no cluster answers", contexts: "north", state: Unknown,
			found: []finding.Finding{f("FLT002", finding.Error, "north", "the cluster did not answer in time", "")},
			want: []string{
				"error clusters: 0 of 1 answered, not north (FLT002)", "unknown control plane: not checked: the cluster was not reached",
				"unknown versions: not checked", "unknown injection: not checked", "unknown proxies: not checked",
				"unknown trust: not checked: the cluster was not reached", "unknown networks: not checked: the cluster was not reached",
				"unknown services: not checked: the cluster was not reached",
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := of(c.contexts, c.only, c.found...)
			if diff := cmp.Diff(c.want, lines(v)); diff != "" {
				t.Errorf("areas (-want +got):\n%s", diff)
			}
			if v.State != c.state {
				t.Errorf("the verdict is %s, want %s", v.State, c.state)
			}
		})
	}
}

// An area of which something was checked in one cluster and nothing in another says so; so it
// does where single rules were not checked.
func TestUnchecked(t *testing.T) {
	q := Question{
		Fleet: &facts.Fleet{Clusters: []facts.Cluster{{Context: "east"}, {Context: "west"}}},
		Codes: []finding.Code{"CERT002", "CERT010", "GW001", "GW002"},
		About: func(code finding.Code) finding.Area { return areas[code] },
	}
	why := finding.Reason{Kind: finding.Forbidden, Text: "secrets: forbidden"}
	q.Result.NotChecked("west", why, "CERT002", "CERT010", "GW001")
	v := Of(q)
	want := []Area{
		{Area: finding.Trust, State: OK, What: "nothing found (without west)", Unchecked: 2},
		{Area: finding.Networks, State: OK, What: "nothing found (1 rule not checked)", Unchecked: 1},
	}
	var got []Area
	for _, a := range v.Areas {
		if a.Area == finding.Trust || a.Area == finding.Networks {
			got = append(got, a)
		}
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("areas (-want +got):\n%s", diff)
	}
	if v.Unchecked != 3 {
		t.Errorf("%d rules are unchecked, want 3", v.Unchecked)
	}
}

// What makes other repairs dangerous is fixed first, then what breaks most, then what is
// further outside; that a cluster is not reached from here comes last; and errors come before warnings.
func TestFixingOrder(t *testing.T) {
	expired := f("CERT010", finding.Error, "east", "the root expired", "")
	expired.First = true
	v := of(
		"east west north", nil,
		f("FLT002", finding.Error, "north", "the cluster did not answer in time", ""),
		f("EP003", finding.Warning, "east", "the port has another name", ""),
		f("SEC001", finding.Error, "east", "no remote secret for west", ""),
		f("CP001", finding.Error, "west", "no istiod is ready", ""),
		f("GW002", finding.Error, "east", "the gateway has no address", ""),
		f("GW002", finding.Error, "west", "the gateway's load balancer is pending", ""),
		f("EP032", finding.Error, "east", "cart is not reached", "GW002/east"),
		f("EP032", finding.Error, "west", "shop is not reached", "GW002/west"),
		expired,
	)
	var got []string
	for _, c := range v.Causes {
		got = append(got, strings.Join([]string{string(c.Severity), string(c.Code), strings.Join(c.Clusters, ","), c.Title}, " "))
	}
	want := []string{
		"error CERT010 east the root expired",
		"error GW002 east,west the meaning of GW002",
		"error CP001 west no istiod is ready",
		"error SEC001 east no remote secret for west",
		"error FLT002 north the cluster did not answer in time",
		"warning EP003 east the port has another name",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("causes (-want +got):\n%s", diff)
	}
	if n := len(v.Causes[1].Caused); n != 2 {
		t.Errorf("both gateways cause %d findings, want 2", n)
	}
}

// A note that causes an error is a cause, and as bad as that.
func TestWorseThanItsCause(t *testing.T) {
	v := of(
		"east west", nil, f("CERT021", finding.Note, "east", "two roots have one name", ""),
		f("CERT002", finding.Error, "east", "no trust", "CERT021/east"),
	)
	if len(v.Causes) != 1 || v.Causes[0].Code != "CERT021" || v.Causes[0].Severity != finding.Error || len(v.Notes) != 0 {
		t.Errorf("causes %v, notes %v; want CERT021 as an error", v.Causes, v.Notes)
	}
}
