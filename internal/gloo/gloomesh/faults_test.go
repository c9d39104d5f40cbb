package gloomesh_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/gloomesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/glootest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiomesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	istio "github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

var areas = []mesh.Area{mesh.ControlPlane, mesh.Certs, mesh.Network, mesh.Endpoints}

// judge is what all rules of Gloo Mesh and of Istio find; what a rule does and did not declare fails the test.
func judge(t *testing.T, f *facts.Fleet) finding.Result {
	t.Helper()
	options := rule.Options{Violated: func(s string) { t.Error(s) }}
	r := gloomesh.Judge(model.New(f), options)
	r.Merge(istiomesh.Judge(istio.New(f, istio.Options{}), options, areas...))
	gloomesh.Mesh{}.Explain(f, &r)
	r.Sort()
	return r
}

// alarms are the root causes of severity error and warning.
func alarms(r finding.Result) []finding.Finding {
	return slices.DeleteFunc(r.RootCauses(), func(f finding.Finding) bool { return f.Severity == finding.Note })
}

func line(f finding.Finding) string {
	return string(f.Severity) + " " + f.ID() + ": " + f.Title
}

const (
	east, west, north = "east", "west", "north"
	mgmt              = glootest.Management
)

// releases are those of which fleets are judged. The rules are the same for all: with the race detector one does.
func releases() []glootest.Release {
	if detectsRaces {
		return glootest.Releases[1:2]
	}
	return glootest.Releases
}

// Of a healthy fleet nothing is said, and everything of Gloo Mesh is checked.
func TestHealthy(t *testing.T) {
	for _, r := range releases() {
		t.Run(r.Tag, func(t *testing.T) {
			f := glootest.Healthy(r, "east", "west", "north").Facts()
			result := judge(t, f)
			for _, found := range result.Findings {
				t.Errorf("%s\n\t%+v", line(found), found.Evidence)
			}
			own := append(gloomesh.Mesh{}.Codes(areas...), "CERT002")
			for _, u := range result.Unknowns {
				if slices.ContainsFunc(u.Codes, func(code finding.Code) bool { return slices.Contains(own, code) }) {
					t.Errorf("not checked: %+v", u)
				}
			}
		})
	}
}

