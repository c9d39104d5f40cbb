package ask_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/apitest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/ask"
	"github.com/kubectl-mesh/kubectl-mesh/internal/survey/surveytest"
)

// Pods that are looked at again are there, gone, about to go, others of that name, or not known.
func TestStillThere(t *testing.T) {
	at := time.Now()
	pod := func(name string, made time.Time, leaves bool) *corev1.Pod {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, CreationTimestamp: metav1.NewTime(made)}}
		if leaves {
			p.DeletionTimestamp = &metav1.Time{Time: at}
		}
		return p
	}
	server := &apitest.Server{}
	server.Objects = append(server.Objects, pod("here", at.Add(-time.Hour), false), pod("leaving", at.Add(-time.Hour), true), pod("new", at.Add(time.Minute), false), pod("here-too", at, false))
	server.Before = func(w http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.RawQuery, "secret") {
			apitest.Refuse(w, http.StatusForbidden, metav1.StatusReasonForbidden)
			return true
		}
		return false
	}
	got, err := ask.StillThere(t.Context(), surveytest.Serve(t, server), []string{"shop/here", "shop/leaving", "shop/new", "shop/gone", "shop/secret"}, at)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]bool{"shop/here": true, "shop/leaving": false, "shop/new": false, "shop/gone": false}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
