package ask

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/envoy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remotesecrets"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
	"github.com/kubectl-mesh/kubectl-mesh/internal/podaccess"
	"github.com/kubectl-mesh/kubectl-mesh/internal/survey"
)

// Record asks all replicas of the control planes and some proxies of each cluster what rules ask them, and
// gives their answers again, by context: of each what rules read of it, in the words of the page that it
// is from. What somebody did not say is not among them. It costs what the questions cost.
func Record(ctx context.Context, by survey.Asker, m *model.Mesh) map[string][]podaccess.Answer {
	plan := remotesecrets.NewPlan(m)
	istiods, proxies := map[string][]string{}, map[string][]*facts.Pod{}
	var contexts []string
	for i := range m.Fleet.Clusters {
		c := &m.Fleet.Clusters[i]
		if slices.Contains(plan.Primaries, c.Context) {
			istiods[c.Context] = RunningPods(c)
		}
		proxies[c.Context] = longestRunning(resources.Proxies.Of(c).Value)
		if len(istiods[c.Context])+len(proxies[c.Context]) > 0 {
			contexts = append(contexts, c.Context)
		}
	}
	answers := survey.Ask(ctx, by, contexts, func(ctx context.Context, c survey.Cluster) ([]podaccess.Answer, error) {
		var said, shown []podaccess.Answer
		var both sync.WaitGroup
		both.Go(func() {
			for _, view := range readIstiods(ctx, c, istiods[c.Context], furtherOf(c.Context, plan), newAddressSets()) {
				said = append(said, Pages(c.Namespace, view)...)
			}
		})
		both.Go(func() {
			pods := proxies[c.Context]
			asked := make([]podaccess.Pod, len(pods))
			for i, p := range pods {
				asked[i] = podaccess.Pod{Namespace: p.Namespace, Name: p.Name}
			}
			for i, m := range Materials(ctx, c, asked) {
				if m.State == facts.OK {
					shown = append(shown, pageOf(pods[i].Namespace, pods[i].Name, envoy.SecretsPath, secretsPage(m.Value)))
				}
			}
		})
		both.Wait()
		return append(said, shown...), nil
	})
	out := map[string][]podaccess.Answer{}
	for name, a := range answers {
		out[name] = a.Value
	}
	return out
}

// pageOf is a page as JSON.
func pageOf(namespace, pod, path string, page any) podaccess.Answer {
	text, err := json.Marshal(page)
	if err != nil {
		text = nil // cannot be: it is made of strings
	}
	return podaccess.Answer{Namespace: namespace, Pod: pod, Path: path, Text: text}
}

// Pages are the debug pages of a replica of istiod, in a namespace, that give again what it said.
func Pages(namespace string, v facts.IstiodView) []podaccess.Answer {
	var out []podaccess.Answer
	add := func(state facts.State, page string, content any) {
		if state == facts.OK {
			out = append(out, pageOf(namespace, v.Pod, "/debug/"+page, content))
		}
	}
	add(v.Clusters.State, "clusterz", append([]facts.ClusterState{}, v.Clusters.Value...))
	add(v.Shards.State, "endpointShardz", shardsPage(v.Shards.Value))
	add(v.Proxies.State, "syncz", proxiesPage(v.Proxies.Value))
	add(v.Gateways.State, "ambientz", ambientPage(v.Gateways.Value))
	add(v.Networks.State, "networkz", append([]facts.NetworkGateway{}, v.Networks.Value...))
	return out
}

// endpointEntry, shardsEntry and the others are what is kept of pages, as parseShards and the others
// read them.
type (
	endpointEntry struct {
		Addresses []string
		NodeName  string `json:",omitempty"`
	}
	shardsEntry   struct{ Shards map[string][]endpointEntry }
	rejectedEntry struct {
		LastError string `json:"lastError"`
	}
	proxyEntry struct {
		Cluster   string                   `json:"cluster_id"`
		Proxy     string                   `json:"proxy"`
		Version   string                   `json:"istio_version,omitempty"`
		Resources map[string]rejectedEntry `json:"resources,omitempty"`
	}
	workloadEntry struct {
		UID string `json:"uid"`
	}
)

// shardsPage is /debug/endpointShardz. A cluster without an endpoint has a service without any.
func shardsPage(shards map[string]facts.Addresses) map[string]map[string]shardsEntry {
	out := map[string]map[string]shardsEntry{}
	at := func(namespace, name, id string) *shardsEntry {
		if out[name] == nil {
			out[name] = map[string]shardsEntry{}
		}
		if out[name][namespace].Shards == nil {
			out[name][namespace] = shardsEntry{Shards: map[string][]endpointEntry{}}
		}
		entry := out[name][namespace]
		if entry.Shards["Kubernetes/"+id] == nil {
			entry.Shards["Kubernetes/"+id] = []endpointEntry{}
		}
		return &entry
	}
	for id, services := range shards {
		at("", "", id)
		for service, addresses := range services {
			namespace, name, _ := strings.Cut(service, "/")
			entry := at(namespace, name, id)
			for address, counts := range addresses {
				e := endpointEntry{Addresses: []string{address}}
				if counts {
					e.NodeName = "node"
				}
				entry.Shards["Kubernetes/"+id] = append(entry.Shards["Kubernetes/"+id], e)
			}
			slices.SortFunc(entry.Shards["Kubernetes/"+id], func(a, b endpointEntry) int {
				return strings.Compare(a.Addresses[0], b.Addresses[0])
			})
		}
	}
	return out
}

// proxiesPage is /debug/syncz.
func proxiesPage(proxies []facts.ConnectedProxy) []proxyEntry {
	out := []proxyEntry{}
	for _, p := range proxies {
		entry := proxyEntry{Cluster: p.Cluster, Proxy: p.Pod + "." + p.Namespace, Version: p.Version}
		for _, r := range p.Rejected {
			if entry.Resources == nil {
				entry.Resources = map[string]rejectedEntry{}
			}
			entry.Resources[r.Type] = rejectedEntry{r.Error}
		}
		out = append(out, entry)
	}
	return out
}

// ambientPage is /debug/ambientz.
func ambientPage(gateways []facts.NetworkAddress) map[string][]workloadEntry {
	out := []workloadEntry{}
	for _, g := range gateways {
		out = append(out, workloadEntry{gatewayUID + g.Network + "/" + g.Address + "/0"})
	}
	return map[string][]workloadEntry{"workloads": out}
}

// secretsPage is what a proxy says of its certificates.
func secretsPage(m facts.Material) any {
	type data map[string]any
	inline := func(text []byte) data { return data{"inline_bytes": pki.Redact(text)} }
	return data{"configs": []data{
		{"name": "default", "secret": data{"tls_certificate": data{"certificate_chain": inline(m.Chain)}}},
		{"name": "ROOTCA", "secret": data{"validation_context": data{"trusted_ca": inline(m.Roots)}}},
	}}
}
