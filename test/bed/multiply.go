package bed

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path"
	"reflect"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/client-go/kubernetes/scheme"
)

// putsAtOnce is how many objects are on their way to etcd, as many as there are idle
// connections.
const putsAtOnce = http.DefaultMaxIdleConnsPerHost

// folders are where the API server keeps the objects of a kind in etcd.
var folders = map[string]string{"Pod": "pods", "Service": "services/specs", "EndpointSlice": "endpointslices"}

// Multiply makes copies of an object that a cluster has, a pod, a Service or an
// EndpointSlice, the way a backup is restored: in etcd, from which the API server serves them
// as its own. Through the API, tens of thousands would take minutes. change makes each an object of its own:
// it has to give it another name, and is called for several at once. Reset knows nothing of them.
func Multiply[T any, P interface {
	*T
	runtime.Object
	metav1.Object
}](ctx context.Context, f *Fleet, cluster, namespace, name string, n int, change func(int, P)) error {
	kind := reflect.TypeFor[T]().Name()
	what := fmt.Sprintf("%s %s/%s of %s", kind, namespace, name, cluster)
	folder := path.Join("/", cluster, folders[kind], namespace)
	serializer := protobuf.NewSerializer(scheme.Scheme, scheme.Scheme)
	var found struct {
		KVs []struct {
			Value []byte `json:"value"`
		} `json:"kvs"`
	}
	if err := f.etcd.ask(ctx, "range", map[string]any{"key": []byte(path.Join(folder, name))}, &found); err != nil {
		return fmt.Errorf("read %s in etcd: %w", what, err)
	}
	if len(found.KVs) != 1 {
		return fmt.Errorf("read %s in etcd: it is not there", what)
	}
	var all []int
	for i := range n {
		all = append(all, i)
	}
	return inParallel(putsAtOnce, all, func(i int) error {
		object := P(new(T))
		_, kind, err := serializer.Decode(found.KVs[0].Value, nil, object)
		if err != nil {
			return fmt.Errorf("read %s in etcd: %w", what, err)
		}
		change(i, object)
		var value bytes.Buffer
		if err := scheme.Codecs.EncoderForVersion(serializer, kind.GroupVersion()).Encode(object, &value); err != nil {
			return fmt.Errorf("copy %s: %w", what, err)
		}
		// Each of its own, for a revision of its own: who watches and is cut off goes on after
		// the last revision that it saw.
		put := map[string]any{"key": []byte(path.Join(folder, object.GetName())), "value": value.Bytes()}
		if err := f.etcd.ask(ctx, "put", put, nil); err != nil {
			return fmt.Errorf("write a copy of %s into etcd: %w", what, err)
		}
		return nil
	})
}

// etcd answers with 503 while it is not able to write as fast as it is asked to.
const (
	etcdTries = 30
	etcdPause = time.Second
)

// ask asks etcd through its gateway for JSON, again while it is busy.
func (e *etcd) ask(ctx context.Context, what string, question, into any) error {
	body, err := json.Marshal(question)
	if err != nil {
		return err
	}
	for try := 1; ; try++ {
		busy, err := e.askOnce(ctx, what, body, into)
		if !busy || try == etcdTries {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(etcdPause):
		}
	}
}

func (e *etcd) askOnce(ctx context.Context, what string, body []byte, into any) (busy bool, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url+"/v3/kv/"+what, bytes.NewReader(body))
	if err != nil {
		return false, err
	}
	request.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return false, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return false, err
	}
	if answer.StatusCode != http.StatusOK {
		return answer.StatusCode == http.StatusServiceUnavailable, fmt.Errorf("etcd answers %s: %s", answer.Status, text)
	}
	if into == nil {
		return false, nil
	}
	return false, json.Unmarshal(text, into)
}
