package report

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/printable"
	"github.com/kubectl-mesh/kubectl-mesh/internal/verdict"
)

// CheckUp is the document of a "mesh-check".
type CheckUp struct {
	Meta
	// Command is what was run: "mesh-check".
	Command string `json:"command"`
	// At is when the facts were read.
	At time.Time `json:"at"`
	// Status is the worst of all areas; "unknown" where nothing was checked.
	Status   verdict.State    `json:"status"`
	Clusters []CheckedCluster `json:"clusters"`
	Areas    []verdict.Area   `json:"areas"`
	// Causes are errors and warnings that nothing else causes, in the order in which to fix them.
	Causes   []CheckedCause      `json:"causes"`
	Summary  Summary             `json:"summary"`
	Findings []IdentifiedFinding `json:"findings"`
	Unknowns []finding.Unknown   `json:"unknowns"`
	// Known are findings of the baseline, and Suppressed those that somebody suppressed.
	Known      []IdentifiedFinding `json:"known,omitempty"`
	Suppressed []SuppressedFinding `json:"suppressed,omitempty"`
}

// CheckedCluster is one cluster of a CheckUp.
type CheckedCluster struct {
	Cluster
	Meshes []CheckedMesh `json:"meshes"`
}

// CheckedMesh is what there is of a mesh in one cluster.
type CheckedMesh struct {
	// Mesh is its name: "Istio".
	Mesh       string `json:"mesh"`
	Network    string `json:"network,omitempty"`
	Version    string `json:"version,omitempty"`
	Kubernetes string `json:"kubernetes,omitempty"`
	// ControlPlane counts the replicas of the control plane, Proxies the pods with a proxy; they are
	// left out where that is not known, as is OldProxies.
	ControlPlane *verdict.Count `json:"controlPlane,omitempty"`
	Proxies      *verdict.Count `json:"proxies,omitempty"`
	OldProxies   *int           `json:"oldProxies,omitempty"`
}

// CheckedCause is a cause of a CheckUp.
type CheckedCause struct {
	Code     finding.Code     `json:"code"`
	Severity finding.Severity `json:"severity"`
	Clusters []string         `json:"clusters"`
	Title    string           `json:"title"`
	// Findings are the IDs of those of the code, Causes of those that they cause.
	Findings []string `json:"findings"`
	Causes   []string `json:"causes"`
}

// NewCheckUp makes the document of a verdict. Overviews are those of the meshes, by name, in
// their order.
func NewCheckUp(fleet *facts.Fleet, result finding.Result, v verdict.Verdict, names []string, overviews []verdict.Overview) CheckUp {
	base := NewReport("mesh-check", fleet, result)
	out := CheckUp{
		Meta: NewMeta("CheckUp"), Command: base.Command, At: base.At, Status: v.State, Areas: v.Areas,
		Clusters: []CheckedCluster{}, Causes: []CheckedCause{},
		Summary: base.Summary, Findings: base.Findings, Unknowns: base.Unknowns,
		Known: base.Known, Suppressed: base.Suppressed,
	}
	for _, c := range base.Clusters {
		cluster := CheckedCluster{Cluster: c, Meshes: []CheckedMesh{}}
		for i, o := range overviews {
			for _, in := range o.Clusters {
				if in.Context == c.Context {
					cluster.Meshes = append(cluster.Meshes, CheckedMesh{
						Mesh: names[i], Network: in.Network, Version: in.Version, Kubernetes: in.Kubernetes,
						ControlPlane: in.Replicas, Proxies: in.Proxies, OldProxies: in.Old,
					})
				}
			}
		}
		out.Clusters = append(out.Clusters, cluster)
	}
	for _, c := range v.Causes {
		out.Causes = append(out.Causes, CheckedCause{
			Code: c.Code, Severity: c.Severity, Clusters: c.Clusters, Title: c.Title, Findings: ids(c.Findings), Causes: ids(c.Caused),
		})
	}
	return out
}

func ids(findings []finding.Finding) []string {
	out := []string{}
	for _, f := range findings {
		out = append(out, f.ID())
	}
	return out
}

// AreaNames writes a line for each area, or for each cause of what is wrong in it: "error
// control-plane CP001".
func AreaNames(w io.Writer, v verdict.Verdict) {
	p := NewPage(w, false, 0, false)
	for _, a := range v.Areas {
		if len(a.Codes) == 0 {
			p.Line("%s %s", a.State, a.Area.Slug())
		}
		for _, code := range a.Codes {
			p.Line("%s %s %s", a.State, a.Area.Slug(), code)
		}
	}
}

// Markdown writes a verdict to be pasted into an issue or a chat.
func (o Overview) Markdown(w io.Writer) {
	line := func(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }
	line("**%s**", mark(o.Last))
	for _, t := range o.Tables {
		line("")
		cells(w, t.Header)
		cells(w, rule(len(t.Header)))
		for _, row := range t.Rows {
			cells(w, row)
		}
		for _, s := range t.Silent {
			row := make([]string, len(t.Header))
			row[0], row[1] = s[0], s[1]
			cells(w, row)
		}
	}
	line("")
	cells(w, []string{"status", "area", "what"})
	cells(w, rule(3))
	for _, a := range o.Verdict.Areas {
		cells(w, []string{string(a.State), string(a.Area), a.What})
	}
	for i, c := range o.Verdict.Causes {
		line("")
		line("%d. **%s**", i+1, mark(Headline(c)))
		line("")
		first := c.Findings[0]
		if len(c.Findings) == 1 {
			for _, e := range gatherEvidence(first.Evidence, false) {
				line("   - %s", mark(e))
			}
		} else {
			for _, f := range c.Findings {
				line("   - %s", mark(instance(c, f)))
			}
		}
		if first.Effect != "" {
			line("")
			line("   Effect: %s", mark(first.Effect))
		}
		for _, text := range caused(c.Caused) {
			line("")
			line("   Causes %s", mark(text))
		}
		for _, s := range append(causeFix(c, causeFixes), finding.Run(o.Deeper(c)...)) {
			if s.Say != "" {
				line("")
				line("   %s", mark(s.Say))
			}
			if len(s.Run) == 0 {
				continue
			}
			line("")
			line("   ```sh")
			for _, command := range s.Run {
				line("   %s", printable.Line(command.String()))
			}
			line("   ```")
		}
	}
}

// markdown are the characters that mean something in Markdown or in HTML.
const markdown = "\\`*_[]<>|~&"

// mark is text of anybody as Markdown.
func mark(text string) string {
	var b strings.Builder
	for _, r := range printable.Line(text) {
		if strings.ContainsRune(markdown, r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

func cells(w io.Writer, row []string) {
	out := make([]string, len(row))
	for i, cell := range row {
		out[i] = mark(cell)
		if strings.Trim(cell, "-") == "" && cell != "" {
			out[i] = cell
		}
	}
	fmt.Fprintf(w, "| %s |\n", strings.Join(out, " | "))
}

// rule is the row beneath the header of a table.
func rule(columns int) []string {
	out := make([]string, columns)
	for i := range out {
		out[i] = "---"
	}
	return out
}
