package facts

import (
	"slices"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/owner"
)

// Access is how the kubeconfig of a remote secret reaches its cluster and whom it
// speaks for: what is public of it, and of what is secret the kind alone.
type Access struct {
	// Kind is the way to authenticate: token, client certificate, password, exec
	// and the like; "none" where there is none, "" where it is not known.
	Kind string `json:"kind,omitempty"`
	// Token is what the token claims; nil where it is none that says anything.
	Token *TokenClaims `json:"token,omitempty"`
	// CertificateEnds is when the client certificate expires; zero without one.
	CertificateEnds time.Time `json:"certificateEnds,omitzero"`
	// CA are the SHA-256 fingerprints of the certificates that the server has to be
	// signed by, lower-case hexadecimal.
	CA []string `json:"ca,omitempty"`
	// Insecure: the server's certificate is not checked.
	Insecure bool `json:"insecure,omitempty"`
	// ServerName is the name that the server's certificate has to be for, where it
	// is not that of the address.
	ServerName string `json:"serverName,omitempty"`
	// Proxy: requests go through a proxy that the kubeconfig names.
	Proxy bool `json:"proxy,omitempty"`
	// Created is when the Secret was made; zero where that is not known.
	Created time.Time `json:"created,omitzero"`
}

// TokenClaims are the claims of a JSON web token, whose signature nobody has looked at.
type TokenClaims struct {
	Subject string `json:"subject,omitempty"`
	Issuer  string `json:"issuer,omitempty"`
	// IssuedAt and Expires are zero where the token does not say.
	IssuedAt time.Time `json:"issuedAt,omitzero"`
	Expires  time.Time `json:"expires,omitzero"`
	// AccountUID is the uid of the service account, which no other cluster has.
	AccountUID string `json:"accountUID,omitempty"`
	// Secret is the Secret of the service account that the token is from; "" for
	// one that was not made for a Secret.
	Secret string `json:"secret,omitempty"`
}

// LooseSecret is a Secret that is meant to be a remote secret and may be none: of
// it only the metadata is read.
type LooseSecret struct {
	Namespace, Name string
	// Labelled says whether it has label istio/multiCluster, and Label its value.
	Labelled bool
	Label    string
	// Cluster is the cluster ID in annotation networking.istio.io/cluster.
	Cluster string
	// Owner is who writes the Secret, where it is a tool.
	Owner owner.Owner
}

// SecretKey names one data key of a remote secret.
type SecretKey struct {
	// Context is that of the cluster in which the Secret is.
	Context         string
	Namespace, Name string
	// ClusterID is the data key.
	ClusterID string
}

// Seen is what was asked after the survey about remote secrets: of the clusters to
// which they lead, and of the control planes that read them. The zero Seen means that
// nothing was asked.
type Seen struct {
	// NotAsked says why nothing was asked; "" where it was.
	NotAsked string
	// Sides are what clusters say of the identities in remote secrets, by context.
	Sides map[string]Read[RemoteSide]
	// Reviews are what the API servers say of the tokens and of their own certificates.
	Reviews map[SecretKey]Review
	// Istiods are the control planes' own views, by the context of their cluster.
	Istiods map[string]Read[[]IstiodView]
	// Connected is what became of trying credentials; nil where none was tried.
	Connected map[SecretKey]Connected
	// Again are the control planes' views and the EndpointSlices some seconds later,
	// where they differed; nil where that was not needed.
	Again *Later
}

// Later is a second look.
type Later struct {
	Istiods map[string]Read[[]IstiodView]
	// Slices are the addresses of Services by context.
	Slices map[string]Read[Addresses]
	// Gateways are what was read by context of what makes gateways: those of the Gateway API, where
	// control planes are asked for what they tell ambient workloads, and Services, namespaces and nodes
	// too, where they do not have the gateways that clusters have.
	Gateways map[string]Cluster
	// Pods are those that no control plane was connected to, as namespace/name by context,
	// and whether they are still there.
	Pods map[string]map[string]bool
	// Refusals are how often replicas of istiod refused proxies, by context; nil where nobody asked.
	Refusals map[string]Read[[]Refusals]
}

// Refusals are how often a replica of istiod has refused to sign for proxies since it started, at
// the beginning of the second look and at its end.
type Refusals struct {
	Pod           string
	Before, After RefusalCount
}

// RefusalCount counts refusals: of callers whose credentials istiod does not take, and of certificates
// that it could not sign.
type RefusalCount struct{ Unauthenticated, Unsigned int64 }

// Last are the control planes' own views as they were seen last.
func (s Seen) Last() map[string]Read[[]IstiodView] {
	if s.Again == nil {
		return s.Istiods
	}
	out := map[string]Read[[]IstiodView]{}
	for context, first := range s.Istiods {
		views := slices.Clone(first.Value)
		for i := range views {
			for _, later := range s.Again.Istiods[context].Value {
				if later.Pod == views[i].Pod && later.Clusters.State == OK {
					views[i] = later
				}
			}
		}
		first.Value = views
		out[context] = first
	}
	return out
}

// Addresses are those of the endpoints of Services, by namespace/name. The value is
// true for those that count: pods on a node that are ready.
type Addresses map[string]map[string]bool

// Add puts an address in.
func (a Addresses) Add(service, address string, counts bool) {
	if a[service] == nil {
		a[service] = map[string]bool{}
	}
	a[service][address] = a[service][address] || counts
}