// Two generations that run at once, as in an upgrade that nobody ended, write to the same clusters: that is the cause of all else.
func TestTwoGenerationsAtOnce(t *testing.T) {
	f, old := glootest.Healthy(glootest.Gloo10, east, west), glootest.Healthy(glootest.Hub, east, west)
	for cluster, objects := range old.Objects {
		for _, o := range objects {
			if cluster == mgmt || slices.Contains([]any{"Deployment", "IssuedCertificate", "PodBounceDirective"}, o["kind"]) {
				f.Add(cluster, o)
			}
		}
		maps.Copy(f.Groups[cluster], old.Groups[cluster])
	}
	var got []string
	for _, found := range alarms(judge(t, f.Facts())) {
		got = append(got, summary(found))
	}
	if diff := cmp.Diff([]string{"CP206 error east", "CP206 error west"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Notes say what may be as it should.
func TestNotes(t *testing.T) {
	alike := func(name string) func(*glootest.Fleet) {
		return glootest.Lookalikes[slices.IndexFunc(glootest.Lookalikes, func(c glootest.Lookalike) bool { return c.Name == name })].Do
	}
	trust := func(config any) func(*glootest.Fleet) {
		return func(f *glootest.Fleet) {
			glootest.Set(f.Get(mgmt, "VirtualMesh", "vm"), "spec.mtlsConfig", config)
			for _, c := range glootest.Members {
				f.Drop(c, "IssuedCertificate", "")
				f.Drop(c, "PodBounceDirective", "")
			}
		}
	}
	for name, c := range map[string]struct {
		do   func(*glootest.Fleet)
		want string
	}{
		"no common root":        {trust(nil), "CERT207 note mgmt"},
		"limited trust":         {trust(glootest.Object{"limited": glootest.Object{}}), "CERT207 note mgmt"},
		"a rotation that waits": {alike("a rotation of the root that waits for somebody"), "CERT208 note mgmt"},
		"a root that is kept elsewhere": {
			alike("a given root that is kept elsewhere once all certificates are issued"), "CERT210 note mgmt",
		},
		"a federated service that is scaled down":              {alike("a federated service that is scaled down"), "EP211 note west"},
		"a service of which nobody wants that it is federated": {alike("a service without sidecars"), "EP213 note west"},
	} {
		f := glootest.Healthy(glootest.Gloo11, glootest.Members...)
		c.do(f)
		result := judge(t, f.Facts())
		for _, found := range alarms(result) {
			t.Errorf("%s: %s", name, line(found))
		}
		if !slices.ContainsFunc(result.Findings, func(f finding.Finding) bool { return summary(f) == c.want }) {
			t.Errorf("%s: want %s, found %v", name, c.want, result.Findings)
		}
	}
}

// What the agent waits for is said, as far as it was read.
func TestWhatTheAgentWaitsFor(t *testing.T) {
	istiods := func(f *glootest.Fleet, ready corev1.ConditionStatus) {
		f.Istio.Get(west).Also(func(o runtime.Object) {
			if p, ok := o.(*corev1.Pod); ok && p.Labels["app"] == "istiod" {
				p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: ready}}
			}
		})
	}
	for want, do := range map[string]func(*glootest.Fleet){
		"1 of the pods of istiod to be ready; 0 are": func(f *glootest.Fleet) { istiods(f, corev1.ConditionFalse) },
		"configmap istio-system/istio-ca-root-cert with the root": func(f *glootest.Fleet) {
			istiods(f, corev1.ConditionTrue)
			f.Istio.Get(west).Published = istiotest.Root(istiotest.Spec{Name: "cluster.local"}).PEM()
		},
	} {
		f := glootest.Healthy(glootest.Gloo11, east, west)
		glootest.Certificate(f, west, "ISSUED", "")
		published := glootest.Object{"name": "istio-ca-root-cert", "namespace": "istio-system"}
		selector := glootest.Object{
			"namespace": "istio-system", "labels": glootest.Object{"istio": "ingressgateway"},
			"rootCertSync": glootest.Object{"configMapRef": published},
		}
		bounces := f.Get(west, "PodBounceDirective", glootest.MeshName(west))
		glootest.Set(bounces, "spec.podsToBounce", []any{glootest.Object{
			"namespace": "istio-system", "labels": glootest.Object{"istio": "pilot"}, "waitForReplicas": 1,
		}, selector})
		do(f)
		result := gloomesh.Judge(model.New(f.Facts()), options(t))
		said := slices.ContainsFunc(result.Findings, func(f finding.Finding) bool {
			return f.Code == "CERT206" && slices.ContainsFunc(f.Evidence, func(e finding.Evidence) bool {
				return e.Field == "the agent waits for" && strings.HasPrefix(e.Value, want)
			})
		})
		if !said {
			t.Errorf("%q is not said: %+v", want, result.Findings)
		}
	}
}

// Each fault is found, as the only root cause, in all releases that have it.
func TestFaults(t *testing.T) {
	for _, c := range glootest.Faults {
		for _, r := range releases() {
			if !c.Of(r) {
				continue
			}
			t.Run(c.Name+"/"+r.Tag, func(t *testing.T) {
				f := glootest.Healthy(r, glootest.Members...)
				c.Do(f)
				result := judge(t, f.Facts())
				found := alarms(result)
				if len(found) != 1 || !strings.HasPrefix(summary(found[0]), c.Want) {
					t.Errorf("want %s", c.Want)
				}
				for _, code := range c.More {
					if !slices.ContainsFunc(result.Findings, func(f finding.Finding) bool { return f.Code == code && f.CausedBy != "" }) {
						t.Errorf("want %s as a consequence", code)
					}
				}
				for _, f := range result.Findings {
					if t.Failed() || testing.Verbose() {
						t.Logf("%s (by %s)\n\t%+v", line(f), f.CausedBy, f.Evidence)
					}
				}
			})
		}
	}
}

func summary(f finding.Finding) string {
	return string(f.Code) + " " + string(f.Severity) + " " + strings.Join(f.Clusters, ",")
}

// F10: what the management plane issued ends after a year, and nothing renews it. Istio's rules say it.
func TestCertificatesThatEnd(t *testing.T) {
	f := glootest.Healthy(glootest.Gloo10, east, west)
	glootest.Ending(f)
	found := alarms(judge(t, f.Facts()))
	if len(found) == 0 {
		t.Error("nothing was found")
	}
	for _, f := range found {
		if f.Code != "CERT010" {
			t.Errorf("%s", line(f))
		}
	}
}

// Of what looks like a fault nothing worse than a note is said.
func TestLookalikes(t *testing.T) {
	for _, c := range glootest.Lookalikes {
		for _, r := range releases() {
			t.Run(c.Name+"/"+r.Tag, func(t *testing.T) {
				f := glootest.Healthy(r, glootest.Members...)
				c.Do(f)
				for _, found := range alarms(judge(t, f.Facts())) {
					t.Errorf("%s\n\t%+v", line(found), found.Evidence)
				}
			})
		}
	}
}

// meshctl check 1.1.0-beta18 prints three green lines over this fleet and ends with 0: a mesh without agent and
// without an address of its gateway, a cluster without kubeconfig, a certificate that failed, one that waits, and a Secret
// cacerts that is not the agent's.
func TestWhatMeshctlCheckDoesNotSee(t *testing.T) {
	f := glootest.Unseen(east, north, "south")
	var got []string
	for _, found := range alarms(judge(t, f.Facts())) {
		got = append(got, summary(found))
	}
	want := []string{"CERT201 error west", "CERT203 error north", "CERT205 error south", "CP204 error mgmt", "NET202 error west"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What cannot be checked is said, with the reason, and never taken for well.
func TestUnknown(t *testing.T) {
	reasons := func(f *facts.Fleet) map[string]bool {
		out := map[string]bool{}
		for _, u := range gloomesh.Judge(model.New(f), rule.Options{}).Unknowns {
			out[u.Cluster+": "+u.Reason.Text] = true
		}
		return out
	}
	without := func(f *facts.Fleet, context string) *facts.Fleet {
		f.Clusters = slices.DeleteFunc(f.Clusters, func(c facts.Cluster) bool { return c.Context == context })
		return f
	}
	f := glootest.Healthy(glootest.Gloo10, east, west)
	if got := reasons(without(f.Facts(), mgmt)); !got["east: the management cluster of Gloo Mesh is not among the clusters"] {
		t.Errorf("without the management cluster: %v", got)
	}
	if got := reasons(without(f.Facts(), west)); !got["mgmt: cluster west of Gloo Mesh is not among the clusters"] {
		t.Errorf("without a member: %v", got)
	}
	down := f.Facts()
	down.Clusters[2].Unreached = &facts.Unreached{Kind: facts.TimedOut}
	got := reasons(down)
	if !got["west: the cluster was not reached"] || got["mgmt: cluster west of Gloo Mesh is not among the clusters"] {
		t.Errorf("with a member that is down: %v", got)
	}
	for _, row := range resources.All {
		forbidden := f.Facts()
		for i := range forbidden.Clusters {
			row.SetState(&forbidden.Clusters[i], facts.Forbidden, "")
		}
		if _, hub := strings.CutPrefix(row.About().File, "hub-"); hub || row == resource.Resource(resources.Groups) {
			continue
		}
		if len(reasons(forbidden)) == 0 && row != resource.Resource(resources.Namespaces) && row != resource.Resource(resources.RootCert) &&
			row != resource.Resource(resources.IstiodPods) && !row.About().Later {
			t.Errorf("nothing is unknown without %s", row)
		}
	}
}

// Of a root that people gave to a VirtualMesh nothing is said to be well that was not read.
func TestUnknownRoot(t *testing.T) {
	f := glootest.Healthy(glootest.Gloo11, east, west)
	glootest.GiveRoot(f, "", "")
	for name, c := range map[string]struct {
		state facts.State
		want  bool
	}{"forbidden": {facts.Forbidden, true}, "not asked for": {facts.NotAsked, true}, "read": {facts.OK, false}} {
		fleet := f.Facts()
		resources.RootSecrets.SetState(&fleet.Clusters[0], c.state, "")
		got := slices.ContainsFunc(judge(t, fleet).Unknowns, func(u finding.Unknown) bool {
			return u.Cluster == mgmt && slices.Contains(u.Codes, "CERT210")
		})
		if got != c.want {
			t.Errorf("%s: unknown is %t", name, got)
		}
	}
}

// commercial is a fleet of Gloo Mesh Enterprise 2.x, as far as its fields are read.
func commercial() *glootest.Fleet {
	f := glootest.Healthy(glootest.Gloo10, east, west)
	object := func(group, kind, name string, spec, status glootest.Object) glootest.Object {
		return glootest.Object{
			"apiVersion": group + "/v2", "kind": kind, "spec": spec, "status": status,
			"metadata": glootest.Object{"name": name, "namespace": "gloo-mesh", "generation": 1, "creationTimestamp": glootest.At(72 * time.Hour)},
		}
	}
	f.Objects = map[string][]glootest.Object{}
	f.Tag = "2.6.3"
	f.Groups[mgmt] = map[string][]string{"admin.gloo.solo.io": {"v2"}, "internal.gloo.solo.io": {"v2"}}
	f.Add(mgmt, f.Deployment("gloo-mesh-mgmt-server"))
	f.Add(mgmt, object("admin.gloo.solo.io", "RootTrustPolicy", "root", nil, glootest.Object{"state": "ACCEPTED", "observedGeneration": 1}))
	for _, name := range []string{east, west} {
		f.Groups[name] = map[string][]string{"internal.gloo.solo.io": {"v2"}}
		f.Add(mgmt, object("admin.gloo.solo.io", "KubernetesCluster", name, nil, nil))
		f.Add(mgmt, object("internal.gloo.solo.io", "Mesh", glootest.MeshName(name), glootest.Object{
			"installation": glootest.Object{"cluster": name, "namespace": "istio-system"},
			"agentInfo":    glootest.Object{"namespace": "gloo-mesh", "version": "2.6.3"},
		}, nil))
		f.Add(name, f.Deployment("gloo-mesh-agent"))
		f.Add(name, object("internal.gloo.solo.io", "IssuedCertificate", glootest.MeshName(name), glootest.Object{
			"issuedCertificateSecret": glootest.Object{"name": "cacerts", "namespace": "istio-system"},
		}, glootest.Object{"state": "FINISHED"}))
	}
	return f
}

// What is known of the fields of 2.x is read.
func TestCommercial(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(*glootest.Fleet)
		want []string
	}{
		"healthy":                   {func(*glootest.Fleet) {}, nil},
		"the server is down":        {func(f *glootest.Fleet) { glootest.Stop(f, mgmt, "gloo-mesh-mgmt-server") }, []string{"CP201 error mgmt"}},
		"an agent is down":          {func(f *glootest.Fleet) { glootest.Stop(f, west, "gloo-mesh-agent") }, []string{"CP202 error west"}},
		"a certificate that failed": {func(f *glootest.Fleet) { glootest.Certificate(f, west, "FAILED", "no signer") }, []string{"CERT203 error west"}},
		"a policy that is refused": {func(f *glootest.Fleet) {
			glootest.Set(f.Get(mgmt, "RootTrustPolicy", "root"), "status.state", "FAILED")
		}, []string{"EP202 error mgmt"}},
		"a policy of which a part is accepted": {func(f *glootest.Fleet) {
			glootest.Set(f.Get(mgmt, "RootTrustPolicy", "root"), "status.state", "WARNING")
		}, []string{"EP202 warning mgmt"}},
		"a policy without a license": {func(f *glootest.Fleet) {
			glootest.Set(f.Get(mgmt, "RootTrustPolicy", "root"), "status.state", "UNLICENSED")
		}, []string{"EP202 error mgmt"}},
		"a policy that is not observed": {func(f *glootest.Fleet) {
			glootest.Set(f.Get(mgmt, "RootTrustPolicy", "root"), "metadata.generation", 2)
		}, []string{"EP203 error mgmt"}},
		"a cluster that is refused": {func(f *glootest.Fleet) {
			glootest.Set(f.Get(mgmt, "KubernetesCluster", west), "status.common.State", glootest.Object{
				"approval": "INVALID", "observedGeneration": 1, "message": "two clusters of one name",
			})
		}, []string{"EP202 error mgmt"}},
		"a cluster that is accepted": {func(f *glootest.Fleet) {
			glootest.Set(f.Get(mgmt, "KubernetesCluster", west), "status.common.State", glootest.Object{"approval": "ACCEPTED", "message": "ok"})
		}, nil},
		"a cluster of which nothing is said yet": {func(f *glootest.Fleet) {
			glootest.Set(f.Get(mgmt, "KubernetesCluster", west), "status.common.State", glootest.Object{"observedGeneration": 1})
		}, nil},
		"pods that could not be restarted": {func(f *glootest.Fleet) {
			f.Add(west, glootest.Object{
				"apiVersion": "internal.gloo.solo.io/v2", "kind": "PodBounceDirective",
				"metadata": glootest.Object{"name": glootest.MeshName(west), "namespace": "gloo-mesh", "creationTimestamp": glootest.At(time.Hour)},
				"status":   glootest.Object{"state": "FAILED", "error": "no such pod"},
			})
		}, []string{"CERT206 error west"}},
		"pods that are being restarted": {func(f *glootest.Fleet) {
			f.Add(west, glootest.Object{
				"apiVersion": "internal.gloo.solo.io/v2", "kind": "PodBounceDirective",
				"metadata": glootest.Object{"name": glootest.MeshName(west), "namespace": "gloo-mesh", "creationTimestamp": glootest.At(time.Hour)},
				"status":   glootest.Object{"state": "BOUNCING_PODS"},
			})
		}, nil},
		"an agent of another release": {func(f *glootest.Fleet) {
			glootest.Set(f.Get(mgmt, "Mesh", glootest.MeshName(west)), "spec.agentInfo.version", "2.4.1")
		}, []string{"CP203 warning west"}},
	} {
		f := commercial()
		c.do(f)
		var got []string
		for _, found := range alarms(judge(t, f.Facts())) {
			got = append(got, summary(found))
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
