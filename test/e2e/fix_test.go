package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
	"github.com/kubectl-mesh/kubectl-mesh/test/bed"
)

// Fixes, pasted into a shell, do what they say. There is no istiod here, so each
// case plays its part: what it publishes once it runs on the Secret.
func TestFixes(t *testing.T) {
	_, env := kubectl(t)
	for name, c := range map[string]struct {
		fleet func() *istiotest.Fleet
		code  finding.Code
	}{
		"two roots, trusted by all": {
			code: "CERT002",
			fleet: func() *istiotest.Fleet {
				f := istiotest.Healthy("east", "north", "west")
				f.Get("west").Plug(istiotest.Root(istiotest.Spec{Name: "Other root"}).Sub(istiotest.Spec{}))
				return f
			},
		},
		"istiod does not run on the secret": {
			code: "CERT004",
			fleet: func() *istiotest.Fleet {
				f := istiotest.Healthy("east", "west")
				f.Get("west").Published = istiotest.Root(istiotest.Spec{}).PEM()
				return f
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := c.fleet()
			plant(t, f)
			doc, _ := inTime(t, binary, f)
			fix := fixOf(t, doc, c.code)
			shell := exec.Command("bash", "-euo", "pipefail", "-c", strings.Join(fix, "\n"))
			shell.Dir = t.TempDir()
			shell.Env = append(append(os.Environ(), "KUBECONFIG="+fleet.Kubeconfig()), env...)
			if out, err := shell.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s\n%s", err, strings.Join(fix, "\n"), out)
			}
			var restarted sync.Map
			inEach(t, func(ctx context.Context, cluster *bed.Cluster) error { return istiodStarts(ctx, cluster, &restarted) })
			for _, cluster := range f.Clusters {
				wants := strings.Contains(strings.Join(fix, "\n"), "--context="+cluster.Name+" -n istio-system rollout restart")
				if _, was := restarted.Load(cluster.Name); wants != was {
					t.Errorf("%s: istiod was restarted: %t", cluster.Name, !wants)
				}
			}
			after := document(t, mesh(t, options{}, "verify", "--contexts", contextsOf(f), "-o", "json"))
			if diff := cmp.Diff([]string(nil), summary(after)); diff != "" {
				t.Errorf("after the fix (-want +got):\n%s", diff)
			}
		})
	}
}

// The fix of a ServiceEntry that leads to a gateway in plain text, pasted, is what Istio's definitions take, and
// leaves nothing behind: not even where the address of the gateway is a private one.
func TestFixOfPlainTextToAGateway(t *testing.T) {
	_, env := kubectl(t)
	const private = "10.200.0.11"
	for _, name := range []string{"a ServiceEntry that leads to a gateway in plain text", "a ServiceEntry outside of the mesh that leads to a gateway"} {
		t.Run(name, func(t *testing.T) {
			at := slices.IndexFunc(istiotest.EndpointFaults, func(c istiotest.EndpointCase) bool { return c.Name == name })
			f := istiotest.EndpointFaults[at].Fleet()
			f.Get("west").Network.Gateway.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: private}}
			for _, o := range f.Get("east").Network.More {
				if s, ok := o.(*api.ServiceEntry); ok {
					s.Spec.Endpoints[0].Address = private
				}
			}
			plant(t, f)
			defer empty(t)
			doc, _ := inTime(t, endpointsBinary, f)
			other, _ := inTime(t, network, f)
			const found = "EP043 error east"
			if !slices.Contains(summary(doc), found) {
				t.Fatalf("before the fix: %v", summary(doc))
			}
			// What else is found is about the addresses of these servers.
			rest := map[string][]string{
				endpointsBinary: slices.DeleteFunc(summary(doc), func(s string) bool { return s == found }), network: summary(other),
			}
			fix := strings.Join(fixOf(t, doc, "EP043"), "\n")
			shell := exec.Command("bash", "-euo", "pipefail", "-c", fix)
			shell.Dir = t.TempDir()
			shell.Env = append(append(os.Environ(), "KUBECONFIG="+fleet.Kubeconfig()), env...)
			if out, err := shell.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s\n%s", err, fix, out)
			}
			for program, want := range rest {
				after, _ := inTime(t, program, f)
				if diff := cmp.Diff(want, summary(after), cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("%s after the fix (-want +got):\n%s", filepath.Base(program), diff)
				}
			}
		})
	}
}

// fixOf is the fix of the only finding with a code.
func fixOf(t *testing.T, doc report.Report, code finding.Code) []string {
	t.Helper()
	for _, f := range doc.Findings {
		if f.Code == code && len(f.Fix) > 0 {
			return commands(f.Fix)
		}
	}
	t.Fatalf("no fix for %s in %v", code, summary(doc))
	return nil
}

// commands are those of all steps of a fix, as they are pasted.
func commands(fix []finding.Step) []string {
	var out []string
	for _, c := range finding.Commands(fix) {
		out = append(out, c.String())
	}
	return out
}

// istiodStarts publishes the root of Secret cacerts, as an istiod does that has
// been restarted, and notes where one has been.
func istiodStarts(ctx context.Context, cluster *bed.Cluster, restarted *sync.Map) error {
	client, err := kubernetes.NewForConfig(cluster.RESTConfig(bed.Admin))
	if err != nil {
		return err
	}
	deployment, err := client.AppsV1().Deployments(istiotest.System).Get(ctx, "istiod", metav1.GetOptions{})
	if err != nil || deployment.Spec.Template.Annotations["kubectl.kubernetes.io/restartedAt"] == "" {
		return nil // no istiod, or it goes on as it was
	}
	restarted.Store(cluster.Name(), true)
	secret, err := client.CoreV1().Secrets(istiotest.System).Get(ctx, "cacerts", metav1.GetOptions{})
	if err != nil {
		return err
	}
	published, err := client.CoreV1().ConfigMaps("").List(ctx, metav1.ListOptions{FieldSelector: "metadata.name=istio-ca-root-cert"})
	if err != nil {
		return err
	}
	for i := range published.Items {
		cm := &published.Items[i]
		cm.Data["root-cert.pem"] = string(secret.Data["root-cert.pem"])
		if _, err := client.CoreV1().ConfigMaps(cm.Namespace).Update(ctx, cm, metav1.UpdateOptions{}); err != nil {
			return err
		}
	}
	pod, err := client.CoreV1().Pods(istiotest.System).Get(ctx, "istiod-0", metav1.GetOptions{})
	if err != nil {
		return err
	}
	now := metav1.NewTime(time.Now().Add(time.Second))
	pod.Status.StartTime = &now
	pod.Status.ContainerStatuses[0].State = corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}}
	_, err = client.CoreV1().Pods(istiotest.System).UpdateStatus(ctx, pod, metav1.UpdateOptions{})
	return err
}
