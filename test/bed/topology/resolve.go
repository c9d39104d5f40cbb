package topology

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// SystemNamespace is the namespace of the control planes.
const SystemNamespace = "istio-system"

// Resolve returns the topology with its defaults filled in: every cluster has
// what is everywhere, and every remote secret is listed.
func (t Topology) Resolve() (Topology, error) {
	if len(t.Clusters) == 0 {
		return t, errors.New("the topology has no clusters")
	}
	clusters := make([]Cluster, len(t.Clusters))
	for i, c := range t.Clusters {
		c.ID = cmp.Or(c.ID, c.Name)
		c.NamespaceNetwork = networkOr(c.NamespaceNetwork, c.Network)
		c.InjectedNetwork = networkOr(c.InjectedNetwork, c.Network)
		c.PodCIDR = cmp.Or(c.PodCIDR, fmt.Sprintf("10.%d.0.0/16", i+1))
		if c.MeshConfig == nil {
			c.MeshConfig = &t.MeshConfig
		}
		if c.MeshNetworks == nil {
			c.MeshNetworks = &t.MeshNetworks
		}
		c.Contents = t.Everywhere.with(c.Contents).withDefaults(c)
		if err := c.findNodes(); err != nil {
			return t, fmt.Errorf("cluster %s: %w", c.Name, err)
		}
		if err := c.findClasses(); err != nil {
			return t, fmt.Errorf("cluster %s: %w", c.Name, err)
		}
		clusters[i] = c
	}
	t.Clusters, t.Everywhere = clusters, Contents{}
	if err := t.findPrimaries(); err != nil {
		return t, err
	}
	return t, t.resolveSecrets()
}

// networkOr returns a network that may be given, left open or denied.
func networkOr(given, fallback string) string {
	switch given {
	case "":
		return fallback
	case "-":
		return ""
	default:
		return given
	}
}

// findNodes says which workload is on a node that the cluster has not.
func (c Cluster) findNodes() error {
	for _, w := range c.Workloads {
		if w.Node != "" && !slices.ContainsFunc(c.Nodes, func(n Node) bool { return n.Name == w.Node }) {
			return fmt.Errorf("workload %s/%s: there is no node %q", w.Namespace, w.Name, w.Node)
		}
	}
	return nil
}

// findClasses says what ambient mode lacks: nobody but the cluster's own istiod makes
// Services of Gateways with a class.
func (c Cluster) findClasses() error {
	if c.Ambient && c.RemoteOf != "" {
		return errors.New("an ambient cluster has an istiod of its own")
	}
	for _, g := range c.Gateways {
		if g.Class != "" && !c.Ambient {
			return fmt.Errorf("gateway %s/%s: only an ambient cluster has Gateways of class %s", g.Namespace, g.Name, g.Class)
		}
	}
	return nil
}

// findPrimaries finds the control plane of each remote cluster.
func (t Topology) findPrimaries() error {
	for i, c := range t.Clusters {
		if c.RemoteOf == "" {
			continue
		}
		switch primary, err := t.Cluster(c.RemoteOf); {
		case err != nil:
			return fmt.Errorf("cluster %s: its control plane: %w", c.Name, err)
		case primary.RemoteOf != "":
			return fmt.Errorf("cluster %s: its control plane %s is itself a remote cluster", c.Name, c.RemoteOf)
		default:
			t.Clusters[i].primaryID = primary.ID
		}
	}
	return nil
}

// Cluster returns the cluster of that name.
func (t Topology) Cluster(name string) (Cluster, error) {
	for _, c := range t.Clusters {
		if c.Name == name {
			return c, nil
		}
	}
	return Cluster{}, fmt.Errorf("there is no cluster %q in the topology", name)
}

// Names are the names of the clusters.
func (t Topology) Names() []string {
	names := make([]string, len(t.Clusters))
	for i, c := range t.Clusters {
		names[i] = c.Name
	}
	return names
}

