package survey

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

func TestListReadsFewPagesAhead(t *testing.T) {
	const pages = 20
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		n, more := asked.Add(1), "more"
		if n == pages {
			more = ""
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"kind":"ConfigMapList","apiVersion":"v1","metadata":{"continue":%q},"items":[{"metadata":{"name":"c%d"}}]}`, more, n)
	}))
	defer server.Close()
	a, err := connect(&rest.Config{Host: server.URL, QPS: -1})
	if err != nil {
		t.Fatal(err)
	}
	var ahead int32
	got, err := list[corev1.ConfigMapList](t.Context(), a.core, "configmaps", "", metav1.ListOptions{}, func(c *corev1.ConfigMap) *corev1.ConfigMap {
		if c.Name == "c1" {
			time.Sleep(300 * time.Millisecond) // the others arrive meanwhile, if they may
			ahead = asked.Load()
		}
		return c
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != pages {
		t.Errorf("got %d items of %d", len(got), pages)
	}
	if ahead > readAhead+2 {
		t.Errorf("%d pages were read while the first was trimmed", ahead)
	}
}
