package rules_test

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/kubectl-mesh/kubectl-mesh/internal/apitest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/command"
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rules"
	"github.com/kubectl-mesh/kubectl-mesh/internal/verdict"
)

// What follows is all of a further mesh with a kind and a rule of its own: nothing of it is
// known to any general folder, and beside it only the list of meshes changes.

// joint leads to another cluster.
type joint struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		Address string `json:"address"`
	} `json:"spec"`
}

type jointList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata"`
	Items           []joint `json:"items"`
}

func copied[T any](in *T) *T {
	out := new(T)
	text, _ := json.Marshal(in)
	_ = json.Unmarshal(text, out)
	return out
}

func (l *joint) DeepCopyObject() runtime.Object     { return copied(l) }
func (l *jointList) DeepCopyObject() runtime.Object { return copied(l) }

// joints is the row.
var joints = resource.All[jointList](resource.About{
	Name: "joints", File: "joints", Kind: "Joint", Group: "mesh.example", Resource: "joints",
	Versions: []string{"v2", "v1"},
}, func(l *joint) *joint {
	return &joint{ObjectMeta: resource.BareMeta(&l.ObjectMeta), Spec: l.Spec}
})

// jointed is the model.
type jointed struct{ fleet *facts.Fleet }

func (l *jointed) Facts() *facts.Fleet           { return l.fleet }
func (*jointed) Scope(*facts.Cluster) rule.Scope { return rule.Scope{} }

// addressless: a joint without an address leads nowhere.
var addressless = &rule.Rule[*jointed]{
	Reports: []rule.Report{rule.May("NET901", finding.Error)}, Needs: []rule.Need{joints},
	Run: func(p *rule.Pass[*jointed]) {
		for i := range p.Model.fleet.Clusters {
			c := &p.Model.fleet.Clusters[i]
			if !p.Able(c.Context) {
				continue
			}
			for _, l := range joints.Of(c).Value {
				if l.Spec.Address == "" {
					p.Report(finding.Finding{
						Code: "NET901", Severity: finding.Error, Clusters: []string{c.Context}, Object: finding.In("joint", l.Namespace, l.Name),
						Title: "the joint has no address",
					})
				}
			}
		}
	},
}

type third struct{}

func (third) Name() string            { return "Third" }
func (third) SystemNamespace() string { return "third" }
func (third) Table() resource.Set     { return resource.Set{joints} }
func (third) Resources(_ []any, areas ...mesh.Area) resource.Set {
	for _, a := range areas {
		if a == mesh.Network {
			return resource.Set{joints}
		}
	}
	return nil
}
func (third) PeerResources() resource.Set     { return nil }
func (third) Peers(*facts.Cluster) mesh.Peers { return mesh.Peers{By: "joints"} }
func (third) FollowUps(*facts.Fleet, resource.Set) map[string]mesh.FollowUp {
	return nil
}
func (third) Codes(...mesh.Area) []finding.Code { return addressless.Codes() }
func (third) Needs(codes ...finding.Code) []mesh.Need {
	if !slices.ContainsFunc(codes, func(c finding.Code) bool { return slices.Contains(addressless.Codes(), c) }) {
		return nil
	}
	return []mesh.Need{{Name: joints.String(), Grants: []resource.Grant{joints.About().Grant()}}}
}
func (third) Presence(c *facts.Cluster) mesh.Presence {
	return mesh.Presence{Found: len(joints.Of(c).Value) > 0, Missing: "no Third was found"}
}
func (third) Verify(_ context.Context, run *mesh.Run) (finding.Result, error) {
	return rule.Run(&jointed{run.Fleet}, []*rule.Rule[*jointed]{addressless}, rule.Options{}), nil
}

func (l third) CheckUp(ctx context.Context, run *mesh.Run) (finding.Result, verdict.Overview, error) {
	result, err := l.Verify(ctx, run)
	return result, verdict.Overview{}, err
}

