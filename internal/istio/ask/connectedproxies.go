package ask

import (
	"context"
	"io"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource/kubernetes"
	"github.com/kubectl-mesh/kubectl-mesh/internal/survey"
)

// Bounds of /debug/syncz, in which a proxy takes about 2 kB.
const (
	mostSyncz   = 512 << 20 // bytes
	mostProxies = 200_000
)

// parseProxies reads /debug/syncz a proxy at a time, and keeps of it which there are
// (pilot/pkg/xds/debug.go, Syncz).
func parseProxies(r io.Reader) ([]facts.ConnectedProxy, error) {
	s := newScan(r, mostSyncz)
	var out []facts.ConnectedProxy
	err := s.list(func() error {
		var cluster, id string
		err := s.object(func(field []byte) (err error) {
			switch string(field) {
			case "cluster_id":
				cluster, err = s.text()
			case "proxy":
				id, err = s.text()
			default:
				err = s.SkipValue()
			}
			return err
		})
		switch {
		case err != nil:
			return err
		case len(out) >= mostProxies:
			return errTooMuch
		case len(id) > mostText || len(cluster) > mostText:
			return errGarbage
		}
		// The ID is pod.namespace; a pod's name may have dots in it.
		if at := strings.LastIndexByte(id, '.'); at > 0 {
			out = append(
				out,
				facts.ConnectedProxy{Cluster: resource.Once(cluster), Namespace: resource.Once(id[at+1:]), Pod: strings.Clone(id[:at])},
			)
		}
		return nil
	})
	if err != nil {
		return nil, garbled(err)
	}
	return out, nil
}

// StillThere looks at pods, as namespace/name, once more, side by side: which of them are
// there, are to stay, and were made before a time. One of which the cluster does not tell
// is in neither. Each costs one request.
func StillThere(ctx context.Context, cluster survey.Cluster, pods []string, before time.Time) (map[string]bool, error) {
	a, err := survey.Connect(cluster.Config)
	if err != nil {
		return nil, err
	}
	defer a.Close()
	out := map[string]bool{}
	var mu sync.Mutex
	beside(len(pods), func(i int) {
		namespace, name, _ := strings.Cut(pods[i], "/")
		// A list, since that is what one may do who may read pods here.
		found, err := survey.List[corev1.PodList](
			ctx,
			a.Core,
			"pods",
			namespace,
			metav1.ListOptions{FieldSelector: "metadata.name=" + name},
			kubernetes.NewPodTrimmer(),
		)
		if err != nil {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		out[pods[i]] = len(found) == 1 && found[0].Deleted.IsZero() && found[0].Created.Before(before)
	})
	return out, nil
}
