package drawing

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/awalterschulze/gographviz"
	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-mesh/kubectl-mesh/internal/dump"
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/golden"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiomesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/views"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
	"github.com/kubectl-mesh/kubectl-mesh/internal/view"
)

// drawn is the map of a fleet with what the plugin's rules find in it.
func drawn(fleet *facts.Fleet) view.NetworkMap {
	m := model.New(fleet, model.Options{})
	return views.Map(m, istiomesh.Judge(m, rule.Options{}, mesh.Network))
}

// recorded is the map of a recorded fleet.
func recorded(t *testing.T, name string) view.NetworkMap {
	t.Helper()
	fleet, err := dump.Read(os.DirFS("../../plugins/kubectl-mesh_network/testdata/fleets/"+name), istiotest.System, time.Now(), resources.All)
	if err != nil {
		t.Fatal(err)
	}
	return drawn(fleet)
}

// large is the map of twenty clusters on as many networks, with a gateway that is
// pending, one of which no pod is ready, a cluster that nobody reached, and one
// that is in no mesh.
func large() view.NetworkMap {
	var names []string
	for i := range 20 {
		names = append(names, fmt.Sprintf("prod-%02d", i+1))
	}
	f := istiotest.Networked(names...)
	f.Get("prod-07").Network.Gateway.Status.LoadBalancer.Ingress = nil
	f.Get("prod-11").Network.GatewayPods = nil
	other := istiotest.OneNetwork("", "playground").Clusters[0]
	other.Server, other.UID = "https://127.0.0.1:7443", "uid-other"
	f.Clusters = append(f.Clusters, other)
	got := f.Facts()
	got.Clusters[2] = facts.Cluster{Context: "prod-03", Unreached: &facts.Unreached{Kind: facts.TimedOut, Reason: "no answer"}}
	return drawn(got)
}

func text(m view.NetworkMap, color bool, width int, wide bool) string {
	var out bytes.Buffer
	if err := Text(report.NewPage(&out, color, width, true), m, wide); err != nil {
		return err.Error()
	}
	return out.String()
}

func TestMapFormats(t *testing.T) {
	maps := map[string]view.NetworkMap{"large": large()}
	for _, name := range []string{"healthy", "broken", "flat", "hostnames"} {
		maps[name] = recorded(t, name)
	}
	for name, m := range maps {
		t.Run(name, func(t *testing.T) {
			terminal := text(m, false, 80, false)
			golden.Compare(t, "map/"+name+".txt", terminal)
			golden.Compare(t, "map/"+name+".dot", string(DOT(m)))
			golden.Compare(t, "map/"+name+".mmd", string(Mermaid(m)))
			golden.Compare(t, "map/"+name+".svg", string(SVG(m)))
			wellFormed(t, m)
			for line := range strings.Lines(terminal) {
				if n := report.Cells(strings.TrimSuffix(line, "\n")); n > 80 {
					t.Errorf("%d columns: %s", n, line)
				}
			}
		})
	}
	golden.Compare(t, "map/broken-color.txt", text(maps["broken"], true, 80, false))
	golden.Compare(t, "map/broken-wide.txt", text(maps["broken"], false, 0, true))
}

// wellFormed holds every format against what reads it.
func wellFormed(t *testing.T, m view.NetworkMap) {
	t.Helper()
	checkText(t, text(m, false, 80, false))
	checkText(t, text(m, false, 0, true))
	checkDOT(t, m)
	checkMermaid(t, string(Mermaid(m)))
	checkSVG(t, m)
	for _, format := range []report.Format{report.JSON, report.YAML} {
		var out bytes.Buffer
		if err := report.Encode(&out, format, m); err != nil {
			t.Error(err)
		}
		var back view.NetworkMap
		decode := json.Unmarshal
		if format == report.YAML {
			decode = func(data []byte, to any) error { return yaml.Unmarshal(data, to) }
		}
		if err := decode(out.Bytes(), &back); err != nil {
			t.Error(err)
		}
		if len(back.Routes) != len(m.Routes) {
			t.Errorf("%s: %d routes of %d", format, len(back.Routes), len(m.Routes))
		}
	}
}

