package e2e

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubectl-mesh/kubectl-mesh/internal/dump"
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/effects"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/linkerdmesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/linkerdtest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/resources"
	meshes "github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
	"github.com/kubectl-mesh/kubectl-mesh/internal/simulate"
	"github.com/kubectl-mesh/kubectl-mesh/internal/simulate/simulatetest"
)

// ofLinkerd are fleets of Linkerd with findings whose fixes are commands alone: some that real controllers made, and a
// healthy one with several faults.
func ofLinkerd(t *testing.T) []namedFleet {
	t.Helper()
	var out []namedFleet
	for _, r := range linkerdtest.AllRecorded(t) {
		if slices.Contains([]string{
			"11-exported-as-annotation", "12-link-selector-mismatch", "19-orphaned-mirrors", "22-policy-denies-gateway",
			"23-destination-credentials-unlabelled", "24-probe-port-mismatch",
		}, r.Name) {
			out = append(out, namedFleet{r.Name, r.Facts(t)})
		}
	}
	return append(out, namedFleet{"several faults", severalFaults(t)})
}

type namedFleet struct {
	name  string
	facts *facts.Fleet
}

// edit changes the objects of a name in what was read of a cluster.
func edit[T any](read *facts.Read[[]T], is func(*T) bool, to func(*T)) {
	read.Value = slices.Clone(read.Value)
	for i := range read.Value {
		if is(&read.Value[i]) {
			to(&read.Value[i])
		}
	}
}

// severalFaults is the healthy fleet with faults that have nothing to do with one another.
func severalFaults(t *testing.T) *facts.Fleet {
	t.Helper()
	f := linkerdtest.Healthy(t)
	east, west := &f.Clusters[0], &f.Clusters[1]
	annotated := func(app, key, value string) {
		edit(resources.Pods.Edit(west), func(p *facts.Pod) bool { return strings.HasPrefix(p.Name, app+"-") }, func(p *facts.Pod) {
			template := *p.PodTemplate
			template.Annotations = maps.Clone(p.Annotations)
			template.Annotations[key] = value
			p.PodTemplate = &template
		})
	}
	annotated("orders", resources.AnnotationProxyVersion, "stable-2.14.10")
	annotated("web", resources.AnnotationInboundPolicy, "all-authenticated")
	port := int32(80)
	webhooks := resources.ValidatingWebhooks.Edit(west)
	webhooks.State = facts.OK
	webhooks.Value = append(webhooks.Value, admissionv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "shop"},
		Webhooks: []admissionv1.ValidatingWebhook{{Name: "orders.shop.example", ClientConfig: admissionv1.WebhookClientConfig{
			Service: &admissionv1.ServiceReference{Namespace: "shop", Name: "web", Port: &port},
		}}},
	})
	edit(resources.Namespaces.Edit(west), func(n *corev1.Namespace) bool { return n.Name == "default" }, func(n *corev1.Namespace) {
		n.Labels = map[string]string{resources.AnnotationInject: "enabled"}
	})
	edit(resources.Leases.Edit(east), func(l *coordinationv1.Lease) bool { return l.Name == "service-mirror-write-west" }, func(l *coordinationv1.Lease) {
		l.Spec.RenewTime = &metav1.MicroTime{Time: f.At.Add(-time.Hour)}
	})
	edit(resources.Credentials.Edit(east), func(s *corev1.Secret) bool { return s.Namespace == "linkerd" }, func(s *corev1.Secret) {
		s.Annotations = maps.Clone(s.Annotations)
		s.Annotations[resources.AnnotationTrustDomain] = "other"
	})
	return f
}

// linkerdNotPasted are codes of which the commands alone do not do: docs/fixes-linkerd.md says why.
var linkerdNotPasted = []finding.Code{"CP106", "EP120", "NET102", "NET109"}

// The printed commands of fixes that are commands alone are pasted into bash, with the real kubectl and on real API
// servers, once for each code. What the injector and service mirrors make of it, as none runs, is done to what is read
// afterwards; then all rules run again: the finding is gone, and no other error or warning has come.
func TestLinkerdPastedFixes(t *testing.T) {
	defer empty(t)
	var with kubectlShell
	with.program, with.env = kubectl(t)
	proofs, pasted := simulatetest.New(nil), map[finding.Code]bool{}
	for _, c := range ofLinkerd(t) {
		t.Run(c.name, func(t *testing.T) {
			objects := liveObjects(t, c.facts, fleet)
			for context := range objects {
				objects[context] = append(objects[context], linkerdWorkloads(objects[context])...)
			}
			plantObjects(t, objects)
			before, some := linkerdRead(t), false
			for {
				next := linkerdToPaste(before, pasted)
				codes := slices.Sorted(maps.Keys(next))
				if len(codes) == 0 {
					break
				}
				some, pasted[codes[0]] = true, true
				before = linkerdPaste(t, proofs, with, next[codes[0]], before)
			}
			if !some {
				t.Errorf("it has no fix to paste: %v", linkerdJudge(before).RootCauses())
			}
		})
	}
	holdPasted(t, "pasted-linkerd.txt", pasted)
}