// resolveSecrets lists the remote secrets with all that is known of each.
func (t *Topology) resolveSecrets() error {
	if t.RemoteSecrets == nil {
		t.RemoteSecrets = []RemoteSecret{}
		for _, in := range t.Clusters {
			for _, of := range t.Clusters {
				if in.RemoteOf == "" && of.Name != in.Name {
					t.RemoteSecrets = append(t.RemoteSecrets, RemoteSecret{In: in.Name, Of: of.Name})
				}
			}
		}
	}
	secrets := slices.Clone(t.RemoteSecrets)
	for i, secret := range secrets {
		if _, err := t.Cluster(secret.In); err != nil {
			return fmt.Errorf("remote secret %d: %w", i+1, err)
		}
		of, err := t.Cluster(secret.Of)
		if err != nil {
			return fmt.Errorf("remote secret %d: %w", i+1, err)
		}
		secrets[i].Key = cmp.Or(secret.Key, of.ID)
		secrets[i].Name = cmp.Or(secret.Name, "istio-remote-secret-"+secrets[i].Key)
	}
	t.RemoteSecrets = secrets
	return nil
}

// with returns the contents with those of a cluster: what is of the same name
// is the cluster's.
func (c Contents) with(own Contents) Contents {
	return Contents{
		Nodes:      merge(c.Nodes, own.Nodes, func(n Node) string { return n.Name }),
		Namespaces: merge(c.Namespaces, own.Namespaces, func(n Namespace) string { return n.Name }),
		Services:   merge(c.Services, own.Services, func(s Service) string { return s.Namespace + "/" + s.Name }),
		Gateways: merge(c.Gateways, own.Gateways, func(g Gateway) string {
			g = g.withDefaults(Cluster{})
			return g.Namespace + "/" + g.Name
		}),
		Workloads: merge(c.Workloads, own.Workloads, func(w Workload) string { return w.Namespace + "/" + w.Name }),
		Manifests: c.Manifests + "\n---\n" + own.Manifests,
	}
}

// merge returns the items of both lists, without those of the first that have
// the name of one of the second.
func merge[T any](all, own []T, name func(T) string) []T {
	replaced := map[string]bool{}
	for _, item := range own {
		replaced[name(item)] = true
	}
	kept := slices.DeleteFunc(slices.Clone(all), func(item T) bool { return replaced[name(item)] })
	return append(kept, own...)
}

// withDefaults returns the contents with their defaults filled in.
func (c Contents) withDefaults(cluster Cluster) Contents {
	c.Nodes, c.Services = slices.Clone(c.Nodes), slices.Clone(c.Services)
	c.Gateways, c.Workloads = slices.Clone(c.Gateways), slices.Clone(c.Workloads)
	if len(c.Nodes) == 0 {
		c.Nodes = []Node{{Name: cluster.Name + "-node-1"}}
	}
	for i := range c.Services {
		c.Services[i] = c.Services[i].withDefaults()
	}
	for i := range c.Gateways {
		c.Gateways[i] = c.Gateways[i].withDefaults(cluster)
	}
	for i := range c.Workloads {
		c.Workloads[i] = c.Workloads[i].withDefaults()
	}
	return c
}

func (s Service) withDefaults() Service {
	if s.Selector == nil {
		s.Selector = map[string]string{"app": s.Name}
	}
	if len(s.Ports) == 0 {
		s.Ports = []Port{{Name: "http", Port: 80, Target: 8080}}
	}
	return s
}

func (g Gateway) withDefaults(cluster Cluster) Gateway {
	g.Name = cmp.Or(g.Name, "istio-eastwestgateway")
	g.Namespace = cmp.Or(g.Namespace, SystemNamespace)
	g.Network = networkOr(g.Network, cluster.Network)
	g.Type = cmp.Or(g.Type, "LoadBalancer")
	if len(g.Ports) == 0 && g.Class != "" {
		g.Ports = []Port{{Name: "mesh", Port: hbonePort}}
	}
	if len(g.Ports) == 0 {
		g.Ports = []Port{
			{Name: "status-port", Port: 15021},
			{Name: "tls", Port: 15443},
			{Name: "tls-istiod", Port: 15012},
			{Name: "tls-webhook", Port: 15017},
		}
	}
	return g
}

func (w Workload) withDefaults() Workload {
	if w.Replicas == nil {
		one := int32(1)
		w.Replicas = &one
	}
	labels := map[string]string{"app": w.Name}
	maps.Copy(labels, w.Labels)
	if w.Uninjected {
		labels["sidecar.istio.io/inject"] = "false"
	}
	w.Labels = labels
	w.ServiceAccount = cmp.Or(w.ServiceAccount, "default")
	if len(w.Ports) == 0 {
		w.Ports = []int32{8080}
	}
	return w
}
