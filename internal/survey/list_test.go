package survey

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/client-go/rest"

	"github.com/kubectl-mesh/kubectl-mesh/internal/kinds"
)

func configMaps(more string, names ...string) *corev1.ConfigMapList {
	list := &corev1.ConfigMapList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMapList"}, ListMeta: metav1.ListMeta{ResourceVersion: "7", Continue: more}}
	for _, name := range names {
		list.Items = append(list.Items, corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: map[string]string{"of": name}})
	}
	return list
}

// encoded is what an API server answers that speaks protobuf, or JSON.
func encoded(t testing.TB, o runtime.Object, contentType string) []byte {
	t.Helper()
	if contentType == runtime.ContentTypeProtobuf {
		body, err := runtime.Encode(protobuf.NewSerializer(kinds.Scheme(), kinds.Scheme()), o)
		if err != nil {
			t.Fatal(err)
		}
		return body
	}
	body, err := runtime.Encode(kinds.Codecs().LegacyCodec(corev1.SchemeGroupVersion), o)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// listFrom lists the ConfigMaps of a server that answers so.
func listFrom(t testing.TB, answer http.HandlerFunc, trim func(*corev1.ConfigMap) *corev1.ConfigMap) ([]corev1.ConfigMap, error) {
	t.Helper()
	server := httptest.NewServer(answer)
	defer server.Close()
	a, err := Connect(&rest.Config{Host: server.URL, QPS: -1})
	if err != nil {
		t.Fatal(err)
	}
	return List[corev1.ConfigMapList](t.Context(), a.Core, "configmaps", "", metav1.ListOptions{ResourceVersion: "0"}, trim)
}

func itself(c *corev1.ConfigMap) *corev1.ConfigMap { return c }

func TestListPages(t *testing.T) {
	for _, contentType := range []string{runtime.ContentTypeProtobuf, runtime.ContentTypeJSON} {
		t.Run(contentType, func(t *testing.T) {
			var asked []string
			got, err := listFrom(t, func(w http.ResponseWriter, r *http.Request) {
				asked = append(asked, r.URL.RawQuery)
				page := configMaps("second", "a", "b")
				if r.URL.Query().Get("continue") == "second" {
					page = configMaps("", "c")
				}
				w.Header().Set("Content-Type", contentType)
				_, _ = w.Write(encoded(t, page, contentType))
			}, itself)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(configMaps("", "a", "b", "c").Items, got); diff != "" {
				t.Errorf("items (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]string{"limit=500&resourceVersion=0", "continue=second&limit=500"}, asked); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
		})
	}
}

func TestListOfOddAnswers(t *testing.T) {
	whole := encoded(t, configMaps("", "a", "b"), runtime.ContentTypeProtobuf)
	for name, body := range map[string][]byte{
		"cut off":            whole[:len(whole)-3],
		"not a list":         encoded(t, &corev1.ConfigMap{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"}}, runtime.ContentTypeProtobuf),
		"a failure with 200": encoded(t, &metav1.Status{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusFailure}, runtime.ContentTypeProtobuf),
		"of another kind":    encoded(t, &corev1.PodList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PodList"}, Items: []corev1.Pod{{}}}, runtime.ContentTypeProtobuf),
		"no envelope":        []byte("k8s\x00\xff\xff\xff"),
		"nothing":            nil,
	} {
		t.Run(name, func(t *testing.T) {
			got, err := listFrom(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", runtime.ContentTypeProtobuf)
				_, _ = w.Write(body)
			}, itself)
			if err == nil {
				t.Errorf("taken for a list: %v", got)
			}
		})
	}
}

func TestListReadsOnePageAhead(t *testing.T) {
	const pages = 20
	var asked atomic.Int32
	var ahead int32
	got, err := listFrom(t, func(w http.ResponseWriter, _ *http.Request) {
		n := asked.Add(1)
		more := fmt.Sprintf("more after %d", n)
		if n == pages {
			more = ""
		}
		w.Header().Set("Content-Type", runtime.ContentTypeJSON)
		_, _ = w.Write(encoded(t, configMaps(more, fmt.Sprintf("c%d", n)), runtime.ContentTypeJSON))
	}, func(c *corev1.ConfigMap) *corev1.ConfigMap {
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
	if ahead != 2 {
		t.Errorf("%d pages were asked for while the first was trimmed, not two", ahead)
	}
}

func FuzzProtobufList(f *testing.F) {
	f.Add(encoded(f, configMaps("more", "a", "b"), runtime.ContentTypeProtobuf))
	f.Add([]byte("k8s\x00"))
	f.Fuzz(func(t *testing.T, body []byte) {
		_, message, ok := protobufOf(body)
		if !ok {
			return
		}
		var want corev1.ConfigMapList
		wantErr := want.Unmarshal(message)
		for i := range want.Items {
			for k := range want.Items[i].ManagedFields {
				want.Items[i].ManagedFields[k].FieldsV1 = nil // nobody reads it
			}
		}
		page, err := openProtobuf(message, func() runtime.Object { return &corev1.ConfigMap{} })
		var got []corev1.ConfigMap
		if err == nil {
			err = page.each(func(o runtime.Object) error {
				got = append(got, *o.(*corev1.ConfigMap))
				return nil
			})
		}
		if wantErr != nil {
			return // what cannot be read at all may be read up to there
		}
		if diff := cmp.Diff(want.Items, got); err != nil || diff != "" || page.next != want.Continue {
			t.Errorf("%v, continue %q instead of %q, items (-want +got):\n%s", err, page.next, want.Continue, diff)
		}
	})
}