// linkerdWorkloads are the Deployments of pods that are none of some objects: commands restart them.
func linkerdWorkloads(objects []runtime.Object) []runtime.Object {
	there := map[finding.Object]bool{}
	for _, o := range objects {
		if d, ok := o.(*appsv1.Deployment); ok {
			there[finding.In("deployment", d.Namespace, d.Name)] = true
		}
	}
	var out []runtime.Object
	for _, o := range objects {
		pod, ok := o.(*corev1.Pod)
		if !ok {
			continue
		}
		p := facts.PodOf(pod)
		w := model.WorkloadOf(&p)
		if w.Kind != "deployment" || there[w] {
			continue
		}
		there[w] = true
		labels := map[string]string{"of": w.Name}
		out = append(out, &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: w.Name}, Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: *pod.Spec.DeepCopy()},
		}})
	}
	return out
}

// linkerdToPaste are the fixes of a fleet that can be pasted, of codes that were not yet, one of each. Which they are the
// simulation says: it does all of their commands, and each runs kubectl, or writes what that takes.
func linkerdToPaste(fleet *facts.Fleet, but map[finding.Code]bool) map[finding.Code]fixToPaste {
	out := map[finding.Code]fixToPaste{}
	for _, x := range linkerdJudge(fleet).RootCauses() {
		for _, way := range finding.Ways(x.Fix) {
			commands := finding.Commands(way)
			if _, has := out[x.Code]; has || but[x.Code] || slices.Contains(linkerdNotPasted, x.Code) {
				continue
			}
			if runs(simulate.New(fleet, resources.All, effects.Linkerd{}), commands, "kubectl", "printf") {
				out[x.Code] = fixToPaste{x, commands}
			}
		}
	}
	return out
}

// linkerdPaste runs the commands of a fix, and judges what is there then, which it returns.
func linkerdPaste(t *testing.T, proofs *simulatetest.Proofs, with kubectlShell, x fixToPaste, before *facts.Fleet) *facts.Fleet {
	t.Helper()
	var lines []string
	for _, c := range x.commands {
		lines = append(lines, c.String())
	}
	text := strings.Join(lines, "\n")
	bash := exec.Command("bash", "-euo", "pipefail", "-c", text)
	bash.Dir = t.TempDir()
	bash.Env = append(append(os.Environ(), "KUBECONFIG="+fleet.Kubeconfig()), with.env...)
	if out, err := bash.CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s\n%s", x.finding.ID(), err, text, out)
		return before
	}
	after := linkerdRead(t)
	world := simulate.New(after, resources.All, effects.Linkerd{})
	world.Run(x.commands...) // what kubectl has done is there already: what is left is what follows from it
	effects.Settle(world, before)
	judged := simulatetest.Fleet{Name: t.Name(), Before: linkerdJudge(before), Judge: linkerdJudge}
	for _, wrong := range proofs.After(judged, x.finding, world.Fleet()) {
		t.Errorf("%s: %s\n%s", x.finding.ID(), wrong, text)
	}
	if !slices.ContainsFunc(x.commands, func(c finding.Command) bool { return c.Args[0] == "printf" }) {
		return after
	}
	remove := exec.Command(with.program, "--kubeconfig", fleet.Kubeconfig(), "--context", x.finding.Clusters[0], "delete", "--namespace=shop",
		"--all", "servers.policy.linkerd.io,authorizationpolicies.policy.linkerd.io,networkauthentications.policy.linkerd.io")
	if out, err := remove.CombinedOutput(); err != nil { // what kubectl made, a later reset would not take away
		t.Fatalf("%v\n%s", err, out)
	}
	return linkerdRead(t)
}

// linkerdJudge is what the rules of all areas say of a fleet.
func linkerdJudge(f *facts.Fleet) finding.Result {
	return linkerdmesh.Judge(model.New(f, model.Options{}), rule.Options{}, meshes.ControlPlane, meshes.Certs, meshes.Network, meshes.Endpoints)
}

// linkerdRead reads both clusters from the API servers.
func linkerdRead(t *testing.T) *facts.Fleet {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "fleet")
	if out := mesh(t, options{program: checkBinary}, "dump", "--contexts", "east,west", dir); out.code != 0 {
		t.Fatalf("dump: exit code %d\n%s", out.code, out.stderr)
	}
	read, err := dump.Read(os.DirFS(dir), istiotest.System, time.Now(), resources.All)
	if err != nil {
		t.Fatal(err)
	}
	return read
}