// checkText: corners meet lines, and nothing acts on the terminal.
func checkText(t *testing.T, text string) {
	t.Helper()
	var above map[int]rune
	for line := range strings.Lines(text) {
		here := map[int]rune{}
		at := 0
		for _, r := range strings.TrimSuffix(line, "\n") {
			if unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) {
				t.Errorf("%q acts on the terminal", line)
			}
			here[at] = r
			at += report.Cells(string(r))
		}
		for column, r := range here {
			if strings.ContainsRune("│└┘", r) && !strings.ContainsRune("│┌┐", above[column]) && above != nil && strings.HasPrefix(line, string(here[0])) && strings.ContainsRune("│└┌", here[0]) {
				t.Errorf("nothing meets %q in column %d of %q", r, column, line)
			}
		}
		above = here
	}
}

func checkDOT(t *testing.T, m view.NetworkMap) {
	t.Helper()
	ast, err := gographviz.ParseString(string(DOT(m)))
	if err != nil {
		t.Fatalf("%v in\n%s", err, DOT(m))
	}
	g := gographviz.NewGraph()
	if err := gographviz.Analyse(ast, g); err != nil {
		t.Fatal(err)
	}
	want := newGraph(m)
	nodes := len(want.loose)
	for _, group := range want.groups {
		nodes += len(group.nodes)
	}
	if len(g.Nodes.Nodes) != nodes || len(g.Edges.Edges) != len(want.edges) || len(g.SubGraphs.SubGraphs) != len(want.groups) {
		t.Errorf("%d nodes, %d edges, %d groups; drawn are %d, %d, %d", nodes, len(want.edges), len(want.groups), len(g.Nodes.Nodes), len(g.Edges.Edges), len(g.SubGraphs.SubGraphs))
	}
}

// The grammar of what is drawn, which is much less than that of Mermaid.
const (
	mermaidID   = `[a-z]+[0-9]*`
	mermaidWord = `"(?:[\p{L}\p{Nd} .:/,-]|#[0-9]+;|<br/>)*"`
)

var mermaidLines = []*regexp.Regexp{
	regexp.MustCompile(`^flowchart LR$`),
	regexp.MustCompile(`^  subgraph ` + mermaidID + `\[` + mermaidWord + `\]$`),
	regexp.MustCompile(`^ +` + mermaidID + `(\(` + mermaidWord + `\)|>` + mermaidWord + `\])$`),
	regexp.MustCompile(`^  end$`),
	regexp.MustCompile(`^  ` + mermaidID + ` (-->|-\.->|-\.-x)(\|` + mermaidWord + `\|)? ` + mermaidID + `$`),
	regexp.MustCompile(`^  (linkStyle [0-9]+|style ` + mermaidID + `) stroke:#[0-9a-f]{6}$`),
}

func checkMermaid(t *testing.T, text string) {
	t.Helper()
	depth := 0
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		matched := false
		for _, l := range mermaidLines {
			matched = matched || l.MatchString(line)
		}
		if !matched {
			t.Errorf("not a line of the language: %q", line)
		}
		switch {
		case strings.HasPrefix(line, "  subgraph"):
			depth++
		case line == "  end":
			depth--
		}
		if depth < 0 || depth > 1 {
			t.Errorf("groups in groups, or ends without: %q", line)
		}
	}
	if depth != 0 {
		t.Error("a group does not end")
	}
}

// checkSVG: it is XML of the elements that a drawing needs, it shows what it
// should, and no text goes beyond the picture.
func checkSVG(t *testing.T, m view.NetworkMap) {
	t.Helper()
	drawing := SVG(m)
	d := xml.NewDecoder(bytes.NewReader(drawing))
	d.Strict = true
	shown, inside := "", ""
	var x, width int
	turned := false
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, drawing)
		}
		switch e := token.(type) {
		case xml.StartElement:
			inside, turned = e.Name.Local, false
			if !slices.Contains([]string{"svg", "title", "style", "rect", "text", "path"}, inside) {
				t.Errorf("element %s", inside)
			}
			for _, a := range e.Attr {
				if strings.HasPrefix(a.Name.Local, "on") || strings.Contains(a.Name.Local, "href") {
					t.Errorf("attribute %s", a.Name.Local)
				}
				turned = turned || a.Name.Local == "transform"
				for name, into := range map[string]*int{"x": &x, "width": &width} {
					if a.Name.Local == name && (name == "x" || inside == "svg") {
						if _, err := fmt.Sscan(a.Value, into); err != nil {
							t.Error(err)
						}
					}
				}
			}
		case xml.CharData:
			if inside == "text" && !turned {
				shown += string(e)
				if end := x + report.Cells(string(e))*svgLetter; end > width || x < 0 {
					t.Errorf("%q is from %d to %d of %d", e, x, end, width)
				}
			}
		case xml.EndElement:
			inside = ""
		}
	}
	squeeze := func(s string) string {
		return strings.Map(func(r rune) rune { return map[bool]rune{true: -1, false: r}[unicode.IsSpace(r)] }, s)
	}
	var wanted []string
	if len(newGrid(m).clusters) < leastGrid {
		for _, b := range boxes(m) {
			for _, l := range b.lines {
				wanted = append(wanted, l.text)
			}
		}
	}
	for _, a := range m.Arrows() {
		if a.Status != view.RouteOK {
			wanted = append(wanted, a.Where())
		}
	}
	for _, text := range wanted {
		var escaped bytes.Buffer
		_ = xml.EscapeText(&escaped, []byte(strings.Join(report.Fold(text, 1<<20), "")))
		var plain string
		if err := xml.Unmarshal([]byte("<a>"+escaped.String()+"</a>"), &plain); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(squeeze(shown), squeeze(plain)) {
			t.Errorf("%q is not in the drawing", text)
		}
	}
}

