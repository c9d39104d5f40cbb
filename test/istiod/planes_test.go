package istiod

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/test/bed"
	"github.com/kubectl-mesh/kubectl-mesh/test/bed/topology"
)

// holdClusters compares which clusters a control plane reads, and in what state they are.
func holdClusters(t *testing.T, ctx context.Context, v *istio.View, istiod *bed.Istiod, top topology.Topology) int {
	t.Helper()
	secrets := map[string]int{} // by the cluster ID that they say
	for _, s := range top.RemoteSecrets {
		if s.In == v.Context {
			secrets[s.Key]++
		}
	}
	line := func(id, secret, state string) string {
		if secrets[id] > 1 {
			secret = "any" // the one that istiod saw first (docs/istiod.md)
		}
		return id + " " + secret + " " + state
	}
	watched, _ := v.Clusters()
	var predicted []string
	for _, w := range watched {
		predicted = append(predicted, line(w.ID, w.Secret, string(w.State)))
	}
	for _, s := range broken(top, v.Context) {
		predicted = append(predicted, line(s.Key, topology.SystemNamespace+"/"+s.Name, string(istio.Timeout)))
	}
	slices.Sort(predicted)
	eventually(t, ctx, "clusters of "+v.Context, func(ctx context.Context) (string, error) {
		states, err := istiod.Clusters(ctx)
		var got []string
		for _, s := range states {
			got = append(got, line(s.ID, s.Secret, s.Status))
		}
		slices.Sort(got)
		return differ(predicted, got), err
	})
	return len(predicted)
}

// holdGateways compares the gateways of all networks.
func holdGateways(t *testing.T, ctx context.Context, v *istio.View, istiod *bed.Istiod) int {
	t.Helper()
	var predicted []string
	for _, g := range v.Gateways() {
		predicted = append(predicted, fmt.Sprintf("%s %s %s %d %d %s", g.Network, g.Cluster, g.Address, g.Port, g.HBONEPort, g.ServiceAccount))
	}
	slices.Sort(predicted)
	eventually(t, ctx, "gateways of "+v.Context, func(ctx context.Context) (string, error) {
		gateways, err := istiod.Gateways(ctx)
		var got []string
		for _, g := range gateways {
			account := strings.Trim(g.Account.Namespace+"/"+g.Account.Name, "/")
			got = append(got, fmt.Sprintf("%s %s %s %d %d %s", g.Network, g.Cluster, g.Addr, g.Port, g.HBONE, account))
		}
		slices.Sort(got)
		return differ(predicted, got), err
	})
	return len(predicted)
}

// shards are the endpoints that a control plane keeps, by service, namespace and
// cluster, in /debug/endpointShardz.
type shards map[string]map[string]struct {
	Shards map[string][]struct {
		Addresses []string
		Network   string
	}
}

// holdNetworks compares the networks of pods, as far as a service has them as endpoints.
func holdNetworks(t *testing.T, ctx context.Context, v *istio.View, istiod *bed.Istiod, index podIndex) int {
	t.Helper()
	pods := map[string]string{} // by cluster and address
	addresses := map[string]int{}
	for _, p := range v.PodNetworks() {
		if address := index.of(p).Status.PodIP; address != "" {
			key := p.Cluster + " " + address
			pods[key] = p.Network.Name
			addresses[key]++
		}
	}
	compared := 0
	eventually(t, ctx, "networks of pods of "+v.Context, func(ctx context.Context) (string, error) {
		body, err := istiod.Debug(ctx, "/debug/endpointShardz")
		if err != nil {
			return "", err
		}
		var all shards
		if err := json.Unmarshal(body, &all); err != nil {
			return "", err
		}
		var predicted, got []string
		for _, namespaces := range all {
			for _, service := range namespaces {
				for shard, endpoints := range service.Shards {
					_, cluster, _ := strings.Cut(shard, "/")
					for _, e := range endpoints {
						for _, address := range e.Addresses {
							key := cluster + " " + address
							if network, ok := pods[key]; ok && addresses[key] == 1 {
								predicted = append(predicted, key+" "+network)
								got = append(got, key+" "+e.Network)
							}
						}
					}
				}
			}
		}
		slices.Sort(predicted)
		slices.Sort(got)
		predicted, got = slices.Compact(predicted), slices.Compact(got)
		compared = len(predicted)
		return differ(predicted, got), nil
	})
	return compared
}
