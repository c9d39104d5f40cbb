package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/verdict"
)

// A page is well formed whatever names say, has no element or attribute of theirs, and asks for nothing; its policy
// names the style sheet and the script that are in it.
func TestWebPage(t *testing.T) {
	const name = `x"><script>alert(1)</script><img src=x onerror='alert(1)'>` + "\x1b[31m\u202e"
	f := finding.Finding{
		Code: "CERT002", Severity: finding.Error, Clusters: []string{name}, Object: finding.In(name, name, name), Title: name, Effect: name,
		Evidence: []finding.Evidence{{Cluster: name, Field: name, Value: name}},
		Fix:      []finding.Step{finding.Say("Careful: %s", name).By(finding.Kubectl(name, "get", name))},
	}
	many := f
	for range 9 {
		many.Evidence = append(many.Evidence, finding.Evidence{Field: name, Value: strings.Repeat("x", len(many.Evidence))})
	}
	now := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	page := WebPage{
		Command: name, Version: name, At: now, Clusters: []string{name}, Names: [][2]string{{name, name}}, State: verdict.Error, Last: name,
		Areas:  []verdict.Area{{Area: finding.Trust, State: verdict.Error, What: name}},
		Tables: []ClusterTable{{Header: []string{"CLUSTER", "ISTIO"}, Rows: [][]string{{name, name}}, Silent: [][2]string{{name, name}}}},
		Causes: []verdict.Cause{
			{Code: "CERT002", Severity: finding.Error, Title: name, Clusters: []string{name}, Findings: []finding.Finding{many}, Caused: []finding.Finding{f}},
			{Code: "CERT002", Severity: finding.Error, Title: name, Clusters: []string{name}, Findings: []finding.Finding{f, f}},
		},
		Result: finding.Result{
			Apart: []finding.Apart{{Finding: f}, {Finding: f, Reason: name, Expires: name}},
			Unknowns: []finding.Unknown{{
				Cluster: name, Codes: []finding.Code{"CERT001"}, Reason: finding.Reason{Kind: finding.Forbidden, Text: name},
			}},
		},
		Deeper:  func(verdict.Cause) []finding.Command { return []finding.Command{finding.Shell("kubectl", name)} },
		Picture: Picture{SVG: []byte("<svg></svg>"), Ways: [][4]string{{"ok", name, name, name}}, Tones: []finding.Severity{""}},
		Certificates: []Validity{{Subject: name, SHA256: name, Roles: []string{name}, Clusters: []string{name},
			NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(30, 0, 0)}},
	}
	var out bytes.Buffer
	if err := page.Write(&out); err != nil {
		t.Fatal(err)
	}
	scripts, quoted := 0, 0
	d := xml.NewDecoder(bytes.NewReader(out.Bytes()))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, out.String())
		}
		switch e := token.(type) {
		case xml.StartElement:
			if e.Name.Local == "script" {
				scripts++
			}
			if slices.Contains([]string{"img", "iframe", "object", "embed", "form", "base"}, e.Name.Local) {
				t.Errorf("element %s", e.Name.Local)
			}
			for _, a := range e.Attr {
				own := strings.HasPrefix(a.Value, "#") || strings.HasPrefix(a.Value, "https://github.com/kubectl-mesh/")
				if strings.HasPrefix(a.Name.Local, "on") || a.Name.Local == "src" || a.Name.Local == "style" || a.Name.Local == "href" && !own {
					t.Errorf("attribute %s=%q", a.Name.Local, a.Value)
				}
			}
		case xml.CharData:
			if strings.Contains(string(e), "<script>alert(1)") {
				quoted++
			}
			if strings.ContainsAny(string(e), "\x1b\u202e") {
				t.Errorf("%q hides something", e)
			}
		}
	}
	if scripts != 1 || quoted < 20 {
		t.Errorf("%d scripts, and %d texts with the name\n%s", scripts, quoted, out.String())
	}
	for _, part := range []string{webStyle, webScript} {
		if !strings.Contains(out.String(), string(hash(part))) || !strings.Contains(out.String(), ">"+part+"</") {
			t.Error("the policy does not name what is in the page")
		}
	}
	again := bytes.Buffer{}
	if err := page.Write(&again); err != nil || again.String() != out.String() {
		t.Errorf("it is not the same page again: %v", err)
	}
}

// The line of time has room for what ends soon, and for roots of any age.
func TestTimeLine(t *testing.T) {
	now := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	for years, want := range map[int]string{0: "Dec 2026 Jan 2027 Feb 2027", 1: "Jan 2027", 40: "2027 2028 2029"} {
		line := newTimeLine([]Validity{{NotAfter: now.AddDate(years, 0, 0)}}, now)
		times, labels := line.ticks()
		if got := strings.Join(labels, " "); !strings.HasPrefix(got, want) || len(times) > 8 {
			t.Errorf("%d years: %s", years, got)
		}
		if x := line.at(now); x < 5 || x > 20 {
			t.Errorf("%d years: now is at %.1f", years, x)
		}
	}
	for left, want := range map[time.Duration]string{
		-3 * 24 * time.Hour: "error ended 3 days ago", 5 * time.Hour: "warning in 5 hours", 29 * 24 * time.Hour: "warning in 29 days",
		31 * 24 * time.Hour: "ok in 31 days",
	} {
		if tone, when := validity(Validity{NotAfter: now.Add(left)}, now); tone+" "+when != want {
			t.Errorf("%s: %s %s, want %s", left, tone, when, want)
		}
	}
	if tone, when := validity(Validity{NotBefore: now.Add(time.Hour), NotAfter: now.Add(2 * time.Hour)}, now); tone+" "+when != "error begins in 1 hour" {
		t.Errorf("not yet valid: %s %s", tone, when)
	}
}
