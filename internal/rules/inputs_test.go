package rules_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	authorizationv1 "k8s.io/api/authorization/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/dump"
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/input"
	"github.com/kubectl-mesh/kubectl-mesh/internal/input/inputtest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/ask"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/podaccess"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rules"
	"github.com/kubectl-mesh/kubectl-mesh/internal/survey"
)

// layouts are those of the tools of all meshes.
func layouts() []input.Layout {
	var out []input.Layout
	for _, m := range rules.Meshes() {
		if a, ok := m.(mesh.Archivist); ok {
			out = append(out, a.Layouts()...)
		}
	}
	return out
}

// sourceCase is a row of docs/inputs.md: how it is written of a cluster, and what of it is known.
type sourceCase struct {
	write func(t *testing.T, c *inputtest.Cluster) inputtest.Files
	// single: it is one file.
	single bool
	// known are files of rows that are known, unknown those that are not, of a cluster that has
	// objects of both.
	known, unknown []string
}

// The kinds that are looked at: one for each way to be known.
const (
	inSystem  = "configmap-istio-ca-root-cert configmaps-mesh-config pods-istiod deployments-istiod"
	ofCore    = "services pods"
	ofAll     = "services pods endpointslices networkpolicies mutatingwebhookconfigurations nodes namespaces"
	listed    = "services pods endpointslices nodes namespaces" // kinds of which there is an object
	customs   = "gateways-istio destinationrules peerauthentications"
	ofSecrets = "secret-cacerts secrets-remote secrets-misplaced"
	asked     = "subjectaccessreview-reader leases-nodes apiservices"
)

func words(lists ...string) []string { return strings.Fields(strings.Join(lists, " ")) }

