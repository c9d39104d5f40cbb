package bed

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/client-go/kubernetes/scheme"
)

// putsAtOnce is how many objects go into one transaction of etcd, which takes 128.
const putsAtOnce = 100

// Multiply makes copies of a pod that a cluster has, the way a backup is
// restored: in etcd, from which the API server serves them as its own. Through the
// API, tens of thousands would take minutes. change makes each a pod of its own:
// it has to give it another name. Reset knows nothing of them.
func (f *Fleet) Multiply(ctx context.Context, cluster, namespace, name string, n int, change func(int, *corev1.Pod)) error {
	folder := path.Join("/", cluster, "pods", namespace)
	serializer := protobuf.NewSerializer(scheme.Scheme, scheme.Scheme)
	encoder := scheme.Codecs.EncoderForVersion(serializer, corev1.SchemeGroupVersion)
	var found struct {
		KVs []struct {
			Value []byte `json:"value"`
		} `json:"kvs"`
	}
	if err := f.etcd.ask(ctx, "range", map[string]any{"key": []byte(path.Join(folder, name))}, &found); err != nil {
		return fmt.Errorf("read pod %s/%s of %s in etcd: %w", namespace, name, cluster, err)
	}
	if len(found.KVs) != 1 {
		return fmt.Errorf("read pod %s/%s of %s in etcd: it is not there", namespace, name, cluster)
	}
	var puts []any
	for i := range n {
		pod := &corev1.Pod{}
		if _, _, err := serializer.Decode(found.KVs[0].Value, nil, pod); err != nil {
			return fmt.Errorf("read pod %s/%s of %s in etcd: %w", namespace, name, cluster, err)
		}
		change(i, pod)
		var value bytes.Buffer
		if err := encoder.Encode(pod, &value); err != nil {
			return fmt.Errorf("write pod %s of %s: %w", pod.Name, cluster, err)
		}
		puts = append(puts, map[string]any{"requestPut": map[string]any{"key": []byte(path.Join(folder, pod.Name)), "value": value.Bytes()}})
		if len(puts) == putsAtOnce || i == n-1 {
			if err := f.etcd.ask(ctx, "txn", map[string]any{"success": puts}, nil); err != nil {
				return fmt.Errorf("write pods of %s into etcd: %w", cluster, err)
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
