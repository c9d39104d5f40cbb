// Package config has the names of an Istio installation and the forms of its
// configuration: mesh config, meshNetworks, proxy config and the injector's values,
// and what may be kept of each. It mirrors Istio's sources and reads no facts.
package config

// Names and labels of an Istio installation.
const (
	SystemNamespace    = "istio-system" // the usual one
	CACertsSecret      = "cacerts"
	CASecret           = "istio-ca-secret"
	RootCertConfigMap  = "istio-ca-root-cert"
	RootCertKey        = "root-cert.pem"
	MeshConfigMap      = "istio"
	MeshConfigKey      = "mesh"
	MeshNetworksKey    = "meshNetworks"
	MultiClusterLabel  = "istio/multiCluster"
	AnnotationCluster  = "networking.istio.io/cluster"
	RemoteSecretPrefix = "istio-remote-secret-"
	ExternalKubeconfig = "istio-kubeconfig"
	IstiodSelector     = "app=istiod"
	InjectorSelector   = "app=sidecar-injector"
	ReaderIdentity     = "istio-reader-service-account"
	DefaultTrustDomain = "cluster.local"
	DefaultClusterID   = "Kubernetes"
	ProxyContainer     = "istio-proxy"
	CNIContainer       = "install-cni"      // of the CNI plugin's pods
	InitContainer      = "istio-init"       // sets the rules up by which traffic goes through the proxy
	ValidateContainer  = "istio-validation" // takes its place where a CNI plugin sets them up: it looks whether they are there
	DiscoveryContainer = "discovery"
	ZtunnelName        = "ztunnel"
	IstioCSRSelector   = "app.kubernetes.io/name=" + IstioCSRName
	IstioCSRName       = "cert-manager-istio-csr"
	WorkloadSocket     = "workload-socket" // the volume in which the agent looks for a SPIFFE Workload API
	WorkloadCerts      = "workload-certs"  // the volume in which the agent looks for certificates that are mounted
)

// Labels and annotations that decide networks, gateways and endpoints.
const (
	LabelNetwork         = "topology.istio.io/network"
	LabelCluster         = "topology.istio.io/cluster"
	LabelSubzone         = "topology.istio.io/subzone"
	LabelLocality        = "topology.istio.io/locality"
	LabelGlobal          = "istio.io/global"
	LabelWaypoint        = "istio.io/use-waypoint"
	LabelIngressWaypoint = "istio.io/ingress-use-waypoint"
	LabelDataplaneMode   = "istio.io/dataplane-mode"
	LabelGatewayPort     = "networking.istio.io/gatewayPort"
	LabelTLSMode         = "security.istio.io/tlsMode"
	LabelRevision        = "istio.io/rev"
	InjectKey            = "sidecar.istio.io/inject" // a label and, of old, an annotation of pods
	LabelGatewayName     = "gateway.networking.k8s.io/gateway-name"
	LabelTag             = "istio.io/tag"
	// By it istiod tells what it deploys for Gateways; ManagedWaypoint is its value for
	// waypoints (pilot/pkg/config/kube/gateway/deploymentcontroller.go).
	LabelGatewayManaged             = "gateway.istio.io/managed"
	ManagedWaypoint                 = "istio.io-mesh-controller"
	LabelImportedService            = "multicluster.kubernetes.io/service-name"
	AnnotationNodeSelector          = "traffic.istio.io/nodeSelector"
	AnnotationExportTo              = "networking.istio.io/exportTo"
	AnnotationTrafficDistribution   = "networking.istio.io/traffic-distribution"
	AnnotationControlPlanes         = "topology.istio.io/controlPlaneClusters"
	AnnotationGatewayServiceAccount = "gateway.istio.io/service-account"
	AnnotationBundle                = "gateway.networking.k8s.io/bundle-version" // the release of the Gateway API that a definition is of
)