var sourceCases = map[string]sourceCase{
	"a folder that `dump` wrote": {
		write: func(t *testing.T, c *inputtest.Cluster) inputtest.Files { return dumped(t, c, "fleet") },
		known: words(inSystem, ofAll, customs, ofSecrets),
	},
	"an archive that `dump` wrote": {
		write: func(t *testing.T, c *inputtest.Cluster) inputtest.Files { return dumped(t, c, "fleet.tar.gz") },
		known: words(inSystem, ofAll, customs, ofSecrets),
	},
	"`istioctl bug-report`": {
		write: func(t *testing.T, c *inputtest.Cluster) inputtest.Files { return c.BugReport(t, inputtest.Release{}) },
		known: words(inSystem, ofAll, customs, "version"), unknown: words(ofSecrets, asked),
	},
	"`istioctl bug-report` of 1.31": {
		write: func(t *testing.T, c *inputtest.Cluster) inputtest.Files {
			return c.BugReport(t, inputtest.Release{Split: true, Quiet: true})
		},
		known: words(inSystem, ofAll, customs, "version"), unknown: words(ofSecrets, asked, "events-failed-create"),
	},
	"`istioctl bug-report --full-secrets`": {
		write: func(t *testing.T, c *inputtest.Cluster) inputtest.Files {
			return c.BugReport(t, inputtest.Release{Split: true, FullSecrets: true})
		},
		known: words(inSystem, ofAll, customs, ofSecrets, "version"), unknown: words(asked, "events-failed-create"),
	},
	"`istioctl bug-report --include NAMESPACE`": {
		write: func(t *testing.T, c *inputtest.Cluster) inputtest.Files {
			return c.BugReport(t, inputtest.Release{Split: true, Only: istiotest.System})
		},
		known:   words(inSystem, "nodes namespaces mutatingwebhookconfigurations"),
		unknown: words(ofCore, "endpointslices networkpolicies", customs, ofSecrets, asked),
	},
	"`istioctl bug-report --skip-cluster-dump`": {
		write: func(t *testing.T, c *inputtest.Cluster) inputtest.Files {
			return c.BugReport(t, inputtest.Release{Split: true, SkipClusterDump: true})
		},
		known: words("pods-istiod version"), unknown: words("configmap-istio-ca-root-cert", ofAll, customs, ofSecrets, asked),
	},
	"must-gather, `oc adm inspect`": {
		write: func(t *testing.T, c *inputtest.Cluster) inputtest.Files {
			return c.MustGather(t, istiotest.System, "default")
		},
		known: words(inSystem, "secrets-like-remote"), unknown: words(ofAll, customs, "secret-cacerts secrets-remote secrets-misplaced", asked),
	},
	"`kubectl cluster-info dump -A --output-directory`": {
		write: func(t *testing.T, c *inputtest.Cluster) inputtest.Files { return c.ClusterInfo(t) },
		known: words("deployments-istiod pods-istiod nodes", ofCore),
		unknown: words("configmap-istio-ca-root-cert endpointslices networkpolicies mutatingwebhookconfigurations namespaces",
			customs, ofSecrets, asked),
	},
	"`kubectl cluster-info dump --output-directory`": {
		write: func(t *testing.T, c *inputtest.Cluster) inputtest.Files {
			return c.ClusterInfo(t, "kube-system", istiotest.System)
		},
		known:   words("deployments-istiod pods-istiod nodes"),
		unknown: words("configmap-istio-ca-root-cert endpointslices networkpolicies", ofCore, customs, ofSecrets, asked),
	},
	"the output of `kubectl cluster-info dump -A`": {
		write: func(t *testing.T, c *inputtest.Cluster) inputtest.Files {
			return inputtest.Files{"info.txt": c.ClusterInfoStream(t)}
		},
		single:  true,
		known:   words("deployments-istiod pods-istiod nodes"),
		unknown: words("configmap-istio-ca-root-cert endpointslices networkpolicies", ofCore, customs, ofSecrets, asked),
	},
	"a folder of `kubectl get -A -o yaml` for each cluster": {
		write: func(t *testing.T, c *inputtest.Cluster) inputtest.Files { return c.Lists(t) },
		known: words(inSystem, listed, "gateways-istio", ofSecrets), unknown: words(asked),
	},
	"one file of `kubectl get -A -o yaml` or `json`": {
		write: func(t *testing.T, c *inputtest.Cluster) inputtest.Files {
			return inputtest.Files{"objects": c.List(t)}
		},
		single: true, known: words(inSystem, listed, "gateways-istio", ofSecrets), unknown: words(asked),
	},
	"`kubectl get -n NAMESPACE -o yaml`": {
		write: func(t *testing.T, c *inputtest.Cluster) inputtest.Files {
			in := *c
			in.Namespaces = []string{istiotest.System}
			return inputtest.Files{"system.yaml": in.List(t)}
		},
		single: true, known: words(inSystem, "secret-cacerts secrets-remote"), unknown: words(ofCore, "endpointslices gateways-istio", asked),
	},
}

