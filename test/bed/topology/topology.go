package topology

// Topology is a fleet of clusters of one mesh.
type Topology struct {
	// MeshConfig is the mesh config of every control plane, in YAML.
	MeshConfig string `json:"meshConfig,omitempty"`
	// MeshNetworks is the meshNetworks of every control plane, in YAML.
	MeshNetworks string `json:"meshNetworks,omitempty"`
	// Hosts are the addresses of hostnames, of gateways for instance. There are no
	// others for the control planes.
	Hosts map[string][]string `json:"hosts,omitempty"`
	// Everywhere is what every cluster holds. What a cluster says of a namespace
	// or an object of the same name replaces it.
	Everywhere Contents `json:"everywhere,omitempty"`
	// Clusters are the clusters, each named like its kubeconfig context.
	Clusters []Cluster `json:"clusters"`
	// RemoteSecrets are the remote secrets. Nil means that every control plane
	// has one, as it should be, for every other cluster; an empty list means
	// that there are none.
	RemoteSecrets []RemoteSecret `json:"remoteSecrets"`
}

// Cluster is one cluster and its control plane.
type Cluster struct {
	// Name is the cluster's name in the fleet.
	Name string `json:"name"`
	// ID is the name that the mesh has for the cluster; by default Name.
	ID string `json:"id,omitempty"`
	// Network is the network of the cluster: the label of the system namespace,
	// and what the injector gives pods.
	Network string `json:"network,omitempty"`
	// NamespaceNetwork is the label of the system namespace where it differs
	// from Network; "-" means that there is none.
	NamespaceNetwork string `json:"namespaceNetwork,omitempty"`
	// InjectedNetwork is the network that the injector gives pods where it
	// differs from Network; "-" means that there is none.
	InjectedNetwork string `json:"injectedNetwork,omitempty"`
	// RemoteOf is the cluster whose istiod serves this one. By default the
	// cluster has an istiod of its own.
	RemoteOf string `json:"remoteOf,omitempty"`
	// PodCIDR is where pods have their addresses; by default 10.N.0.0/16 for the
	// Nth cluster.
	PodCIDR string `json:"podCIDR,omitempty"`
	// MeshConfig and MeshNetworks replace those of the topology.
	MeshConfig   *string `json:"meshConfig,omitempty"`
	MeshNetworks *string `json:"meshNetworks,omitempty"`
	// OwnRoot gives the cluster a root of its own; by default all clusters have
	// an intermediate certificate of the same root.
	OwnRoot bool `json:"ownRoot,omitempty"`
	// Ambient has the cluster know the Gateway API, and its istiod ambient mode across
	// networks, and puts a ztunnel on each node. Namespaces say with their labels
	// whether their pods are in ambient mode.
	Ambient bool `json:"ambient,omitempty"`
	// Env is added to the environment of the cluster's istiod.
	Env map[string]string `json:"env,omitempty"`

	Contents `json:",inline"`

	// primaryID is the ID of RemoteOf.
	primaryID string
}

// Contents is what a cluster holds.
type Contents struct {
	// Nodes are the nodes; a cluster without any gets one.
	Nodes []Node `json:"nodes,omitempty"`
	// Namespaces need to be given only if they have labels or annotations.
	Namespaces []Namespace `json:"namespaces,omitempty"`
	Services   []Service   `json:"services,omitempty"`
	Gateways   []Gateway   `json:"gateways,omitempty"`
	Workloads  []Workload  `json:"workloads,omitempty"`
	// Manifests are objects of any kind, in YAML of one or more documents:
	// policies, mostly.
	Manifests string `json:"manifests,omitempty"`
}

// Node is a node.
type Node struct {
	Name   string `json:"name"`
	Region string `json:"region,omitempty"`
	Zone   string `json:"zone,omitempty"`
	// ExternalIP is an address at which a NodePort can be reached from outside.
	ExternalIP string            `json:"externalIP,omitempty"`
	Labels     map[string]string `json:"labels,omitempty"`
}

