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
	"github.com/kubectl-mesh/kubectl-mesh/internal/printable"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource/kubernetes"
	"github.com/kubectl-mesh/kubectl-mesh/internal/survey"
)

// Bounds of /debug/syncz, in which a proxy takes about 2 kB.
const (
	mostSyncz   = 512 << 20 // bytes
	mostProxies = 200_000
)

// parseProxies reads /debug/syncz a proxy at a time, and keeps of it which there are, their
// releases, and what they do not accept (pilot/pkg/xds/debug.go, Syncz).
func parseProxies(r io.Reader) ([]facts.ConnectedProxy, error) {
	s := newScan(r, mostSyncz)
	var out []facts.ConnectedProxy
	err := s.list(func() error {
		var cluster, id, version string
		var rejected []facts.Rejection
		err := s.object(func(field []byte) (err error) {
			switch string(field) {
			case "cluster_id":
				cluster, err = s.text()
			case "proxy":
				id, err = s.text()
			case "istio_version":
				version, err = s.text()
			case "resources":
				rejected, err = s.rejections()
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
		case len(id) > mostText || len(cluster) > mostText || len(version) > mostText:
			return errGarbage
		}
		// The ID is pod.namespace; a pod's name may have dots in it.
		if at := strings.LastIndexByte(id, '.'); at > 0 {
			out = append(out, facts.ConnectedProxy{
				Cluster: resource.Once(cluster), Namespace: resource.Once(id[at+1:]), Pod: strings.Clone(id[:at]),
				Version: resource.Once(printable.Line(version)), Rejected: rejected,
			})
		}
		return nil
	})
	if err != nil {
		return nil, garbled(err)
	}
	return out, nil
}

// rejections are the kinds of configuration of which a proxy's last answer was an error
// (pilot/pkg/xds/debug.go, ResourceStatus). Releases before 1.23 do not say them.
func (s scan) rejections() (out []facts.Rejection, err error) {
	err = s.object(func(url []byte) error {
		kind := string(url) // the name is not to be kept
		return s.object(func(field []byte) error {
			if string(field) != "lastError" {
				return s.SkipValue()
			}
			text, err := s.text()
			if err != nil || text == "" {
				return err
			}
			text = printable.Line(text[:min(len(text), mostRejection)])
			out = append(out, facts.Rejection{
				Type: resource.Once(printable.Line(kind[strings.LastIndexByte(kind, '.')+1:])), Error: resource.Once(text),
			})
			return nil
		})
	})
	return out, err
}

// mostRejection is how much of what a proxy says is kept, in bytes.
const mostRejection = 1000

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