// hostile gives the clusters of a fleet, its networks and its gateways names
// that mean something in some format.
func hostile(names [2]string) view.NetworkMap {
	m := view.NetworkMap{Networks: []view.MapNetwork{}, Routes: []view.Route{}}
	for i, name := range names {
		m.Networks = append(m.Networks, view.MapNetwork{Network: name, Clusters: []string{fmt.Sprintf("%s-%d", name, i)}, Gateways: []view.Gateway{{
			Cluster: fmt.Sprintf("%s-%d", name, i), Network: name, Object: finding.Named("service", name), Port: 15443, Status: name,
			Addresses: []view.GatewayAddress{{Address: name}}, Codes: []finding.Code{"GW010"},
		}}})
	}
	m.Clusters, m.Unreached = []view.MapCluster{{Cluster: names[0]}}, []string{names[1]}
	from, to := m.Networks[0].Clusters[0], m.Networks[1].Clusters[0]
	hop := view.Hop{Gateway: m.Networks[1].Gateways[0].ID(), Address: names[1], Port: 15443}
	m.Routes = append(m.Routes,
		view.Route{From: from, To: to, Via: model.ThroughGateway, Through: []view.Hop{hop}, Status: view.RouteBroken, Reason: names[0]},
		view.Route{From: to, To: from, Via: model.NoWay, Status: view.RoutePartial, Reason: names[1]},
		view.Route{From: to, To: names[1], Via: model.NoWay, Status: view.RouteUnknown, Reason: names[1]})
	return m
}

var hostileNames = []string{
	"plain", "", " ", `"`, `a"]`, "a\nb", "a\r\n  end", "<script>alert(1)</script>", "&lt;", "]]>", "#quot;", "`code`", `\`, `\N\"`, "-->", "a|b",
	"\x1b[31mred", "\x00", "\x7f\u0080\ufeff\uffff", "\xff\xfe", "\u202eright", "日本語のクラスタ", "{}", "end", strings.Repeat("x", 300), strings.Repeat("ab ", 100), "%s%d", "--", "🐙", "e\u0301",
	"arn:aws:eks:eu-west-1:123456789012:cluster/prod",
}

func TestHostileNames(t *testing.T) {
	for i, name := range hostileNames {
		t.Run(fmt.Sprintf("%d", i), func(t *testing.T) { wellFormed(t, hostile([2]string{name, hostileNames[(i+7)%len(hostileNames)]})) })
	}
}

func FuzzMapFormats(f *testing.F) {
	for i, name := range hostileNames {
		f.Add(name, hostileNames[(i+1)%len(hostileNames)])
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		wellFormed(t, hostile([2]string{a, b}))
		for _, out := range [][]byte{DOT(hostile([2]string{a, b})), Mermaid(hostile([2]string{a, b})), SVG(hostile([2]string{a, b}))} {
			if !utf8.Valid(out) {
				t.Errorf("not UTF-8: %q", out)
			}
		}
	})
}

// A map is drawn the same way each time.
func TestMapIsStable(t *testing.T) {
	a, b := large(), large()
	if diff := cmp.Diff(string(SVG(a))+string(DOT(a)), string(SVG(b))+string(DOT(b))); diff != "" {
		t.Error(diff)
	}
}