// dumped are the files that dump writes of a cluster.
func dumped(t *testing.T, c *inputtest.Cluster, name string) inputtest.Files {
	t.Helper()
	cluster := facts.Cluster{Context: c.Context, Server: c.Server, SystemNamespace: istiotest.System}
	dump.Fill(&cluster, c.Objects, table())
	at := filepath.Join(t.TempDir(), name)
	said := map[string][]podaccess.Answer{c.Context: {{Namespace: istiotest.System, Pod: "istiod-0", Path: "/debug/clusterz", Text: []byte("[]")}}}
	if err := dump.WriteAll(at, &facts.Fleet{At: inputtest.At, Clusters: []facts.Cluster{cluster}}, table(), said); err != nil {
		t.Fatal(err)
	}
	if dump.IsArchive(at) {
		text, err := os.ReadFile(at)
		if err != nil {
			t.Fatal(err)
		}
		return inputtest.Files{"": string(text)}
	}
	out := inputtest.Files{}
	files, err := input.FromFS(os.DirFS(at))
	if err != nil {
		t.Fatal(err)
	}
	if err := files.Each(files.Paths(), func(p string, text []byte, err error) {
		if err != nil {
			t.Fatal(err)
		}
		out[p] = string(text)
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

// ways are the forms in which the files of a source reach the program, by what a person calls them.
var ways = map[string]func(t *testing.T, f inputtest.Files, single bool) *input.Files{
	"a folder": func(t *testing.T, f inputtest.Files, single bool) *input.Files {
		dir := t.TempDir()
		f.Write(t, dir)
		if single {
			dir = filepath.Join(dir, slices.Collect(maps.Keys(f))[0])
		}
		return open(t, dir, nil)
	},
	"a tar.gz": func(t *testing.T, f inputtest.Files, _ bool) *input.Files {
		return packed(t, "report.tar.gz", f.TarGz(t))
	},
	"a zip": func(t *testing.T, f inputtest.Files, _ bool) *input.Files { return packed(t, "report.zip", f.Zip(t)) },
	"standard input": func(t *testing.T, f inputtest.Files, single bool) *input.Files {
		text := f.TarGz(t)
		if single {
			text = []byte(f[slices.Collect(maps.Keys(f))[0]])
		}
		return open(t, input.Stdin, text)
	},
}

func open(t *testing.T, name string, stdin []byte) *input.Files {
	t.Helper()
	files, err := input.Open(name, bytes.NewReader(stdin))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func packed(t *testing.T, name string, text []byte) *input.Files {
	t.Helper()
	at := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(at, text, 0o644); err != nil {
		t.Fatal(err)
	}
	return open(t, at, nil)
}

// opened opens the files of a source in a way; an archive that a source already is, as it is.
func opened(t *testing.T, f inputtest.Files, way string, single bool) *input.Files {
	t.Helper()
	if text, ok := f[""]; ok {
		return packed(t, "fleet.tar.gz", []byte(text))
	}
	return ways[way](t, f, single)
}

// installed are the rows of which a server of the tests has a definition: those of Istio.
func installed() resource.Set {
	for _, m := range rules.Meshes() {
		if m.Name() == "Istio" {
			return m.Table()
		}
	}
	return nil
}

// written is a cluster of a fixture, to be written.
func written(c *istiotest.Cluster) *inputtest.Cluster {
	objects := append(c.Objects(), &authorizationv1.SubjectAccessReview{Status: authorizationv1.SubjectAccessReviewStatus{Allowed: !c.ReaderDenied}})
	return &inputtest.Cluster{Context: c.Name, Server: c.Server, Objects: objects, Rows: installed()}
}

func read(t *testing.T, files *input.Files, name string) *dump.Fleet {
	t.Helper()
	out, err := dump.ReadFiles(files, dump.Options{System: istiotest.System, Now: istiotest.Now, Rows: table(), Layouts: layouts(), Name: name})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Each row of docs/inputs.md is a case here, and the other way round.
func TestEverySourceIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/inputs.md")
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for _, row := range regexp.MustCompile(`(?m)^\| (.+?) \| .+ \| .+ \|$`).FindAllStringSubmatch(string(text), -1) {
		if row[1] != "source" && row[1] != "---" {
			rows = append(rows, row[1])
		}
	}
	slices.Sort(rows)
	if diff := cmp.Diff(rows, slices.Sorted(maps.Keys(sourceCases))); diff != "" {
		t.Errorf("rows of docs/inputs.md (-) and cases (+):\n%s", diff)
	}
}

// Of what a source holds the facts are those of the cluster; of what it may lack nothing is known,
// and why is said.
func TestWhatSourcesHold(t *testing.T) {
	fleet := istiotest.Serving(istiotest.Networked("east", "west"))
	c := written(fleet.Clusters[0])
	var live facts.Cluster
	live.SystemNamespace = istiotest.System
	dump.Fill(&live, c.Objects, table())
	rows := map[string]resource.Resource{}
	for _, row := range table() {
		rows[row.About().File] = row
	}
	for name, s := range sourceCases {
		for _, way := range slices.Sorted(maps.Keys(ways)) {
			t.Run(name+" as "+way, func(t *testing.T) {
				got := read(t, opened(t, s.write(t, c), way, s.single), "")
				if len(got.Clusters) != 1 {
					t.Fatalf("%d clusters", len(got.Clusters))
				}
				is := &got.Clusters[0]
				for _, file := range s.known {
					row := rows[file]
					state, why := row.State(is)
					if state != facts.OK && state != facts.Absent {
						t.Errorf("%s is not known: %s", file, why)
					}
					want, _ := row.State(&live)
					if n, m := len(row.Objects(&live)), len(row.Objects(is)); m < n || want == facts.Absent && m > 0 && row.About().Path == "" {
						t.Errorf("%s: %d objects, want %d", file, m, n)
					}
				}
				for _, file := range s.unknown {
					state, why := rows[file].State(is)
					if state != facts.NotAsked || why == "" || len(rows[file].Objects(is)) > 0 {
						t.Errorf("%s is known: %q, %q, %d objects", file, state, why, len(rows[file].Objects(is)))
					}
				}
			})
		}
	}
}

// sourced are fleets of fixtures, with what is wrong in them.
func sourced() map[string]*istiotest.Fleet {
	out := map[string]*istiotest.Fleet{}
	for _, list := range [][]istiotest.Case{istiotest.HealthyCases, istiotest.Faults, istiotest.NetworkFaults} {
		for _, c := range list {
			out[c.Name] = c.Fleet()
		}
	}
	for _, c := range istiotest.EndpointFaults {
		out["endpoints: "+c.Name] = c.Fleet()
	}
	return out
}

// No source makes a finding that the clusters do not: what was not collected is not missing. And what a
// source does not hold is not passed over: a finding of the clusters that is gone is not checked.
func TestSourcesRaiseNoFalseAlarm(t *testing.T) {
	all := sourced()
	names := slices.Sorted(maps.Keys(all))
	if testing.Short() {
		names = names[:20]
	}
	var codes []finding.Code
	for _, m := range rules.Meshes() {
		codes = append(codes, m.Codes(areas...)...)
	}
	gone, kept := 0, 0
	for n, name := range names {
		fleet := all[name]
		live := &facts.Fleet{At: istiotest.Now}
		var clusters []*inputtest.Cluster
		for _, c := range fleet.Clusters {
			w := written(c)
			clusters = append(clusters, w)
			cluster := facts.Cluster{Context: c.Name, Server: c.Server, SystemNamespace: istiotest.System}
			dump.Fill(&cluster, w.Objects, table())
			live.Clusters = append(live.Clusters, cluster)
		}
		found, want := judge(t, live, nil).Findings, map[string]finding.Severity{}
		for _, f := range found {
			want[f.ID()] = f.Severity
		}
		for i, kind := range slices.Sorted(maps.Keys(sourceCases)) {
			if (i+n)%6 != 0 { // each fleet in some of the ways, and each way with many fleets
				continue
			}
			s := sourceCases[kind]
			t.Run(name+" as "+kind, func(t *testing.T) {
				got := &facts.Fleet{At: istiotest.Now}
				for _, c := range clusters {
					one := read(t, opened(t, s.write(t, c), "a tar.gz", s.single), c.Context)
					one.Clusters[0].Server = c.Server
					got.Clusters = append(got.Clusters, one.Clusters...)
				}
				result := judge(t, got, nil)
				mesh.Uncollected(got, rules.Meshes(), &result, codes)
				there := map[string]bool{}
				for _, f := range result.Findings {
					there[f.ID()] = true
					was, ok := want[f.ID()]
					if !ok { // whether the other one has a remote secret may be in what was not collected
						was, ok = want[strings.Replace(f.ID(), "SEC001", "SEC023", 1)]
					}
					if f.Severity.AtLeast(finding.Warning) && (!ok || !was.AtLeast(f.Severity)) && !slices.Contains(assumed, f.Code) {
						t.Errorf("%s %s: %s", f.Severity, f.ID(), f.Title)
					}
				}
				for _, f := range found {
					if there[f.ID()] {
						kept++
						continue
					}
					if gone++; !excused(result, f) {
						t.Errorf("%s is gone, and checked", f.ID())
					}
				}
			})
		}
	}
	t.Logf("%d findings, %d not checked", kept, gone)
}

// assumed are what rules about trust find where Secrets were not read, there as live: clusters that are
// looked at together are taken for one mesh, and a root that workloads trust for one that somebody signs under.
// docs/inputs.md says it.
var assumed = []finding.Code{"CERT001", "CERT002", "CERT010", "CERT031"}

// excused reports whether a finding that is gone is said not to be checked.
func excused(result finding.Result, f finding.Finding) bool {
	return slices.ContainsFunc(result.Unknowns, func(u finding.Unknown) bool {
		return slices.Contains(u.Codes, f.Code)
	})
}

// replaying answers from what pods said.
type replaying struct{ *dump.Fleet }

func (r replaying) Dumped() bool   { return true }
func (r replaying) Recorded() bool { return len(r.Answers) > 0 }

func (r replaying) AskEach(ctx context.Context, contexts []string, ask func(context.Context, survey.Cluster) (any, error)) map[string]survey.Answer[any] {
	out := map[string]survey.Answer[any]{}
	for _, c := range contexts {
		out[c] = survey.Answer[any]{Err: survey.ErrDump}
		if said := r.Answers[c]; said != nil {
			value, err := ask(ctx, survey.Cluster{Context: c, Namespace: istiotest.System, Answers: said})
			out[c] = survey.Answer[any]{Value: value, Err: err}
		}
	}
	return out
}

// What istiods said is judged from a bug report as live, but for what they have to be asked twice.
func TestWhatIstiodsSaidInBugReports(t *testing.T) {
	kept := map[finding.Code]int{}
	for _, c := range istiotest.RemoteFaults {
		t.Run(c.Name, func(t *testing.T) {
			live, seen := c.Make()
			want := map[string]bool{}
			for _, f := range judge(t, live, &seen).Findings {
				want[f.ID()] = true
			}
			got := &dump.Fleet{Fleet: &facts.Fleet{At: live.At}, Answers: map[string]podaccess.Answers{}}
			for i := range live.Clusters {
				is := &live.Clusters[i]
				if is.Unreached != nil {
					t.Skip("a cluster without an answer has no report")
				}
				w := &inputtest.Cluster{Context: is.Context, Server: is.Server, Rows: installed(), Istiods: map[string]string{}}
				written := map[string]bool{}
				for _, row := range installed() {
					for _, o := range row.Objects(is) {
						if id := fmt.Sprintf("%T %s", o, resource.Key(o)); !written[id] {
							written[id] = true
							w.Objects = append(w.Objects, o)
						}
					}
				}
				for _, view := range seen.Istiods[is.Context].Value {
					for _, a := range ask.Pages(is.SystemNamespace, view) {
						w.Istiods[a.Namespace+"/"+a.Pod+a.Path] = string(a.Text)
					}
				}
				one := read(t, opened(t, w.BugReport(t, inputtest.Release{FullSecrets: true}), "a tar.gz", false), "")
				got.Clusters = append(got.Clusters, one.Clusters...)
				maps.Copy(got.Answers, one.Answers)
			}
			for _, m := range rules.Meshes() {
				if m.Name() != "Istio" {
					continue
				}
				result, _, err := m.CheckUp(t.Context(), &mesh.Run{Fleet: got.Fleet, By: replaying{got}, Areas: areas, Say: func(string, ...any) {}})
				if err != nil {
					t.Fatal(err)
				}
				for _, f := range result.Findings {
					if kept[f.Code]++; f.Severity.AtLeast(finding.Warning) && !want[f.ID()] {
						t.Errorf("%s %s: %s", f.Severity, f.ID(), f.Title)
					}
				}
			}
		})
	}
	for _, code := range []finding.Code{"SEC015", "SEC016", "SEC017"} {
		if kept[code] == 0 {
			t.Errorf("%s is in no bug report", code)
		}
	}
	t.Logf("%v", kept)
}
