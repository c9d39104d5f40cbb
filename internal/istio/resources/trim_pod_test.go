package resources

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/config"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource/kubernetes"
)

// workload are pods of one workload, as an API server has them.
func workload(name string, pods int) []corev1.Pod {
	yes := true
	var out []corev1.Pod
	for i := range pods {
		p := corev1.Pod{ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: fmt.Sprintf("%s-%d", name, i), Labels: map[string]string{"app": name, config.LabelTLSMode: "istio"},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: name, UID: "1", Controller: &yes}},
		}}
		p.Spec.Containers = []corev1.Container{
			{Name: "app", Image: "shop/" + name},
			{Name: config.ProxyContainer, Image: "proxyv2", Env: []corev1.EnvVar{{Name: config.EnvProxyNetwork, Value: "network-of-" + name}}},
		}
		p.Status.PodIP = fmt.Sprintf("10.0.0.%d", i)
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue, Reason: "whatever"}}
		out = append(out, p)
	}
	return out
}

// Pods of one workload share what they have in common, and what is kept of each is what is
// kept of it alone.
func TestPodsShare(t *testing.T) {
	trimmer := kubernetes.NewPodTrimmer()
	var trimmed []*facts.Pod
	for _, p := range append(workload("cart", 2), workload("pay", 1)...) {
		out := trimmer(&p)
		if diff := cmp.Diff(kubernetes.NewPodTrimmer()(&p), out); diff != "" {
			t.Errorf("%s alone (-) and among others (+):\n%s", p.Name, diff)
		}
		trimmed = append(trimmed, out)
	}
	if cart, other, pay := trimmed[0].PodTemplate, trimmed[1].PodTemplate, trimmed[2].PodTemplate; cart != other || cart == pay {
		t.Errorf("templates %+v, %+v and %+v", cart, other, pay)
	}
	if a, b := trimmed[0].Containers[0].Env[0].Value, trimmed[2].Containers[0].Env[0].Value; a != "network-of-cart" || b != "network-of-pay" {
		t.Errorf("environments %q and %q", a, b)
	}
}

// What tells templates apart is never taken for the same.
func TestTemplatesDiffer(t *testing.T) {
	trimmer, templates := kubernetes.NewPodTrimmer(), map[*facts.PodTemplate]string{}
	for name, change := range map[string]func(*corev1.Pod){
		"itself":                    func(*corev1.Pod) {},
		"a label":                   func(p *corev1.Pod) { p.Labels["app"] = "pay" },
		"a further label":           func(p *corev1.Pod) { p.Labels["version"] = "v1" },
		"the owner's kind":          func(p *corev1.Pod) { p.OwnerReferences[0].Kind = "StatefulSet" },
		"no owner":                  func(p *corev1.Pod) { p.OwnerReferences = nil },
		"the image":                 func(p *corev1.Pod) { p.Spec.Containers[1].Image = "proxyv3" },
		"a variable":                func(p *corev1.Pod) { p.Spec.Containers[1].Env[0].Value = "other" },
		"a sidecar of another kind": func(p *corev1.Pod) { p.Spec.InitContainers, p.Spec.Containers = p.Spec.Containers, nil },
		"a limit of memory": func(p *corev1.Pod) {
			p.Spec.Containers[1].Resources.Limits = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1Gi")}
		},
		"the host's network":        func(p *corev1.Pod) { p.Spec.HostNetwork = true },
		"a ztunnel":                 func(p *corev1.Pod) { p.Labels["app"] = config.ZtunnelName },
		"a ztunnel with an account": func(p *corev1.Pod) { p.Labels["app"], p.Spec.ServiceAccountName = config.ZtunnelName, "zt" },
	} {
		p := workload("cart", 1)[0]
		change(&p)
		template := trimmer(&p).PodTemplate
		if other, ok := templates[template]; ok {
			t.Errorf("%s and %s are taken for the same", name, other)
		}
		templates[template] = name
	}
}

// A pod that is written to a dump is the same when it is read again.
func TestPodAndBack(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	p := workload("cart", 1)[0]
	p.CreationTimestamp, p.DeletionTimestamp, p.Status.StartTime = metav1.NewTime(start), &metav1.Time{Time: start.Add(3 * time.Hour)}, &metav1.Time{Time: start.Add(time.Hour)}
	p.Status.Phase, p.Status.PodIPs = corev1.PodRunning, []corev1.PodIP{{IP: p.Status.PodIP}, {IP: "fd00::1"}}
	p.Spec.NodeName, p.Spec.HostNetwork = "node", true
	p.Spec.InitContainers = []corev1.Container{{Name: "setup"}, {Name: config.ValidateContainer}}
	p.Spec.Containers[1].Resources.Limits = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1Gi"), corev1.ResourceCPU: resource.MustParse("2")}
	running := corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(start.Add(2 * time.Hour))}}
	killed := corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
		Reason: "OOMKilled", ExitCode: 137, StartedAt: metav1.NewTime(start), FinishedAt: metav1.NewTime(start.Add(time.Hour)), Message: "anything",
	}}
	p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "app"}, {
		Name: config.ProxyContainer, Image: "proxyv2", Ready: true, RestartCount: 3, State: running, LastTerminationState: killed,
	}}
	p.Status.InitContainerStatuses = []corev1.ContainerStatus{{Name: "setup"}, {
		Name: config.ValidateContainer, State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff", Message: "anything"}},
	}}
	p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{
		Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable, Message: "0/3 nodes are available",
		LastTransitionTime: metav1.NewTime(start),
	})
	want := kubernetes.NewPodTrimmer()(&p)
	got := facts.PodOf(want.Object())
	if diff := cmp.Diff(*want, got); diff != "" {
		t.Errorf("(-first +again):\n%s", diff)
	}
	if proxy, validation := want.Status(config.ProxyContainer), want.Status(config.ValidateContainer); proxy == nil || proxy.Last.Reason != "OOMKilled" ||
		validation == nil || validation.Waiting != "CrashLoopBackOff" || !validation.Init || want.Unscheduled.Message != "0/3 nodes are available" {
		t.Errorf("something was lost of its states: %+v", want)
	}
	if len(want.Statuses) != 2 || want.IPs[1] != "fd00::1" || want.Deleted.IsZero() || want.Started.IsZero() || want.Created.IsZero() || want.Statuses[0].Started.IsZero() {
		t.Errorf("something was lost: %+v", want)
	}
}

// Of a Job's pod that runs all containers tell whether it has ended; of others the mesh's do.
func TestContainersOfJobs(t *testing.T) {
	p := workload("report", 1)[0]
	p.Status.Phase = corev1.PodRunning
	p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "app"}, {Name: config.ProxyContainer}}
	for kind, want := range map[string]int{"ReplicaSet": 1, "Job": 2} {
		p.OwnerReferences[0].Kind = kind
		if got := len(kubernetes.NewPodTrimmer()(&p).Statuses); got != want {
			t.Errorf("%s: %d containers, want %d", kind, got, want)
		}
	}
}