// Namespace is a namespace. Injection is a matter of its labels.
type Namespace struct {
	Name        string            `json:"name"`
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// Port is a port of a service.
type Port struct {
	Name string `json:"name,omitempty"`
	Port int32  `json:"port"`
	// Target is the port of the pods; by default Port.
	Target      int32  `json:"target,omitempty"`
	NodePort    int32  `json:"nodePort,omitempty"`
	Protocol    string `json:"protocol,omitempty"`
	AppProtocol string `json:"appProtocol,omitempty"`
}

// Service is a service.
type Service struct {
	Namespace   string            `json:"namespace"`
	Name        string            `json:"name"`
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
	// Selector is by default app: Name, as workloads are labelled.
	Selector map[string]string `json:"selector,omitempty"`
	// Ports are by default one: http, 80 to 8080.
	Ports    []Port `json:"ports,omitempty"`
	Headless bool   `json:"headless,omitempty"`
	// Type is by default ClusterIP.
	Type string `json:"type,omitempty"`
	// IPs and Hostnames are the addresses that its load balancer has been given.
	IPs         []string `json:"ips,omitempty"`
	Hostnames   []string `json:"hostnames,omitempty"`
	ExternalIPs []string `json:"externalIPs,omitempty"`
	// NotReadyToo publishes addresses of pods that are not ready.
	NotReadyToo bool `json:"notReadyToo,omitempty"`
}

// Gateway is an east-west gateway: a Service and its pod, and the Gateway
// resource that lets other networks' requests pass.
type Gateway struct {
	// Name is by default istio-eastwestgateway.
	Name string `json:"name,omitempty"`
	// Namespace is by default istio-system.
	Namespace string `json:"namespace,omitempty"`
	// Class makes it a Gateway of the Gateway API, such as istio-east-west or istio-waypoint,
	// of which the istiod of an ambient cluster makes the Service and the Deployment. All that
	// is said of the Service is then of that one.
	Class string `json:"class,omitempty"`
	// Network is the label topology.istio.io/network of the Service; by default
	// the network of the cluster. "-" means that there is none.
	Network string `json:"network,omitempty"`
	// Labels are more labels of the Service, such as networking.istio.io/gatewayPort.
	Labels map[string]string `json:"labels,omitempty"`
	// Annotations are annotations of the Service, such as traffic.istio.io/nodeSelector.
	Annotations map[string]string `json:"annotations,omitempty"`
	// Type is by default LoadBalancer.
	Type string `json:"type,omitempty"`
	// IPs and Hostnames are the addresses that its load balancer has been given.
	// A load balancer without any is pending.
	IPs         []string `json:"ips,omitempty"`
	Hostnames   []string `json:"hostnames,omitempty"`
	ExternalIPs []string `json:"externalIPs,omitempty"`
	// Ports are by default 15021, 15443, 15012 and 15017; of a Gateway with a class they
	// are listeners for HBONE, by default one at 15008.
	Ports []Port `json:"ports,omitempty"`
	// Alone leaves out the pod and the Gateway resource.
	Alone bool `json:"alone,omitempty"`
}

// Workload is one or more pods of the same kind, and their Deployment.
type Workload struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// Labels are the labels of the pods beside app: Name.
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
	// Replicas is by default 1.
	Replicas *int32 `json:"replicas,omitempty"`
	// Node is the node of all pods. By default pods take turns.
	Node           string `json:"node,omitempty"`
	ServiceAccount string `json:"serviceAccount,omitempty"`
	// Relabel changes labels of the pods after their injection, as if they had
	// been injected otherwise; an empty value takes a label away.
	Relabel map[string]string `json:"relabel,omitempty"`
	// Uninjected keeps the injector away from the pods.
	Uninjected bool `json:"uninjected,omitempty"`
	// NotReady keeps the pods from becoming ready.
	NotReady bool `json:"notReady,omitempty"`
	// Ports are the container's ports; by default 8080.
	Ports []int32 `json:"ports,omitempty"`
	// Router makes its only container the proxy of a gateway, as the chart of Istio's
	// gateways does. A Gateway has one of its own.
	Router bool `json:"router,omitempty"`

	// made is whether a control plane makes its Deployment.
	made bool
}

// RemoteSecret is a remote secret.
type RemoteSecret struct {
	// In is the cluster that holds the secret, Of the one that it leads to.
	In string `json:"in"`
	Of string `json:"of"`
	// Key is the cluster ID that the secret says; by default that of Of.
	Key string `json:"key,omitempty"`
	// Name is by default istio-remote-secret-KEY.
	Name string `json:"name,omitempty"`
	// Server is another URL than that of the API server: one that refuses
	// connections, for instance. Token is another token, CA another bundle of
	// certificates, in PEM.
	Server string `json:"server,omitempty"`
	Token  string `json:"token,omitempty"`
	CA     string `json:"ca,omitempty"`
}

// Broken reports whether the secret cannot work.
func (r RemoteSecret) Broken() bool { return r.Server != "" || r.Token != "" || r.CA != "" }
