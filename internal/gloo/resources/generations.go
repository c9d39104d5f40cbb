package resources

import (
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
)

// Row is a row of custom resources.
type Row = *resource.Row[[]api.Object]

// Generation is what releases of Gloo Mesh have in common: in which groups their kinds are, and at
// which paths the fields.
type Generation struct {
	// Name is what people call the product.
	Name string
	// Networking, Discovery and Certificates are the groups of what people write, of what was
	// discovered, and of certificates.
	Networking, Discovery, Certificates string
	// Namespace is the usual one of the installation.
	Namespace string
	// Planes are the Deployments of a management plane: each list is all that there is of one.
	Planes [][]string
	// Pulls: the management plane reaches its clusters by kubeconfigs. Agents of others connect to it.
	Pulls bool

	// Clusters are the registrations of clusters.
	Clusters Row
	// Meshes are the control planes that were discovered.
	Meshes Row
	// VirtualMeshes group them; nil where that is done otherwise.
	VirtualMeshes Row
	// Targets are the services that were discovered, in each of the kinds that releases have for them.
	Targets []Row
	// Policies are what people write besides. Of Further, which are kinds of the commercial product, the errors count that
	// they have, and no more: which parts of their statuses are always written is not known.
	Policies, Further []Row
	// Settings are what the management plane is told itself; nil where there is none.
	Settings Row
	// IssuedCertificates, Requests and Bounces are what agents make secrets cacerts by.
	IssuedCertificates, Requests, Bounces Row

	// Installation is the path, in the spec of a mesh, to where it was found, TrustDomain to that, and
	// AgentNamespace and AgentVersion to what is known of the agent.
	Installation, TrustDomain, AgentNamespace, AgentVersion []string
	// DNSProxying is the path to whether proxies of a mesh resolve names themselves; nil where no release says it.
	DNSProxying []string
	// TargetStates are the names of the maps, in the status of a policy, with a state for each target.
	TargetStates []string
	// Approval is the path, in the status of a kind of Further, to its state and a message; nil where these are in the status itself.
	Approval []string
}

// Generations are those of which there are fields to read. Releases before 0.7 have other kinds.
var Generations = []*Generation{{
	Name: "Service Mesh Hub", Namespace: "service-mesh-hub",
	Networking: "networking." + api.HubDomain, Discovery: "discovery." + api.HubDomain, Certificates: "certificates." + api.HubDomain,
	Planes: [][]string{{Discovery, Networking}}, Pulls: true,
	Clusters: KubernetesClusters, Meshes: HubMeshes, VirtualMeshes: HubVirtualMeshes, Targets: []Row{HubTrafficTargets},
	Policies: []Row{HubTrafficPolicies, HubAccessPolicies, HubFailoverServices}, Settings: HubSettings,
	IssuedCertificates: HubIssuedCertificates, Requests: HubCertificateRequests, Bounces: HubPodBounceDirectives,
	Installation: []string{"istio", "installation"}, TrustDomain: []string{"istio", "citadelInfo", "trustDomain"},
	AgentNamespace: []string{"agentInfo", "agentNamespace"}, TargetStates: []string{"trafficTargets"},
}, {
	Name: "Gloo Mesh", Namespace: "gloo-mesh",
	Networking: "networking." + api.MeshDomain, Discovery: "discovery." + api.MeshDomain, Certificates: "certificates." + api.MeshDomain,
	Planes: [][]string{{Discovery, Networking}, {EnterpriseNetworking}}, Pulls: true,
	Clusters: KubernetesClusters, Meshes: Meshes, VirtualMeshes: VirtualMeshes, Targets: []Row{Destinations, TrafficTargets},
	Policies: []Row{TrafficPolicies, AccessPolicies, FailoverServices, VirtualDestinations}, Settings: Settings,
	Further:            []Row{WasmDeployments, ServiceDependencies, AccessLogRecords, VirtualGateways, VirtualHosts, RouteTables},
	IssuedCertificates: IssuedCertificates, Requests: CertificateRequests, Bounces: PodBounceDirectives,
	Installation: []string{"istio", "installation"}, TrustDomain: []string{"istio", "trustDomain"},
	AgentNamespace: []string{"agentInfo", "agentNamespace"}, TargetStates: []string{"destinations", "trafficTargets"}, // the second up to 0.12
	DNSProxying: []string{"istio", "smartDnsProxyingEnabled"},
}, {
	Name: "Gloo Mesh Enterprise", Namespace: "gloo-mesh",
	Networking: api.AdminGroup, Discovery: api.InternalGroup, Certificates: api.InternalGroup,
	Planes:   [][]string{{ManagementServer}},
	Clusters: CommercialClusters, Meshes: CommercialMeshes, Policies: []Row{RootTrustPolicies}, Further: []Row{CommercialClusters},
	Approval:           []string{"common", "State"},
	IssuedCertificates: CommercialIssuedCertificates, Bounces: CommercialPodBounceDirectives,
	Installation: []string{"installation"}, TrustDomain: []string{"trustDomain"},
	AgentNamespace: []string{"agentInfo", "namespace"}, AgentVersion: []string{"agentInfo", "version"},
}}

// Names of Deployments, which are the values of their label app also.
const (
	Discovery            = "discovery"
	Networking           = "networking"
	EnterpriseNetworking = "enterprise-networking"
	ManagementServer     = "gloo-mesh-mgmt-server"
	CertAgent            = "cert-agent"
	EnterpriseAgent      = "enterprise-agent"
	CommercialAgent      = "gloo-mesh-agent"
)

// Agents are the Deployments that work for a management plane in each cluster.
var Agents = []string{CertAgent, EnterpriseAgent, CommercialAgent}

// OwnerLabel is what a management plane puts on what it writes to clusters, with its own namespace
// as the value.
func (g *Generation) OwnerLabel() string { return "owner." + g.Networking }

// AgentLabel is what an agent puts on what it writes, with its own namespace as the value.
func (g *Generation) AgentLabel() string { return "agent." + g.Certificates }

// LabelCluster is the name of the cluster that something was written to.
const LabelCluster = "cluster." + api.ClustersGroup

// Served are the versions in which a cluster serves a group; none where it does not.
func Served(c *facts.Cluster, group string) []string {
	var out []string
	for _, g := range Groups.Of(c).Value {
		if g.Name == group {
			for _, v := range g.Versions {
				out = append(out, v.Version)
			}
		}
	}
	return out
}

// rows are those of a generation, in the order of the table.
func (g *Generation) rows() []Row {
	return slices.Concat(g.Managing(), g.Issuing())
}

// Managing are the rows of what there is in a management cluster.
func (g *Generation) Managing() []Row {
	out := slices.Concat([]Row{g.Settings, g.Clusters, g.Meshes, g.VirtualMeshes}, g.Targets, g.Policies, g.Further)
	return slices.DeleteFunc(out, func(r Row) bool { return r == nil })
}

// Issuing are the rows of what there is in a cluster with an agent.
func (g *Generation) Issuing() []Row {
	out := []Row{g.IssuedCertificates, g.Requests, g.Bounces}
	return slices.DeleteFunc(out, func(r Row) bool { return r == nil })
}
