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

// What follows is all of a second mesh with a kind and a rule of its own: nothing of it is
// known to any general folder, and beside it only the list of meshes changes.

// link is Linkerd's Link, as far as the rule reads it.
type link struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		GatewayAddress string `json:"gatewayAddress"`
		Secret         string `json:"clusterCredentialsSecret"`
	} `json:"spec"`
}

type linkList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata"`
	Items           []link `json:"items"`
}

func copied[T any](in *T) *T {
	out := new(T)
	text, _ := json.Marshal(in)
	_ = json.Unmarshal(text, out)
	return out
}

func (l *link) DeepCopyObject() runtime.Object     { return copied(l) }
func (l *linkList) DeepCopyObject() runtime.Object { return copied(l) }

// links is the row.
var links = resource.All[linkList](resource.About{
	Name: "links", File: "links", Kind: "Link", Group: "multicluster.linkerd.io", Resource: "links",
	Versions: []string{"v1alpha3", "v1alpha2"},
}, func(l *link) *link {
	return &link{ObjectMeta: resource.BareMeta(&l.ObjectMeta), Spec: l.Spec}
})

// linked is the model.
type linked struct{ fleet *facts.Fleet }

func (l *linked) Facts() *facts.Fleet           { return l.fleet }
func (*linked) Scope(*facts.Cluster) rule.Scope { return rule.Scope{} }

// addressless: a Link without an address leads nowhere.
var addressless = &rule.Rule[*linked]{
	Reports: []rule.Report{rule.May("NET101", finding.Error)}, Needs: []rule.Need{links},
	Run: func(p *rule.Pass[*linked]) {
		for i := range p.Model.fleet.Clusters {
			c := &p.Model.fleet.Clusters[i]
			if !p.Able(c.Context) {
				continue
			}
			for _, l := range links.Of(c).Value {
				if l.Spec.GatewayAddress == "" {
					p.Report(finding.Finding{
						Code: "NET101", Severity: finding.Error, Clusters: []string{c.Context}, Object: finding.In("link", l.Namespace, l.Name),
						Title: "the Link has no gateway address",
					})
				}
			}
		}
	},
}

type linkerd struct{}

func (linkerd) Name() string            { return "Linkerd" }
func (linkerd) SystemNamespace() string { return "linkerd" }
func (linkerd) Table() resource.Set     { return resource.Set{links} }
func (linkerd) Resources(_ []any, areas ...mesh.Area) resource.Set {
	for _, a := range areas {
		if a == mesh.Network {
			return resource.Set{links}
		}
	}
	return nil
}
func (linkerd) PeerResources() resource.Set     { return nil }
func (linkerd) Peers(*facts.Cluster) mesh.Peers { return mesh.Peers{By: "links"} }
func (linkerd) FollowUps(*facts.Fleet, resource.Set) map[string]mesh.FollowUp {
	return nil
}
func (linkerd) Codes(...mesh.Area) []finding.Code { return addressless.Codes() }
func (linkerd) Needs(codes ...finding.Code) []mesh.Need {
	if !slices.ContainsFunc(codes, func(c finding.Code) bool { return slices.Contains(addressless.Codes(), c) }) {
		return nil
	}
	return []mesh.Need{{Name: links.String(), Grants: []resource.Grant{links.About().Grant()}}}
}
func (linkerd) Presence(c *facts.Cluster) mesh.Presence {
	return mesh.Presence{Found: len(links.Of(c).Value) > 0, Missing: "no Linkerd was found"}
}
func (linkerd) Verify(_ context.Context, run *mesh.Run) (finding.Result, error) {
	return rule.Run(&linked{run.Fleet}, []*rule.Rule[*linked]{addressless}, rule.Options{}), nil
}

func (l linkerd) CheckUp(ctx context.Context, run *mesh.Run) (finding.Result, verdict.Overview, error) {
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

// A second mesh is checked live and from a dump, beside the first.
func TestASecondMesh(t *testing.T) {
	east := istiotest.Healthy("east").Clusters[0]
	broken := &link{ObjectMeta: metav1.ObjectMeta{Namespace: "linkerd-multicluster", Name: "west"}}
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
	both := networkPlugin(append(rules.Meshes(), linkerd{})...)

	const want = "NET101/east/link/linkerd-multicluster/west\n"
	got, code := run(t, both, append([]string{"verify", "-o", "name"}, live...)...)
	if diff := cmp.Diff(want, got); diff != "" || code != command.ExitFindings {
		t.Errorf("live: exit code %d (-want +got):\n%s", code, diff)
	}
	if got, code = run(t, networkPlugin(rules.Meshes()...), append([]string{"verify", "-o", "name"}, live...)...); got != "" || code != command.ExitOK {
		t.Errorf("without the second mesh: exit code %d\n%s", code, got)
	}
	folder := filepath.Join(t.TempDir(), "dump")
	run(t, both, append([]string{"dump", folder}, live...)...)
	if text, err := os.ReadFile(filepath.Join(folder, "east", "links.yaml")); err != nil || !strings.Contains(string(text), "multicluster.linkerd.io/v1alpha3") {
		t.Errorf("the dump: %v\n%s", err, text)
	}
	got, code = run(t, both, "verify", "-o", "name", "--from", folder)
	if diff := cmp.Diff(want, got); diff != "" || code != command.ExitFindings {
		t.Errorf("from a dump: exit code %d (-want +got):\n%s", code, diff)
	}
}

// What may not be read of a second mesh is unknown, and says so in its words.
func TestASecondMeshThatMayNotBeRead(t *testing.T) {
	c := facts.Cluster{Context: "east"}
	links.Set(&c, facts.Read[[]link]{State: facts.Forbidden})
	got, err := linkerd{}.Verify(t.Context(), &mesh.Run{Fleet: &facts.Fleet{Clusters: []facts.Cluster{c}}})
	want := []finding.Unknown{{Cluster: "east", Codes: []finding.Code{"NET101"}, Reason: finding.Reason{Kind: finding.Forbidden, Text: "links: forbidden"}}}
	if diff := cmp.Diff(want, got.Unknowns); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}
