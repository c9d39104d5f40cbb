package bed

import (
	"context"
	"encoding/json"
	"fmt"
)

// ClusterState is what a control plane says of a cluster in /debug/clusterz.
type ClusterState struct {
	ID string `json:"id"`
	// Secret is the remote secret, as namespace/name; empty for its own cluster.
	Secret string `json:"secretName"`
	// Status is synced, syncing, timeout or closed.
	Status string `json:"syncStatus"`
}

// Clusters are the clusters that the control plane knows, by ID. More than one
// may have the same ID.
func (i *Istiod) Clusters(ctx context.Context) ([]ClusterState, error) {
	var states []ClusterState
	return states, i.debugJSON(ctx, "/debug/clusterz", &states)
}

// NetworkGateway is what a control plane says of a gateway in /debug/networkz.
type NetworkGateway struct {
	Network string `json:"Network"`
	Cluster string `json:"Cluster"`
	Addr    string `json:"Addr"`
	Port    uint32 `json:"Port"`
	HBONE   uint32 `json:"HBONEPort"`
	Account struct {
		Namespace string `json:"Namespace"`
		Name      string `json:"Name"`
	} `json:"ServiceAccount"`
}

// Gateways are the gateways of networks that the control plane knows.
func (i *Istiod) Gateways(ctx context.Context) ([]NetworkGateway, error) {
	var gateways []NetworkGateway
	return gateways, i.debugJSON(ctx, "/debug/networkz", &gateways)
}

// debugJSON decodes what a debug endpoint says.
func (i *Istiod) debugJSON(ctx context.Context, path string, into any) error {
	body, err := i.Debug(ctx, path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("read what istiod of %s says to %s: %w", i.cluster.name, path, err)
	}
	return nil
}
