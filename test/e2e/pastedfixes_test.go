package e2e

import (
	"cmp"
	"context"
	"flag"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubectl-mesh/kubectl-mesh/internal/dump"
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/effects"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiomesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	meshes "github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
	"github.com/kubectl-mesh/kubectl-mesh/internal/simulate"
	"github.com/kubectl-mesh/kubectl-mesh/internal/simulate/simulatetest"
	"github.com/kubectl-mesh/kubectl-mesh/test/bed"
)

var pastedList = flag.Bool("update-pasted", false, "write the list of codes whose fixes were pasted")

// pastedElsewhere are the codes whose fixes other tests of this package paste, on real control planes
// or with a part of one that is played.
var pastedElsewhere = []finding.Code{"CERT002", "CERT004", "CP001", "CP020", "CP026", "CP060"}

// notPasted are the codes whose fixes need a controller of Kubernetes, of which none runs here: that of EP034 changes
// which pods a Service has.
var notPasted = []finding.Code{"EP034"}

// The printed commands of every fix that is commands alone are pasted into bash, with the real kubectl and on real API
// servers, once for each code. What no control plane does there, as none runs, is done to what is read
// afterwards; then all rules run again: the finding is gone, and no other error or warning has come.
func TestPastedFixes(t *testing.T) {
	var with kubectlShell
	with.program, with.env = kubectl(t)
	proofs, pasted := simulatetest.New(istiotest.FixExceptions), map[finding.Code]bool{}
	for _, c := range faultFleets() {
		fixtures := c.Fleet()
		if !onThese(fixtures) {
			continue
		}
		expected := toPaste(fixtures.Facts(), pasted)
		if len(expected) == 0 {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			f := c.Fleet()
			for again := true; again; {
				plantByAge(t, f)
				plantWorkloads(t, f)
				before := readAgain(t, f)
				next := toPaste(before, pasted)
				codes := slices.Sorted(maps.Keys(next))
				for code := range expected {
					if _, found := next[code]; !found && !pasted[code] {
						t.Logf("%s has no fix to paste on the API servers", code)
					}
				}
				if again = len(codes) > 1; len(codes) == 0 {
					return
				}
				pasted[codes[0]] = true
				next[codes[0]].paste(t, proofs, with, f, before)
			}
		})
	}
	for _, code := range pastedElsewhere {
		pasted[code] = true
	}
	holdPasted(t, "pasted.txt", pasted)
}

