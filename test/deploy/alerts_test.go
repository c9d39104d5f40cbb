package deploy

import (
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// prometheusRule is a PrometheusRule of monitoring.coreos.com/v1, as far as we use it.
type prometheusRule struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		Groups []struct {
			Name  string `json:"name"`
			Rules []struct {
				Alert       string            `json:"alert"`
				Expr        string            `json:"expr"`
				For         string            `json:"for"`
				Labels      map[string]string `json:"labels"`
				Annotations map[string]string `json:"annotations"`
			} `json:"rules"`
		} `json:"groups"`
	} `json:"spec"`
}

// metrics are the labels of the metrics that mesh-check writes, by their names.
func metrics(t *testing.T, args ...string) map[string][]string {
	t.Helper()
	out := execute(t, nil, filepath.Join(*binaries, "kubectl-mesh_check"), append(args, "-o", "prometheus")...)
	found := map[string][]string{}
	sample := regexp.MustCompile(`^(\w+)(?:\{(.*)\})? \d+$`)
	label := regexp.MustCompile(`(\w+)="(?:[^"\\]|\\.)*"`)
	for line := range strings.Lines(out.stdout) {
		if strings.HasPrefix(line, "# ") {
			continue
		}
		m := sample.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		if m == nil {
			t.Fatalf("%q is no sample", line)
		}
		found[m[1]] = nil
		for _, l := range label.FindAllStringSubmatch(m[2], -1) {
			found[m[1]] = append(found[m[1]], l[1])
		}
	}
	return found
}

// What the alerts ask for is what the report writes.
func TestAlerts(t *testing.T) {
	written := metrics(t, "--from", example(t, "fleet"))
	var rule prometheusRule
	strictly(t, file(t, "alerts.yaml"), &rule)
	if rule.APIVersion != "monitoring.coreos.com/v1" || rule.Kind != "PrometheusRule" {
		t.Errorf("%+v", rule.TypeMeta)
	}
	asked := map[string]bool{}
	name := regexp.MustCompile(`mesh_\w+`)
	matcher := regexp.MustCompile(`(\w+)\{([^}]*)\}`)
	grouped := regexp.MustCompile(`by \(([^)]*)\)`)
	used := regexp.MustCompile(`\$labels\.(\w+)`)
	for _, r := range rule.Spec.Groups[0].Rules {
		t.Run(r.Alert, func(t *testing.T) {
			var groups []string
			for _, g := range grouped.FindAllStringSubmatch(r.Expr, -1) {
				groups = append(groups, strings.Split(g[1], ", ")...)
			}
			for _, n := range name.FindAllString(r.Expr, -1) {
				asked[n] = true
				if _, ok := written[n]; !ok {
					t.Errorf("%s is no metric: %v", n, slices.Sorted(maps.Keys(written)))
				}
			}
			for _, m := range matcher.FindAllStringSubmatch(r.Expr, -1) {
				for l := range strings.SplitSeq(m[2], ",") {
					if l, _, _ := strings.Cut(l, "="); !slices.Contains(written[m[1]], l) {
						t.Errorf("%s has no label %s", m[1], l)
					}
				}
			}
			for _, g := range groups {
				if !slices.Contains(written["mesh_finding"], g) {
					t.Errorf("nothing has the label %s", g)
				}
			}
			for key, text := range r.Annotations {
				for _, l := range used.FindAllStringSubmatch(text, -1) {
					if !slices.Contains(groups, l[1]) {
						t.Errorf("%s: the alert has no label %s", key, l[1])
					}
				}
			}
			if r.For == "" || r.Labels["severity"] == "" || r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
				t.Errorf("%+v", r)
			}
		})
	}
	for _, n := range []string{"mesh_finding", "mesh_unchecked", "mesh_verify_timestamp_seconds"} {
		if !asked[n] {
			t.Errorf("no alert is about %s", n)
		}
	}
}

// The commands that the alert names are there.
func TestCommandsOfAlerts(t *testing.T) {
	var rule prometheusRule
	strictly(t, file(t, "alerts.yaml"), &rule)
	path := tools(t, map[string]string{"kubectl": throughKubectl})
	fill := strings.NewReplacer("{{ $labels.cluster }}", "west", "{{ $labels.code }}", "GW002")
	command := regexp.MustCompile(`"(kubectl [^"]*)"`)
	ran := 0
	for _, r := range rule.Spec.Groups[0].Rules {
		for _, c := range command.FindAllStringSubmatch(r.Annotations["description"], -1) {
			line := fill.Replace(c[1])
			from := example(t, "fleet")
			if strings.Contains(line, " explain ") {
				from = ""
			}
			out := execute(t, []string{path, "FROM=" + from}, "bash", "-c", line)
			if ran++; !strings.Contains(out.stdout, "GW002") {
				t.Errorf("%s ends with %d\n%s%s", line, out.code, out.stdout, out.stderr)
			}
		}
	}
	if ran != 2 {
		t.Errorf("%d commands", ran)
	}
}

// Known and suppressed findings do not alert: they are in metrics that no alert asks for.
func TestKnownFindingsDoNotAlert(t *testing.T) {
	fleet := example(t, "fleet")
	last := filepath.Join(t.TempDir(), "last.json")
	out := execute(t, nil, filepath.Join(*binaries, "kubectl-mesh_check"), "--from", fleet, "-q", "-o", "json="+last)
	if out.code != 1 || strings.Count(out.stdout, "\n") != 1 {
		t.Fatalf("%+v", out)
	}
	written := metrics(t, "--from", fleet, "--baseline", last)
	if _, found := written["mesh_finding"]; found {
		t.Error("what is known is a finding")
	}
	if len(written["mesh_finding_known"]) == 0 {
		t.Errorf("what is known has no metric: %v", written)
	}
	if strings.Contains(file(t, "alerts.yaml"), "mesh_finding_") {
		t.Error("an alert is about what is known or suppressed")
	}
}
