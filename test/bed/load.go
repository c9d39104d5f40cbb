package bed

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubectl-mesh/kubectl-mesh/test/bed/topology"
)

// StartScenario is Start for the clusters of a scenario, given by its name or as the
// path of a folder, beside those of the configuration. It returns when they hold
// the manifests of the scenario. If the scenario is a topology, its mesh runs in
// the fleet, and there may be folders of manifests or not.
func StartScenario(ctx context.Context, nameOrDir string, config Config) (*Fleet, error) {
	dir, err := ScenarioDir(ctx, nameOrDir)
	if err != nil {
		return nil, err
	}
	t, isTopology, err := topology.Load(dir)
	if err != nil {
		return nil, err
	}
	manifests, err := LoadManifests(dir)
	if isTopology && errors.Is(err, errNoClusters) {
		return StartTopology(ctx, t, config)
	}
	if err != nil {
		return nil, err
	}
	names := slices.AppendSeq(slices.Clone(config.Clusters), maps.Keys(manifests))
	slices.Sort(names)
	config.Clusters = slices.Compact(names)
	start := Start
	if isTopology {
		start = func(ctx context.Context, config Config) (*Fleet, error) { return StartTopology(ctx, t, config) }
	}
	fleet, err := start(ctx, config)
	if err != nil {
		return nil, err
	}
	if err := fleet.Load(ctx, manifests); err != nil {
		return nil, errors.Join(err, fleet.Stop())
	}
	return fleet, nil
}

// Load puts the manifests of a scenario, by cluster as LoadManifests returns
// them, into the clusters of the fleet. Where the manifests name an API server,
// in a remote secret for instance, they say https://CLUSTER.bed.invalid, which
// gives way to the address that the cluster has this time.
func (f *Fleet) Load(ctx context.Context, manifests map[string][]*unstructured.Unstructured) error {
	var addresses []string
	for _, cluster := range f.clusters {
		addresses = append(addresses, "https://"+cluster.name+".bed.invalid", cluster.URL())
	}
	addressed := strings.NewReplacer(addresses...)
	for name := range manifests {
		if f.Cluster(name) == nil {
			return fmt.Errorf("the scenario has a cluster %s, and the fleet has not", name)
		}
	}
	return inParallel(len(f.clusters), f.clusters, func(cluster *Cluster) error {
		var objects []runtime.Object
		for _, object := range manifests[cluster.name] {
			content := replaceStrings(object.Object, addressed)
			objects = append(objects, &unstructured.Unstructured{Object: content.(map[string]any)})
		}
		return cluster.Apply(ctx, objects...)
	})
}

// replaceStrings returns a copy of a JSON value with all its strings replaced.
func replaceStrings(value any, by *strings.Replacer) any {
	switch v := value.(type) {
	case string:
		return by.Replace(v)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = replaceStrings(v[i], by)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for key := range v {
			out[key] = replaceStrings(v[key], by)
		}
		return out
	default:
		return v
	}
}
