package resources

// Names that Linkerd gives to objects and puts into their metadata (pkg/k8s/labels.go of linkerd2).
const (
	// ConfigMapConfig is what an installation was made of, ConfigMapRoots what proxies trust.
	ConfigMapConfig = "linkerd-config"
	ConfigMapRoots  = "linkerd-identity-trust-roots"
	KeyValues       = "values"
	KeyRoots        = "ca-bundle.crt"
	// SecretIssuer is the certificate that signs those of the proxies.
	SecretIssuer = "linkerd-identity-issuer"
	// TypeCredentials is the type of the Secrets with the kubeconfig of another cluster.
	TypeCredentials   = "mirror.linkerd.io/remote-kubeconfig"
	PrefixCredentials = "cluster-credentials-"

	LabelControlPlane     = "linkerd.io/is-control-plane"
	LabelComponent        = "linkerd.io/control-plane-component"
	LabelControlPlaneNS   = "linkerd.io/control-plane-ns"
	LabelExtension        = "linkerd.io/extension"
	ExtensionMulticluster = "multicluster"

	AnnotationInject       = "linkerd.io/inject"
	AnnotationProxyVersion = "linkerd.io/proxy-version"
	AnnotationCreatedBy    = "linkerd.io/created-by"
	// AnnotationProxyChosen keeps the proxies of a workload at a version, whatever that of the control plane.
	AnnotationProxyChosen = "config.linkerd.io/proxy-version"
	// AnnotationInboundPolicy says who comes in at ports of a pod that no Server is about,
	// AnnotationRequireIdentity at which of these only meshed clients do, and AnnotationSkipInbound which ports
	// are not led to its proxy.
	AnnotationInboundPolicy   = "config.linkerd.io/default-inbound-policy"
	AnnotationRequireIdentity = "config.linkerd.io/proxy-require-identity-inbound-ports"
	AnnotationSkipInbound     = "config.linkerd.io/skip-inbound-ports"

	LabelExported        = "mirror.linkerd.io/exported"
	LabelFederated       = "mirror.linkerd.io/federated"
	LabelMirrored        = "mirror.linkerd.io/mirrored-service"
	LabelCluster         = "mirror.linkerd.io/cluster-name"
	LabelHeadlessMirror  = "mirror.linkerd.io/headless-mirror-svc-name"
	LabelMirroredGateway = "mirror.linkerd.io/mirrored-gateway"
	LabelRemoteDiscovery = "multicluster.linkerd.io/remote-discovery"
	LabelRemoteService   = "multicluster.linkerd.io/remote-service"

	AnnotationRemoteDiscovery = "multicluster.linkerd.io/remote-discovery"
	AnnotationLocalDiscovery  = "multicluster.linkerd.io/local-discovery"
	AnnotationGateway         = "mirror.linkerd.io/multicluster-gateway"
	AnnotationGatewayIdentity = "mirror.linkerd.io/gateway-identity"
	AnnotationRemoteIdentity  = "mirror.linkerd.io/remote-gateway-identity"
	AnnotationRemoteName      = "mirror.linkerd.io/remote-svc-fq-name"

	// LabelCredentials and the two annotations are what the destination controller wants of
	// a Secret with credentials.
	LabelCredentials        = "multicluster.linkerd.io/cluster-name"
	AnnotationTrustDomain   = "multicluster.linkerd.io/trust-domain"
	AnnotationClusterDomain = "multicluster.linkerd.io/cluster-domain"

	LabelSkipMirror = "endpointslice.kubernetes.io/skip-mirror"
)

// Names of containers, variables and ports.
const (
	ProxyContainer       = "linkerd-proxy"
	DestinationContainer = "destination"
	IdentityContainer    = "identity"
	InjectorContainer    = "proxy-injector"
	// ValidatorContainer looks whether the CNI plugin has set a pod up.
	ValidatorContainer = "linkerd-network-validator"

	EnvTrustAnchors    = "LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS"
	EnvLocalName       = "LINKERD2_PROXY_IDENTITY_LOCAL_NAME"
	EnvDefaultPolicy   = "LINKERD2_PROXY_INBOUND_DEFAULT_POLICY"
	EnvRequireIdentity = "LINKERD2_PROXY_INBOUND_PORTS_REQUIRE_IDENTITY"

	PortGateway = "mc-gateway"
	PortProbe   = "mc-probe"
)

// Leases of service mirrors: of the one for a Link, and of the local one.
const (
	LeasePrefix = "service-mirror-write-"
	LeaseLocal  = "local-service-mirror-write"
)

// Objects of others that act on mirrors or on clients.
const (
	ConfigMapArgo   = "argocd-cm"
	ConfigMapCilium = "cilium-config"
	ConfigMapRootCA = "kube-root-ca.crt"
	KeyRootCA       = "ca.crt"
)