// Environment variables of the discovery container that rules read. No other
// is kept of a Deployment: an environment can hold credentials.
const (
	EnvClusterID           = "CLUSTER_ID"
	EnvRevision            = "REVISION"
	EnvEnableCAServer      = "ENABLE_CA_SERVER"
	EnvExternalCA          = "EXTERNAL_CA"
	EnvKubernetesSigner    = "K8S_SIGNER"
	EnvMultiRoot           = "ISTIO_MULTIROOT_MESH"
	EnvSkipTrustDomain     = "PILOT_SKIP_VALIDATE_TRUST_DOMAIN"
	EnvCACertsSelfSigned   = "USE_CACERTS_FOR_SELF_SIGNED_CA"
	EnvClusterTrustBundles = "ENABLE_CLUSTER_TRUST_BUNDLE_API"
	EnvRootCertConfigMap   = "PILOT_CA_CERT_CONFIGMAP"
	EnvExternalIstiod      = "EXTERNAL_ISTIOD"
	EnvResolveHostnames    = "RESOLVE_HOSTNAME_GATEWAYS"
	EnvGatewayAPINetworks  = "PILOT_MULTI_NETWORK_DISCOVER_GATEWAY_API"
	EnvInsecureKubeconfigs = "PILOT_INSECURE_MULTICLUSTER_KUBECONFIG_OPTIONS"
	EnvRemoteTimeout       = "PILOT_REMOTE_CLUSTER_TIMEOUT"
	EnvLocalSecretWatcher  = "LOCAL_CLUSTER_SECRET_WATCHER"
	EnvSendUnhealthy       = "PILOT_SEND_UNHEALTHY_ENDPOINTS"
	EnvAutoSendUnhealthy   = "PILOT_AUTO_SEND_UNHEALTHY_ENDPOINTS"
	EnvDualStack           = "ISTIO_DUAL_STACK"
	EnvAmbient             = "PILOT_ENABLE_AMBIENT"
	EnvAmbientMultiNetwork = "AMBIENT_ENABLE_MULTI_NETWORK"
	EnvAmbientIngress      = "AMBIENT_ENABLE_MULTI_NETWORK_INGRESS"
	EnvAmbientWaypoint     = "AMBIENT_ENABLE_MULTI_NETWORK_WAYPOINT"
	EnvMCSDiscovery        = "ENABLE_MCS_SERVICE_DISCOVERY"
	EnvCustomHost          = "ISTIOD_CUSTOM_HOST"
	EnvCertProvider        = "PILOT_CERT_PROVIDER"
	EnvScopeGateways       = "PILOT_SCOPE_GATEWAY_TO_NAMESPACE"
	EnvTrustedNodeAccounts = "CA_TRUSTED_NODE_ACCOUNTS"
	EnvMCSClusterLocal     = "ENABLE_MCS_CLUSTER_LOCAL"
	EnvRootCADir           = "ROOT_CA_DIR"
	EnvAlphaGatewayAPI     = "PILOT_ENABLE_ALPHA_GATEWAY_API"
)

// Annotations of pods that rules read.
const (
	AnnotationRedirection     = "ambient.istio.io/redirection" // the CNI plugin says that ztunnel takes the pod's traffic
	AnnotationExcludedInbound = "traffic.sidecar.istio.io/excludeInboundPorts"
	AnnotationIncludedInbound = "traffic.sidecar.istio.io/includeInboundPorts"
	AnnotationProxyImage      = "sidecar.istio.io/proxyImage"
	AnnotationNativeSidecar   = "sidecar.istio.io/nativeSidecar"
	AnnotationMirror          = "kubernetes.io/config.mirror" // a pod of the kubelet's own, which no webhook is called for
)

// PodAnnotations are those that are kept of pods.
var PodAnnotations = []string{
	InjectKey, LabelRevision, AnnotationRedirection, AnnotationExcludedInbound, AnnotationIncludedInbound, AnnotationProxyImage,
	AnnotationNativeSidecar, AnnotationMirror,
}

// DiscoveryEnv are the environment variables that are kept of a Deployment.
var DiscoveryEnv = []string{
	EnvClusterID, EnvRevision, EnvEnableCAServer, EnvExternalCA, EnvKubernetesSigner, EnvMultiRoot,
	EnvSkipTrustDomain, EnvCACertsSelfSigned, EnvClusterTrustBundles, EnvRootCertConfigMap, EnvExternalIstiod,
	EnvResolveHostnames, EnvGatewayAPINetworks, EnvInsecureKubeconfigs, EnvRemoteTimeout, EnvLocalSecretWatcher,
	EnvSendUnhealthy, EnvAutoSendUnhealthy, EnvDualStack, EnvAmbient, EnvAmbientMultiNetwork,
	EnvAmbientIngress, EnvAmbientWaypoint, EnvMCSDiscovery, EnvMCSClusterLocal,
	EnvCustomHost, EnvCertProvider, EnvScopeGateways, EnvTrustedNodeAccounts, EnvRootCADir,
	EnvAlphaGatewayAPI,
}

// Flags of istiod (pilot/cmd/pilot-discovery/app/cmd.go) and of istio-csr (cmd/app/options
// of cert-manager/istio-csr) that rules read.
const (
	// ArgClusterAliases has further names of clusters: alias=ID, separated by commas.
	ArgClusterAliases = "--clusterAliases"
	// ArgCACertFile is the file with the CA of the certificate that istiod is given.
	ArgCACertFile = "--caCertFile"
	// ArgTLSCertFile is the file with the certificate that istiod is given.
	ArgTLSCertFile = "--tlsCertFile"
	// ArgClusterID is the only cluster whose workloads istio-csr signs for.
	ArgClusterID = "--cluster-id"
	// ArgTrustDomain is the trust domain that istio-csr signs for.
	ArgTrustDomain = "--trust-domain"
	// ArgRootCAFile is the file with the root that istio-csr publishes.
	ArgRootCAFile = "--root-ca-file"
)

// Arguments are the flags that are kept of a container.
var Arguments = map[string][]string{
	DiscoveryContainer: {ArgClusterAliases, ArgCACertFile, ArgTLSCertFile},
	IstioCSRName:       {ArgClusterID, ArgTrustDomain, ArgRootCAFile},
}
