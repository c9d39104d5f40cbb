package ask

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
)

// The oldest pods are asked, of several namespaces where there are.
func TestLongestRunning(t *testing.T) {
	template := &facts.PodTemplate{Containers: []corev1.Container{{Name: istio.ProxyContainer}}}
	now := time.Now()
	var pods []facts.Pod
	for i, name := range []string{"a/1", "a/2", "a/3", "b/4", "b/5"} {
		namespace, pod, _ := strings.Cut(name, "/")
		pods = append(pods, facts.Pod{Namespace: namespace, Name: pod, PodTemplate: template, Phase: corev1.PodRunning, Created: now.Add(time.Duration(i) * time.Hour)})
	}
	pods = append(pods, facts.Pod{Namespace: "c", Name: "plain", PodTemplate: &facts.PodTemplate{}, Phase: corev1.PodRunning},
		facts.Pod{Namespace: "d", Name: "pending", PodTemplate: template, Phase: corev1.PodPending},
		facts.Pod{Namespace: "e", Name: "leaves", PodTemplate: template, Phase: corev1.PodRunning, Deleted: now})
	var got []string
	for _, p := range longestRunning(pods) {
		got = append(got, p.Name)
	}
	if s := strings.Join(got, " "); s != "1 4 2" {
		t.Errorf("asked %s", s)
	}
	if got := longestRunning(nil); len(got) > 0 {
		t.Errorf("%v", got)
	}
}