// holdPasted holds that those codes were pasted which a file of testdata lists; -update-pasted writes it.
func holdPasted(t *testing.T, file string, pasted map[finding.Code]bool) {
	t.Helper()
	list := filepath.Join("testdata", file)
	var text strings.Builder
	for _, code := range slices.Sorted(maps.Keys(pasted)) {
		text.WriteString(string(code) + "\n")
	}
	if *pastedList {
		if err := os.WriteFile(list, []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(string(want), text.String()); diff != "" {
		t.Errorf("other codes are pasted than %s has; -update-pasted writes it (-want +got):\n%s", list, diff)
	}
}

// faultFleets are the fixtures with a fault in their objects. Those of control planes have webhooks that API servers
// would call: they are planted on real control planes.
func faultFleets() []istiotest.Case {
	out := slices.Concat(istiotest.Faults, istiotest.NetworkFaults)
	for _, c := range istiotest.EndpointFaults {
		out = append(out, c.Case)
	}
	return out
}

// onThese reports whether there is an API server for each cluster of a fleet, and whether it can have its
// objects: kinds are defined once for all tests, and a server says itself of which release it is.
func onThese(f *istiotest.Fleet) bool {
	return !slices.ContainsFunc(f.Clusters, func(c *istiotest.Cluster) bool {
		return fleet.Cluster(c.Name) == nil || slices.ContainsFunc(c.Objects(), func(o runtime.Object) bool {
			return o.GetObjectKind().GroupVersionKind().Kind == "CustomResourceDefinition"
		})
	})
}

// plantWorkloads puts the Deployments and the like into the API servers that a fleet's pods are from: commands
// restart them, and no controller runs that would make anything of them.
func plantWorkloads(t *testing.T, f *istiotest.Fleet) {
	t.Helper()
	inEach(t, func(ctx context.Context, cluster *bed.Cluster) error {
		for _, c := range f.Clusters {
			if c.Name == cluster.Name() {
				return cluster.Apply(ctx, workloadsOf(c)...)
			}
		}
		return nil
	})
}

// workloadsOf are the workloads of a cluster's pods that are none of its objects.
func workloadsOf(c *istiotest.Cluster) []runtime.Object {
	there := map[istio.WorkloadRef]bool{}
	for _, o := range c.Objects() {
		if d, ok := o.(*appsv1.Deployment); ok {
			there[istio.WorkloadRef{Kind: "deployment", Namespace: d.Namespace, Name: d.Name}] = true
		}
	}
	var out []runtime.Object
	for _, o := range c.Objects() {
		pod, ok := o.(*corev1.Pod)
		if !ok {
			continue
		}
		p := facts.PodOf(pod)
		ref := istio.WorkloadOf(&p)
		if there[ref] {
			continue
		}
		there[ref] = true
		meta := metav1.ObjectMeta{Namespace: ref.Namespace, Name: ref.Name}
		labels := map[string]string{"of": ref.Name}
		selector := &metav1.LabelSelector{MatchLabels: labels}
		template := corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: *pod.Spec.DeepCopy()}
		switch ref.Kind {
		case "deployment":
			out = append(out, &appsv1.Deployment{ObjectMeta: meta, Spec: appsv1.DeploymentSpec{Selector: selector, Template: template}})
		case "statefulset":
			out = append(out, &appsv1.StatefulSet{ObjectMeta: meta, Spec: appsv1.StatefulSetSpec{Selector: selector, Template: template}})
		case "daemonset":
			out = append(out, &appsv1.DaemonSet{ObjectMeta: meta, Spec: appsv1.DaemonSetSpec{Selector: selector, Template: template}})
		}
	}
	return out
}

// fixToPaste is a finding with a way of its fix that is commands alone.
type fixToPaste struct {
	finding  finding.Finding
	commands []finding.Command
}

// toPaste are the fixes of a fleet that can be pasted, of codes that were not yet, one of each. Which they are the
// simulation says: it does all of their commands, and each runs kubectl.
func toPaste(fleet *facts.Fleet, but map[finding.Code]bool) map[finding.Code]fixToPaste {
	out := map[finding.Code]fixToPaste{}
	for _, x := range judgeAll(fleet).RootCauses() {
		for _, way := range finding.Ways(x.Fix) {
			commands := finding.Commands(way)
			if _, has := out[x.Code]; !has && !but[x.Code] && !slices.Contains(notPasted, x.Code) && canPaste(fleet, commands) {
				out[x.Code] = fixToPaste{x, commands}
			}
		}
	}
	return out
}

func canPaste(fleet *facts.Fleet, commands []finding.Command) bool {
	world := simulate.New(fleet, resources.All, effects.Istio{})
	world.Values = istiotest.StandIns
	return runs(world, commands, "kubectl")
}

// runs reports whether a world does all of some commands, which change something, and they run some programs alone.
func runs(world *simulate.World, commands []finding.Command, programs ...string) bool {
	changes := false
	for i, o := range world.Run(commands...) {
		if o.Kind != simulate.Done && o.Kind != simulate.Reads {
			return false
		}
		changes = changes || o.Kind == simulate.Done
		for c := &commands[i]; c != nil; c = c.Pipe {
			if !slices.Contains(programs, c.Args[0]) {
				return false
			}
		}
	}
	return changes
}

// kubectlShell is a kubectl, and the environment of a shell that finds it.
type kubectlShell struct {
	program string
	env     []string
}

// made are the kinds of which a fix makes objects.
const made = "destinationrules.networking.istio.io,virtualservices.networking.istio.io,peerauthentications.security.istio.io," +
	"authorizationpolicies.security.istio.io,serviceentries.networking.istio.io,gateways.networking.istio.io"

// paste runs the commands of the fix, and judges what is there then.
func (x fixToPaste) paste(t *testing.T, proofs *simulatetest.Proofs, with kubectlShell, f *istiotest.Fleet, before *facts.Fleet) {
	t.Helper()
	var lines []string
	for _, c := range x.commands {
		line := c.String()
		for _, blank := range c.Blanks {
			line = strings.ReplaceAll(line, blank, istiotest.StandIns[blank])
		}
		lines = append(lines, line)
	}
	text := strings.Join(lines, "\n")
	bash := exec.Command("bash", "-euo", "pipefail", "-c", text)
	bash.Dir = t.TempDir()
	bash.Env = append(append(os.Environ(), "KUBECONFIG="+fleet.Kubeconfig()), with.env...)
	if out, err := bash.CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s\n%s", x.finding.ID(), err, text, out)
		return
	}
	after := readAgain(t, f)
	for _, cluster := range f.Clusters { // what kubectl made, a later reset would not take away
		remove := exec.Command(with.program, "--kubeconfig", fleet.Kubeconfig(), "--context", cluster.Name,
			"delete", "--all-namespaces", "--all", made)
		out, err := remove.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	world := simulate.New(after, resources.All, effects.Istio{})
	world.Values = istiotest.StandIns
	world.Run(x.commands...) // what kubectl has done is there already: what is left is what follows from it
	judged := simulatetest.Fleet{Name: t.Name(), Before: judgeAll(before), Judge: judgeAll}
	for _, wrong := range proofs.After(judged, x.finding, world.Fleet()) {
		t.Errorf("%s: %s\n%s", x.finding.ID(), wrong, text)
	}
}

// judgeAll is what the rules of all areas say of a fleet.
func judgeAll(f *facts.Fleet) finding.Result {
	return istiomesh.Judge(model.New(f, model.Options{}), rule.Options{}, meshes.ControlPlane, meshes.Certs, meshes.Network, meshes.Endpoints)
}

// readAgain reads the fleet from the API servers, as it will be in an hour.
func readAgain(t *testing.T, f *istiotest.Fleet) *facts.Fleet {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "fleet")
	if out := mesh(t, options{program: checkBinary}, "dump", "--contexts", contextsOf(f), dir); out.code != 0 {
		t.Fatalf("dump: exit code %d\n%s", out.code, out.stderr)
	}
	inAnHour(t, dir)
	read, err := dump.Read(os.DirFS(dir), istiotest.System, time.Now().Add(time.Hour), resources.All)
	if err != nil {
		t.Fatal(err)
	}
	// These servers are on loopback, where no pod of another cluster would reach them.
	public := map[string]string{}
	for i := range read.Clusters {
		c := &read.Clusters[i]
		public[c.Server] = "https://" + c.Context + ".example:6443"
		c.Server = public[c.Server]
	}
	for i := range read.Clusters {
		for n := range resources.RemoteSecrets.Of(&read.Clusters[i]).Value {
			secret := &resources.RemoteSecrets.Edit(&read.Clusters[i]).Value[n]
			secret.Server = cmp.Or(public[secret.Server], secret.Server)
		}
	}
	return read
}
