package survey

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/podaccess"
	"github.com/kubectl-mesh/kubectl-mesh/internal/printable"
)

// Bounds of what an istiod may say.
const (
	mostClusters = 1 << 20   // bytes of /debug/clusterz
	mostShards   = 256 << 20 // bytes of /debug/endpointShardz
	mostEntries  = 10000     // clusters
	mostText     = 512       // bytes of a name
)

// monitoring is the port at which istiod shows its state to those who come by a
// port-forward (pilot/pkg/xds/debug.go, allowAuthenticatedOrLocalhost).
const monitoring = 15014

// errDebug is why an istiod that was reached says nothing.
var errDebug = errors.New("istiod does not show its state (ENABLE_DEBUG_ON_HTTP)")

// ReadIstiods asks replicas of a control plane which clusters they read and which
// endpoints they have of them, all at once: of each two round trips for a
// port-forward and one for each of two requests.
func ReadIstiods(ctx context.Context, cluster Cluster, pods []string) []facts.IstiodView {
	out := make([]facts.IstiodView, len(pods))
	var wait sync.WaitGroup
	for i, name := range pods {
		wait.Go(func() {
			view := &out[i]
			view.Pod = name
			client := podaccess.Client(ctx, cluster.Config, podaccess.Pod{Namespace: cluster.Namespace, Name: name}, monitoring)
			defer client.CloseIdleConnections()
			clusters, err := debug(ctx, client, "clusterz", parseClusters)
			view.Clusters = istiodOutcome(clusters, err)
			if err != nil {
				view.Shards = istiodOutcome[map[string]facts.Addresses](nil, err)
				return
			}
			shards, err := debug(ctx, client, "endpointShardz", parseShards)
			view.Shards = istiodOutcome(shards, err)
		})
	}
	wait.Wait()
	return out
}

// debug asks for a page and parses it as it comes.
func debug[T any](ctx context.Context, client *http.Client, page string, parse func(io.Reader) (T, error)) (T, error) {
	var none T
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://istiod/debug/"+page, nil)
	if err != nil {
		return none, err
	}
	response, err := client.Do(request)
	if err != nil {
		return none, err
	}
	defer func() { _ = response.Body.Close() }()
	switch response.StatusCode {
	case http.StatusOK:
		return parse(response.Body)
	case http.StatusNotFound, http.StatusUnauthorized, http.StatusForbidden:
		return none, errDebug
	}
	return none, fmt.Errorf("istiod answered %d", response.StatusCode)
}

// istiodOutcome is outcome for what comes through a port-forward.
func istiodOutcome[T any](value T, err error) facts.Read[T] {
	switch {
	case err == nil:
		return facts.Read[T]{State: facts.OK, Value: value}
	case apierrors.IsForbidden(err):
		return facts.Read[T]{State: facts.Forbidden, Reason: "port-forward to istiod is forbidden"}
	case errors.Is(err, errDebug):
		return facts.Read[T]{State: facts.Failed, Reason: errDebug.Error()}
	case errors.Is(err, errTooMuch):
		return facts.Read[T]{State: facts.Failed, Reason: "istiod said more than can be read"}
	case errors.Is(err, errGarbage):
		return facts.Read[T]{State: facts.Failed, Reason: "what istiod says of its state cannot be read"}
	case errors.Is(err, context.DeadlineExceeded):
		return facts.Read[T]{State: facts.Failed, Reason: "istiod did not answer in time"}
	}
	return facts.Read[T]{State: facts.Failed, Reason: "istiod could not be asked by port-forward"}
}

var (
	errTooMuch = errors.New("too much")
	errGarbage = errors.New("not what was expected")
)

// bounded reads so many bytes and then fails.
type bounded struct {
	io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooMuch
	}
	n, err := b.Reader.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

// garbled tells what cannot be parsed from what could not be read.
func garbled(err error) error {
	if errors.Is(err, errTooMuch) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return err
	}
	return errGarbage
}

// parseClusters reads /debug/clusterz.
func parseClusters(r io.Reader) ([]facts.ClusterState, error) {
	var out []facts.ClusterState
	if err := json.NewDecoder(&bounded{r, mostClusters}).Decode(&out); err != nil {
		return nil, garbled(err)
	}
	if len(out) > mostEntries {
		return nil, errTooMuch
	}
	for i := range out {
		c := &out[i]
		for _, text := range []*string{&c.ID, &c.Secret, &c.Status} {
			if len(*text) > mostText {
				return nil, errGarbage
			}
			*text = printable.Line(*text)
		}
	}
	return out, nil
}

// shardz is what counts of the endpoints of one Service.
type shardz struct {
	Shards map[string][]struct {
		Addresses []string
		Address   string // in older versions
		NodeName  string
	}
}

// parseShards reads /debug/endpointShardz a Service at a time, and keeps of it the
// addresses of pods of Services: those of Kubernetes clusters, on a node.
func parseShards(r io.Reader) (map[string]facts.Addresses, error) {
	decoder := json.NewDecoder(&bounded{r, mostShards})
	out := map[string]facts.Addresses{}
	if token, err := decoder.Token(); err != nil || token != json.Delim('{') {
		return nil, garbled(err)
	}
	for decoder.More() {
		host, err := decoder.Token()
		if err != nil {
			return nil, garbled(err)
		}
		var namespaces map[string]shardz
		if err := decoder.Decode(&namespaces); err != nil {
			return nil, garbled(err)
		}
		name, _, _ := strings.Cut(fmt.Sprint(host), ".")
		for namespace, s := range namespaces {
			for shard, endpoints := range s.Shards {
				id, ok := strings.CutPrefix(shard, "Kubernetes/")
				if !ok {
					continue
				}
				if out[id] == nil {
					if len(out) >= mostEntries {
						return nil, errTooMuch
					}
					out[id] = facts.Addresses{}
				}
				for _, e := range endpoints {
					if e.Address != "" && len(e.Addresses) == 0 {
						e.Addresses = []string{e.Address}
					}
					for _, address := range e.Addresses {
						out[id].Add(once(namespace+"/"+name), once(address), e.NodeName != "")
					}
				}
			}
		}
	}
	if _, err := decoder.Token(); err != nil {
		return nil, garbled(err)
	}
	return out, nil
}

// ReadSlices lists the EndpointSlices of a cluster once more, for what counts when they are
// compared with what istiod has. It costs one request a page.
func ReadSlices(ctx context.Context, cluster Cluster) (facts.Addresses, error) {
	a, err := connect(cluster.Config)
	if err != nil {
		return nil, err
	}
	found, err := list[discoveryv1.EndpointSliceList](ctx, a.discovery, "endpointslices", "", metav1.ListOptions{}, trimEndpointSlice)
	if err != nil {
		return nil, err
	}
	return facts.AddressesOf(found), nil
}

// RunningPods are the names of those pods that are ready to be asked.
func RunningPods(c *facts.Cluster) []string {
	var out []string
	for i := range c.IstiodPods.Value {
		p := &c.IstiodPods.Value[i]
		if p.Container(istio.DiscoveryContainer) != nil && p.Phase == corev1.PodRunning && p.Deleted.IsZero() {
			out = append(out, p.Name)
		}
	}
	return out
}
