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

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/client-go/kubernetes/scheme"
)

// putsAtOnce is how many objects go into one transaction of etcd, which takes 128.
const putsAtOnce = 100

// folders are where the API server keeps the objects of a kind in etcd.
var folders = map[string]string{"Pod": "pods", "Service": "services/specs", "EndpointSlice": "endpointslices"}

// Multiply makes copies of an object that a cluster has, a pod, a Service or an
// EndpointSlice, the way a backup is restored: in etcd, from which the API server serves them
// as its own. Through the API, tens of thousands would take minutes. change makes each an object of its own:
// it has to give it another name. Reset knows nothing of them.
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
	var puts []any
	for i := range n {
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
		puts = append(puts, map[string]any{"requestPut": map[string]any{"key": []byte(path.Join(folder, object.GetName())), "value": value.Bytes()}})
		if len(puts) == putsAtOnce || i == n-1 {
			if err := f.etcd.ask(ctx, "txn", map[string]any{"success": puts}, nil); err != nil {
				return fmt.Errorf("write copies of %s into etcd: %w", what, err)
			}
			puts = puts[:0]
		}
	}
	return nil
}

// ask asks etcd through its gateway for JSON.
func (e *etcd) ask(ctx context.Context, what string, question, into any) error {
	body, err := json.Marshal(question)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url+"/v3/kv/"+what, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("etcd answers %s: %s", answer.Status, text)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(text, into)
}
