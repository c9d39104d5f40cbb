package ask

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remotesecrets"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/podaccess"
	"github.com/kubectl-mesh/kubectl-mesh/internal/printable"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource/kubernetes"
	"github.com/kubectl-mesh/kubectl-mesh/internal/survey"
)

// Bounds of what an istiod may say.
const (
	mostClusters = 1 << 20   // bytes of /debug/clusterz
	mostNetworks = 8 << 20   // bytes of /debug/networkz
	mostShards   = 256 << 20 // bytes of /debug/endpointShardz
	mostEntries  = 10000     // clusters, gateways
	mostText     = 512       // bytes of a name
)

// monitoring is the port at which istiod shows its state to those who come by a
// port-forward (pilot/pkg/xds/debug.go, allowAuthenticatedOrLocalhost).
const monitoring = 15014

// errDebug is why an istiod that was reached says nothing.
var errDebug = errors.New("istiod does not show its state (ENABLE_DEBUG_ON_HTTP)")

// further are pages of which not every control plane is asked: what ambient workloads are told, where it
// knows of ambient mode across networks; the gateways of networks, where its clients need some.
type further struct{ ambient, gateways bool }

// furtherOf are those of a cluster.
func furtherOf(context string, plan remotesecrets.Plan) further {
	return further{slices.Contains(plan.Ambient, context), slices.Contains(plan.Crossing, context)}
}

// readIstiods asks replicas of a control plane which clusters they read, which
// endpoints they have of them and which proxies are connected to them, all at
// once: of each two round trips for a port-forward and one for each of three requests. The further
// pages cost one each.
func readIstiods(ctx context.Context, cluster survey.Cluster, pods []string, also further, sets *addressSets) []facts.IstiodView {
	out := make([]facts.IstiodView, len(pods))
	var wait sync.WaitGroup
	for i, name := range pods {
		wait.Go(func() {
			view := &out[i]
			view.Pod = name
			client := cluster.Pod(ctx, podaccess.Pod{Namespace: cluster.Namespace, Name: name}, monitoring)
			defer client.CloseIdleConnections()
			clusters, err := debug(ctx, client, "clusterz", parseClusters)
			view.Clusters = istiodOutcome(clusters, err)
			if err != nil {
				view.Shards = istiodOutcome[map[string]facts.Addresses](nil, err)
				view.Proxies = istiodOutcome[[]facts.ConnectedProxy](nil, err)
				view.Networks = istiodOutcome[[]facts.NetworkGateway](nil, err)
				return
			}
			shards, err := debug(ctx, client, "endpointShardz", sets.parseShards)
			view.Shards = istiodOutcome(shards, err)
			proxies, err := debug(ctx, client, "syncz", parseProxies)
			view.Proxies = istiodOutcome(proxies, err)
			if also.gateways {
				networks, err := debug(ctx, client, "networkz", parseNetworks)
				view.Networks = istiodOutcome(networks, err)
			}
			if also.ambient {
				gateways, err := debug(ctx, client, "ambientz", parseAmbient)
				view.Gateways = istiodOutcome(gateways, err)
			}
		})
	}
	wait.Wait()
	return out
}

// debug asks for a page about its state and parses it as it comes.
func debug[T any](ctx context.Context, client *http.Client, page string, parse func(io.Reader) (T, error)) (T, error) {
	return monitor(ctx, client, "debug/"+page, parse)
}

// monitor asks for a page of the port that monitors it.
func monitor[T any](ctx context.Context, client *http.Client, page string, parse func(io.Reader) (T, error)) (T, error) {
	var none T
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://istiod/"+page, nil)
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
	case errors.Is(err, podaccess.ErrUnanswered):
		return facts.Read[T]{Reason: "what istiod says of it was not written down"}
	case errors.Is(err, errDebug):
		return facts.Read[T]{State: facts.Failed, Reason: errDebug.Error()}
	case errors.Is(err, errTooMuch):
		return facts.Read[T]{State: facts.Failed, Reason: "istiod said more than can be read"}
	case errors.Is(err, errGarbage):
		return facts.Read[T]{State: facts.Failed, Reason: "what istiod says of its state cannot be read"}
	case errors.Is(err, context.DeadlineExceeded):
		return facts.Read[T]{State: facts.Failed, Reason: "istiod did not answer in time"}
	}
	return facts.Read[T]{State: facts.Failed, Reason: "istiod could not be asked: " + podReason(err)}
}

var (
	errTooMuch = errors.New("too much")
	errGarbage = errors.New("not what was expected")
)

// mostToken is how long one name or text in a document may be, in bytes: it is in memory as a whole.
const mostToken = 4 << 20

