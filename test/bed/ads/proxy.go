package ads

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/types/known/structpb"
)

// What a proxy says of itself unless told otherwise.
const (
	DefaultType         = "sidecar"
	DefaultDomain       = "cluster.local"
	DefaultMeshID       = "cluster.local"
	DefaultAccount      = "default"
	DefaultIstioVersion = "1.31.0"
)

// Proxy is who connects: what an injected sidecar would say of itself. Istiod
// takes the labels and the locality of a pod that it knows from the API server,
// and those given here for one that it does not.
type Proxy struct {
	// Type is sidecar, or router for a gateway. The default is DefaultType.
	Type string

	// Pod, Namespace and IP are those of the pod. All are needed.
	Pod       string
	Namespace string
	IP        string

	// MoreIPs are further addresses of a dual-stack pod.
	MoreIPs []string

	// Domain is the DNS domain of the cluster, DefaultDomain by default.
	Domain string

	// Cluster is the cluster ID, as in istiod's CLUSTER_ID.
	Cluster string

	// Network is the network that injection gave the pod. Without one, istiod
	// sends everything on a network with gateways through those.
	Network string

	// Mesh is the mesh ID, DefaultMeshID by default.
	Mesh string

	// Labels are those of the pod.
	Labels map[string]string

	// ServiceAccount is DefaultAccount by default.
	ServiceAccount string

	// Workload is the name of the owner, by default that of the pod.
	Workload string

	// Node is the Kubernetes node. It decides about services whose internal
	// traffic stays on the node.
	Node string

	// Locality is region/zone/subzone; parts may be left out at the end.
	Locality string

	// IstioVersion is the proxy's version, DefaultIstioVersion by default.
	IstioVersion string

	// Metadata overrides and extends what is made of the fields above, as
	// ISTIO_META_ variables do.
	Metadata map[string]any
}

// ID is the name by which istiod knows the proxy.
func (p Proxy) ID() string {
	return strings.Join([]string{
		cmp.Or(p.Type, DefaultType), p.IP, p.Pod + "." + p.Namespace,
		p.Namespace + ".svc." + cmp.Or(p.Domain, DefaultDomain),
	}, "~")
}

// node is what the proxy says of itself in its first request.
func (p Proxy) node() (*corev3.Node, error) {
	if err := p.validate(); err != nil {
		return nil, err
	}
	metadata, err := structpb.NewStruct(p.metadata())
	if err != nil {
		return nil, fmt.Errorf("metadata of proxy %s: %w", p.ID(), err)
	}
	return &corev3.Node{
		Id:            p.ID(),
		Cluster:       cmp.Or(p.Workload, p.Pod) + "." + p.Namespace,
		Metadata:      metadata,
		Locality:      parseLocality(p.Locality),
		UserAgentName: "envoy",
	}, nil
}

// validate says what no proxy can do without.
func (p Proxy) validate() error {
	if p.Pod == "" || p.Namespace == "" {
		return errors.New("a proxy needs a pod and a namespace")
	}
	for _, ip := range append([]string{p.IP}, p.MoreIPs...) {
		if _, err := netip.ParseAddr(ip); err != nil {
			return fmt.Errorf("IP of proxy %s.%s: %w", p.Pod, p.Namespace, err)
		}
	}
	return nil
}

// metadata is the node metadata in the spelling of istiod.
func (p Proxy) metadata() map[string]any {
	labels := map[string]any{}
	for key, value := range p.Labels {
		labels[key] = value
	}
	metadata := map[string]any{
		"NAME":              p.Pod,
		"NAMESPACE":         p.Namespace,
		"INSTANCE_IPS":      strings.Join(append([]string{p.IP}, p.MoreIPs...), ","),
		"CLUSTER_ID":        p.Cluster,
		"NETWORK":           p.Network,
		"MESH_ID":           cmp.Or(p.Mesh, DefaultMeshID),
		"LABELS":            labels,
		"SERVICE_ACCOUNT":   cmp.Or(p.ServiceAccount, DefaultAccount),
		"WORKLOAD_NAME":     cmp.Or(p.Workload, p.Pod),
		"NODE_NAME":         p.Node,
		"ISTIO_VERSION":     cmp.Or(p.IstioVersion, DefaultIstioVersion),
		"INTERCEPTION_MODE": "REDIRECT",
	}
	maps.DeleteFunc(metadata, func(_ string, value any) bool { return value == "" })
	maps.Copy(metadata, p.Metadata)
	return metadata
}

// parseLocality reads region/zone/subzone.
func parseLocality(text string) *corev3.Locality {
	parts := append(strings.SplitN(text, "/", 3), "", "")
	return &corev3.Locality{Region: parts[0], Zone: parts[1], SubZone: parts[2]}
}

// formatLocality is the reverse of parseLocality.
func formatLocality(locality *corev3.Locality) string {
	text := locality.GetRegion() + "/" + locality.GetZone() + "/" + locality.GetSubZone()
	return strings.TrimRight(text, "/")
}