// AddressesOf are those of EndpointSlices.
func AddressesOf(slices []discoveryv1.EndpointSlice) Addresses {
	out := Addresses{}
	for i := range slices {
		s := &slices[i]
		name := s.Labels[discoveryv1.LabelServiceName]
		if name == "" || s.AddressType == discoveryv1.AddressTypeFQDN || len(s.Ports) == 0 {
			continue
		}
		for _, e := range s.Endpoints {
			ready := e.Conditions.Ready == nil || *e.Conditions.Ready
			pod := e.TargetRef != nil && e.TargetRef.Kind == "Pod"
			for _, address := range e.Addresses {
				out.Add(s.Namespace+"/"+name, address, ready && pod)
			}
		}
	}
	return out
}

// RemoteSide is what a cluster says of those who read it from elsewhere.
type RemoteSide struct {
	// UID of namespace kube-system, which is the cluster's identity.
	UID Read[string]
	// Accounts are the service accounts in remote secrets, by their user name.
	Accounts map[string]Account
}

// Account is a service account that a remote secret speaks for.
type Account struct {
	// UID of the service account.
	UID Read[string]
	// TokenSecrets are Secrets that tokens are from, by name.
	TokenSecrets map[string]Read[TokenSecret]
	// Rights are the answers to what it may do.
	Rights Read[[]Right]
	// ByRoles: the rights were read from the roles bound to it, and not asked for.
	ByRoles bool
}

// TokenSecret is the Secret of a service account's token, without the token.
type TokenSecret struct {
	AccountUID string
	// InvalidSince is the label that Kubernetes' cleaner of old tokens sets; "" for none.
	InvalidSince string
}

// Right is one thing that an identity may do, or not.
type Right struct {
	Group, Resource, Verb string
	Allowed               bool
}

// Name is the resource with its group, as kubectl has it.
func (r Right) Name() string {
	if r.Group == "" {
		return r.Resource
	}
	return r.Resource + "." + r.Group
}

// Review is what an API server says of the token of a remote secret.
type Review struct {
	// Token says whether the token was reviewed, and the user name that it is for;
	// "" where the API server does not accept it, for the reason in Refused.
	Token   Read[string]
	Refused string
	// Chain says whether the server's certificate is signed by the CA in the
	// kubeconfig and for its address: "" where it is, else why not. It is not asked
	// where the connection did not show it.
	Chain Read[string]
}

// Connected is what became of trying a credential from this machine, against the
// server in the kubeconfig.
type Connected struct {
	Outcome ConnectOutcome
	// Reason is one sentence, fit to be shown; "" where all went well.
	Reason string
	// UID of namespace kube-system, where it could be read.
	UID string
	// User is whom the server takes the credential for; "" where it does not say.
	User string
}

// ConnectOutcome is how the try of a credential ended.
type ConnectOutcome string

// The ends of a try. What this machine does not reach istiod may: the last three say
// nothing of the secret.
const (
	ConnectAccepted   ConnectOutcome = "accepted"
	ConnectRefused    ConnectOutcome = "refused"     // 401
	ConnectUntrusted  ConnectOutcome = "untrusted"   // the server's certificate does not verify
	ConnectNotReached ConnectOutcome = "not-reached" // from this machine
	ConnectNotTried   ConnectOutcome = "not-tried"   // what is in the kubeconfig is not used
	ConnectOther      ConnectOutcome = "other"       // something answers, and not as an API server
)

// IstiodView is what one replica of a control plane says of itself.
type IstiodView struct {
	Pod string
	// Clusters is /debug/clusterz.
	Clusters Read[[]ClusterState]
	// Shards is /debug/endpointShardz: by cluster ID the addresses of the pods of
	// Services, by namespace/name.
	Shards Read[map[string]Addresses]
	// Gateways are those to other networks of which it tells ambient workloads, in
	// /debug/ambientz; only where it knows of ambient mode across networks.
	Gateways Read[[]NetworkAddress]
	// Proxies is /debug/syncz: those that are connected to the replica.
	Proxies Read[[]ConnectedProxy]
	// Networks is /debug/networkz: the gateways of networks that it has, host names resolved.
	Networks Read[[]NetworkGateway]
}

// NetworkGateway is an entry of /debug/networkz.
type NetworkGateway struct {
	Network string
	// Cluster is the ID of the cluster that has the gateway; "" where meshNetworks give an address.
	Cluster string
	Address string `json:"Addr"`
	// Port takes mutual TLS of sidecars, HBONEPort that of ambient proxies; 0 for neither.
	Port      uint32
	HBONEPort uint32 `json:",omitempty"`
}

// NetworkAddress is an IP address or host name at which a network is reached.
type NetworkAddress struct{ Network, Address string }

// ConnectedProxy is an entry of /debug/syncz. Cluster is the ID that the proxy gives.
type ConnectedProxy struct {
	Cluster, Namespace, Pod string
	// Version is the release of its agent, as it says; "" where it does not.
	Version string
	// Rejected is what it does not accept of what it was sent last; nil for most.
	Rejected []Rejection
}

// Rejection is that a proxy does not accept what it is sent, and goes on with what it had.
type Rejection struct {
	// Type is the short name of the kind of configuration: "Listener", "Cluster".
	Type string
	// Error is what the proxy says, in a line.
	Error string
}

// ClusterState is an entry of /debug/clusterz.
type ClusterState struct {
	ID     string `json:"id"`
	Secret string `json:"secretName"` // namespace/name; "" for the control plane's own cluster
	Status string `json:"syncStatus"`
}