// bounded reads so many bytes and then fails.
type bounded struct {
	io.Reader
	left int64
	// used is how far the document that is read was understood, in bytes; nil where nobody tells.
	used func() int64
	read int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 || b.used != nil && b.read-b.used() > mostToken {
		return 0, errTooMuch
	}
	n, err := b.Reader.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	b.read += int64(n)
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
	if err := json.NewDecoder(&bounded{Reader: r, left: mostClusters}).Decode(&out); err != nil {
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

// parseNetworks reads /debug/networkz, which is null where there is no gateway.
func parseNetworks(r io.Reader) ([]facts.NetworkGateway, error) {
	var out []facts.NetworkGateway
	if err := json.NewDecoder(&bounded{Reader: r, left: mostNetworks}).Decode(&out); err != nil {
		return nil, garbled(err)
	}
	if len(out) > mostEntries {
		return nil, errTooMuch
	}
	for i := range out {
		g := &out[i]
		for _, text := range []*string{&g.Network, &g.Cluster, &g.Address} {
			if len(*text) > mostText {
				return nil, errGarbage
			}
			*text = printable.Line(*text)
		}
	}
	return out, nil
}

// parseShards reads /debug/endpointShardz, and keeps of it the addresses of pods of
// Services: those of Kubernetes clusters, on a node.
func (a *addressSets) parseShards(r io.Reader) (map[string]facts.Addresses, error) {
	s := newScan(r, mostShards)
	out := map[string]facts.Addresses{}
	set := map[string]bool{} // of one shard
	err := s.object(func(host []byte) error {
		name, _, _ := strings.Cut(string(host), ".")
		return s.object(func(namespace []byte) error {
			service := resource.Once(string(namespace) + "/" + name)
			return s.object(func(field []byte) error {
				if string(field) != "Shards" {
					return s.SkipValue()
				}
				return s.object(func(shard []byte) error {
					id, ok := strings.CutPrefix(string(shard), "Kubernetes/")
					if !ok {
						return s.SkipValue()
					}
					if out[id] == nil {
						if len(out) >= mostEntries {
							return errTooMuch
						}
						out[id] = facts.Addresses{}
					}
					clear(set)
					maps.Copy(set, out[id][service])
					if err := s.list(func() error { return a.endpoint(s, set) }); err != nil {
						return err
					}
					if len(set) > 0 {
						out[id][service] = a.one(set)
					}
					return nil
				})
			})
		})
	})
	if err != nil {
		return nil, garbled(err)
	}
	return out, nil
}

// endpoint reads an endpoint of a shard. Older versions have one address.
func (a *addressSets) endpoint(s scan, into map[string]bool) error {
	var several [2]string // as many as an endpoint has, mostly
	addresses := several[:0]
	address, node := "", false
	err := s.object(func(field []byte) error {
		switch string(field) {
		case "Addresses":
			return s.list(func() error {
				text, err := s.passing()
				addresses = append(addresses, a.text(text))
				return err
			})
		case "Address":
			text, err := s.passing()
			address = a.text(text)
			return err
		case "NodeName":
			text, err := s.passing()
			node = len(text) > 0
			return err
		}
		return s.SkipValue()
	})
	if len(addresses) == 0 && address != "" {
		addresses = append(addresses, address)
	}
	for _, address := range addresses {
		into[address] = into[address] || node
	}
	return err
}

// gatewayUID begins the UIDs of the workloads that stand for gateways of networks
// (pilot/pkg/serviceregistry/ambient/workloads.go, gatewayUID).
const gatewayUID = "NetworkGateway/"

// parseAmbient reads the workloads of /debug/ambientz one after another, and keeps
// those that stand for gateways of networks.
func parseAmbient(r io.Reader) ([]facts.NetworkAddress, error) {
	s := newScan(r, mostShards)
	var out []facts.NetworkAddress
	found := false
	err := s.object(func(field []byte) error {
		if string(field) != "workloads" {
			return s.SkipValue()
		}
		found = true
		return s.list(func() error {
			uid := ""
			err := s.object(func(field []byte) (err error) {
				if string(field) != "uid" {
					return s.SkipValue()
				}
				uid, err = s.text()
				return err
			})
			rest, ok := strings.CutPrefix(uid, gatewayUID)
			if err != nil || !ok {
				return err
			}
			// Network, address and port.
			parts := strings.Split(rest, "/")
			if len(rest) > mostText || len(parts) < 3 {
				return errGarbage
			}
			if len(out) >= mostEntries {
				return errTooMuch
			}
			network := strings.Join(parts[:len(parts)-2], "/")
			out = append(out, facts.NetworkAddress{Network: printable.Line(network), Address: printable.Line(parts[len(parts)-2])})
			return nil
		})
	})
	if err == nil && !found {
		err = errGarbage
	}
	if err != nil {
		return nil, garbled(err)
	}
	return out, nil
}

// ReadSlices lists the EndpointSlices of a cluster once more, for what counts when they are
// compared with what istiod has. It costs one request a page.
func ReadSlices(ctx context.Context, cluster survey.Cluster) (facts.Addresses, error) {
	a, err := survey.Connect(cluster.Config)
	if err != nil {
		return nil, err
	}
	defer a.Close()
	found, err := survey.List[discoveryv1.EndpointSliceList](
		ctx,
		a.Discovery,
		"endpointslices",
		"",
		metav1.ListOptions{},
		kubernetes.TrimEndpointSlice,
	)
	if err != nil {
		return nil, err
	}
	return facts.AddressesOf(found), nil
}

// RunningPods are the names of those pods that are ready to be asked.
func RunningPods(c *facts.Cluster) []string {
	var out []string
	for i := range resources.IstiodPods.Of(c).Value {
		p := &resources.IstiodPods.Of(c).Value[i]
		if p.Container(istio.DiscoveryContainer) != nil && p.Phase == corev1.PodRunning && p.Deleted.IsZero() {
			out = append(out, p.Name)
		}
	}
	return out
}