// networkPlugin is mesh-network with a list of meshes.
func networkPlugin(meshes ...mesh.Mesh) command.Plugin {
	return command.Plugin{
		Name: "mesh-test", Meshes: meshes, Areas: []mesh.Area{mesh.Network},
		Commands: func(f *command.Frame) []*cobra.Command {
			cmd := &cobra.Command{Use: "verify", Args: cobra.NoArgs}
			f.Verify(cmd, command.Verification{Areas: f.Plugin.Areas})
			return []*cobra.Command{cmd}
		},
	}
}

func run(t *testing.T, plugin command.Plugin, args ...string) (stdout string, code int) {
	t.Helper()
	streams, _, out, errOut := genericiooptions.NewTestIOStreams()
	code = command.Run(t.Context(), plugin, append([]string{"kubectl-mesh_test"}, args...), streams)
	if code == command.ExitFailed {
		t.Fatalf("%v: %s", args, errOut.String())
	}
	return out.String(), code
}

// A new mesh is checked live and from a dump, beside the others.
func TestANewMesh(t *testing.T) {
	east := istiotest.Healthy("east").Clusters[0]
	broken := &joint{ObjectMeta: metav1.ObjectMeta{Namespace: "third", Name: "west"}}
	server := httptest.NewServer(&apitest.Server{Objects: append(east.Objects(), broken)})
	t.Cleanup(server.Close)
	config := clientcmdapi.NewConfig()
	config.Contexts["east"] = &clientcmdapi.Context{Cluster: "east", AuthInfo: "east"}
	config.Clusters["east"] = &clientcmdapi.Cluster{Server: server.URL}
	config.AuthInfos["east"] = &clientcmdapi.AuthInfo{Token: "t"}
	kubeconfig := filepath.Join(t.TempDir(), "config")
	if err := clientcmd.WriteToFile(*config, kubeconfig); err != nil {
		t.Fatal(err)
	}
	live := []string{"--kubeconfig", kubeconfig, "--contexts", "east"}
	both := networkPlugin(append(rules.Meshes(), third{})...)

	const want = "NET901/east/joint/third/west\n"
	got, code := run(t, both, append([]string{"verify", "-o", "name"}, live...)...)
	if diff := cmp.Diff(want, got); diff != "" || code != command.ExitFindings {
		t.Errorf("live: exit code %d (-want +got):\n%s", code, diff)
	}
	if got, code = run(t, networkPlugin(rules.Meshes()...), append([]string{"verify", "-o", "name"}, live...)...); got != "" || code != command.ExitOK {
		t.Errorf("without the new mesh: exit code %d\n%s", code, got)
	}
	folder := filepath.Join(t.TempDir(), "dump")
	run(t, both, append([]string{"dump", folder}, live...)...)
	if text, err := os.ReadFile(filepath.Join(folder, "east", "joints.yaml")); err != nil || !strings.Contains(string(text), "mesh.example/v2") {
		t.Errorf("the dump: %v\n%s", err, text)
	}
	got, code = run(t, both, "verify", "-o", "name", "--from", folder)
	if diff := cmp.Diff(want, got); diff != "" || code != command.ExitFindings {
		t.Errorf("from a dump: exit code %d (-want +got):\n%s", code, diff)
	}
}

// What may not be read of a new mesh is unknown, and says so in its words.
func TestANewMeshThatMayNotBeRead(t *testing.T) {
	c := facts.Cluster{Context: "east"}
	joints.Set(&c, facts.Read[[]joint]{State: facts.Forbidden})
	got, err := third{}.Verify(t.Context(), &mesh.Run{Fleet: &facts.Fleet{Clusters: []facts.Cluster{c}}})
	want := []finding.Unknown{{Cluster: "east", Codes: []finding.Code{"NET901"}, Reason: finding.Reason{Kind: finding.Forbidden, Text: "joints: forbidden"}}}
	if diff := cmp.Diff(want, got.Unknowns); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}
