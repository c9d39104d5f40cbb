package cases_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/cases"
)

// scoreboard is the page docs/scoreboard.md.
func scoreboard(all []*verdict, istioctl map[string][]string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `# Scoreboard

Fleets of public reports and of healthy setups, and what the plugins say of them. A fault is right when
its cause is named first, in the right cluster and object; a healthy fleet when no command finds an
error or a warning. `+"`make cases`"+` checks them, and a test holds this page to it. The fleets are in [cases](../cases/README.md).

The last column is what `+"`istioctl analyze`"+` says of the same objects: its errors and warnings, cluster by cluster, from
files. What it says because cases leave out images of proxies (IST0158) and selectors of webhooks (IST0139) is not counted.
It cannot read remote secrets, certificates and addresses, so that it cannot find most of these faults.

**%s.**
`, summary(all))
	for _, part := range []struct {
		title string
		kind  cases.Kind
	}{{"Faults", cases.Fault}, {"Healthy setups", cases.Healthy}} {
		fmt.Fprintf(&b, "\n## %s\n\n| case | | what is said first | istioctl analyze |\n| --- | --- | --- | --- |\n", part.title)
		for _, v := range all {
			if v.of.Kind == part.kind {
				fmt.Fprintf(&b, "| [%s](../cases/%s/case.yaml): %s | %s | %s | %s |\n", v.of.Name, v.of.Name, cell(v.of.Title), v.mark(), v.said(), analyzed(istioctl[v.of.Name]))
			}
		}
	}
	return b.String()
}

func (v *verdict) mark() string {
	if len(v.wrong) == 0 {
		return "right"
	}
	return "**wrong**"
}

// said is what is printed first, and why that is not what it should be.
func (v *verdict) said() string {
	var out []string
	expected := map[string]bool{}
	for _, e := range v.of.Expect {
		expected[e.Command] = true
	}
	for _, command := range slices.Sorted(maps.Keys(v.first)) {
		if expected[command] || len(expected) == 0 {
			out = append(out, "`"+command+"`: "+cell(v.first[command]))
		}
	}
	if len(v.wrong) > 0 && v.of.Kind == cases.Fault {
		out = append(out, "*"+cell(strings.Join(v.wrong, "; "))+"*")
	}
	if v.of.Missed != "" {
		out = append(out, cell(v.of.Missed))
	}
	if len(v.besides) > 0 {
		out = append(out, fmt.Sprintf("besides: %d", len(v.besides)))
	}
	if len(out) == 0 {
		return "nothing"
	}
	return strings.Join(out, "<br>")
}

// analyzed is what istioctl analyze says of a case, in a cell.
func analyzed(lines []string) string {
	switch {
	case lines == nil:
		return "not run"
	case len(lines) == 0:
		return "nothing"
	case len(lines) > 2:
		return fmt.Sprintf("%s<br>%s<br>and %d more", cell(lines[0]), cell(lines[1]), len(lines)-2)
	}
	return cell(strings.Join(lines, "; "))
}

func cell(text string) string {
	return strings.NewReplacer("|", "\\|", "\n", " ", "<", "&lt;").Replace(text)
}
