package istio

import "github.com/kubectl-mesh/kubectl-mesh/internal/istio/config"

// The names of an installation, of package config.
const (
	InjectorConfigMap               = config.InjectorConfigMap
	InjectorValuesKey               = config.InjectorValuesKey
	InjectorConfigKey               = config.InjectorConfigKey
	ProxyInitContainer              = config.InitContainer
	ValidateContainer               = config.ValidateContainer
	AnnotationRedirection           = config.AnnotationRedirection
	AnnotationExcludedInbound       = config.AnnotationExcludedInbound
	AnnotationIncludedInbound       = config.AnnotationIncludedInbound
	AnnotationProxyImage            = config.AnnotationProxyImage
	AnnotationNativeSidecar         = config.AnnotationNativeSidecar
	AnnotationMirror                = config.AnnotationMirror
	EnvProxyNetwork                 = config.EnvProxyNetwork
	EnvProxyClusterID               = config.EnvProxyClusterID
	EnvProxyNetworkView             = config.EnvProxyNetworkView
	EnvProxyMeshID                  = config.EnvProxyMeshID
	EnvProxyConfig                  = config.EnvProxyConfig
	EnvDisableEnvoy                 = config.EnvDisableEnvoy
	EnvZtunnelNetwork               = config.EnvZtunnelNetwork
	EnvDNSCapture                   = config.EnvDNSCapture
	EnvXDSAgent                     = config.EnvXDSAgent
	EnvCAAddress                    = config.EnvCAAddress
	EnvCAProvider                   = config.EnvCAProvider
	EnvRootCADir                    = config.EnvRootCADir
	IstioCSRName                    = config.IstioCSRName
	WorkloadSocket                  = config.WorkloadSocket
	WorkloadCerts                   = config.WorkloadCerts
	EnvXDSRootCA                    = config.EnvXDSRootCA
	EnvIstiodSAN                    = config.EnvIstiodSAN
	DefaultDiscoveryAddress         = config.DefaultDiscoveryAddress
	SystemNamespace                 = config.SystemNamespace
	CACertsSecret                   = config.CACertsSecret
	CASecret                        = config.CASecret
	RootCertConfigMap               = config.RootCertConfigMap
	RootCertKey                     = config.RootCertKey
	MeshConfigMap                   = config.MeshConfigMap
	MeshConfigKey                   = config.MeshConfigKey
	MeshNetworksKey                 = config.MeshNetworksKey
	MultiClusterLabel               = config.MultiClusterLabel
	AnnotationCluster               = config.AnnotationCluster
	RemoteSecretPrefix              = config.RemoteSecretPrefix
	ExternalKubeconfig              = config.ExternalKubeconfig
	IstiodSelector                  = config.IstiodSelector
	InjectorSelector                = config.InjectorSelector
	ReaderIdentity                  = config.ReaderIdentity
	DefaultTrustDomain              = config.DefaultTrustDomain
	DefaultClusterID                = config.DefaultClusterID
	ProxyContainer                  = config.ProxyContainer
	DiscoveryContainer              = config.DiscoveryContainer
	ZtunnelName                     = config.ZtunnelName
	LabelNetwork                    = config.LabelNetwork
	LabelCluster                    = config.LabelCluster
	LabelSubzone                    = config.LabelSubzone
	LabelLocality                   = config.LabelLocality
	LabelGlobal                     = config.LabelGlobal
	LabelWaypoint                   = config.LabelWaypoint
	LabelIngressWaypoint            = config.LabelIngressWaypoint
	LabelDataplaneMode              = config.LabelDataplaneMode
	LabelGatewayPort                = config.LabelGatewayPort
	LabelTLSMode                    = config.LabelTLSMode
	LabelRevision                   = config.LabelRevision
	InjectKey                       = config.InjectKey
	LabelTag                        = config.LabelTag
	AnnotationGKEType               = config.AnnotationGKEType
	AnnotationGKETypeOld            = config.AnnotationGKETypeOld
	AnnotationGKEGlobalAccess       = config.AnnotationGKEGlobalAccess
	AnnotationAWSHealthPort         = config.AnnotationAWSHealthPort
	LabelGatewayManaged             = config.LabelGatewayManaged
	ManagedWaypoint                 = config.ManagedWaypoint
	LabelGatewayName                = config.LabelGatewayName
	LabelImportedService            = config.LabelImportedService
	AnnotationNodeSelector          = config.AnnotationNodeSelector
	AnnotationExportTo              = config.AnnotationExportTo
	AnnotationTrafficDistribution   = config.AnnotationTrafficDistribution
	AnnotationControlPlanes         = config.AnnotationControlPlanes
	AnnotationGatewayServiceAccount = config.AnnotationGatewayServiceAccount
	EnvClusterID                    = config.EnvClusterID
	EnvRevision                     = config.EnvRevision
	EnvEnableCAServer               = config.EnvEnableCAServer
	EnvExternalCA                   = config.EnvExternalCA
	EnvKubernetesSigner             = config.EnvKubernetesSigner
	EnvMultiRoot                    = config.EnvMultiRoot
	EnvSkipTrustDomain              = config.EnvSkipTrustDomain
	EnvCACertsSelfSigned            = config.EnvCACertsSelfSigned
	EnvClusterTrustBundles          = config.EnvClusterTrustBundles
	EnvRootCertConfigMap            = config.EnvRootCertConfigMap
	EnvExternalIstiod               = config.EnvExternalIstiod
	EnvResolveHostnames             = config.EnvResolveHostnames
	EnvGatewayAPINetworks           = config.EnvGatewayAPINetworks
	EnvInsecureKubeconfigs          = config.EnvInsecureKubeconfigs
	EnvRemoteTimeout                = config.EnvRemoteTimeout
	EnvLocalSecretWatcher           = config.EnvLocalSecretWatcher
	EnvSendUnhealthy                = config.EnvSendUnhealthy
	EnvAutoSendUnhealthy            = config.EnvAutoSendUnhealthy
	EnvDualStack                    = config.EnvDualStack
	EnvAmbient                      = config.EnvAmbient
	EnvAmbientMultiNetwork          = config.EnvAmbientMultiNetwork
	EnvAmbientIngress               = config.EnvAmbientIngress
	EnvAmbientWaypoint              = config.EnvAmbientWaypoint
	EnvMCSDiscovery                 = config.EnvMCSDiscovery
	EnvCustomHost                   = config.EnvCustomHost
	EnvCertProvider                 = config.EnvCertProvider
	EnvScopeGateways                = config.EnvScopeGateways
	EnvTrustedNodeAccounts          = config.EnvTrustedNodeAccounts
	EnvMCSClusterLocal              = config.EnvMCSClusterLocal
	EnvAlphaGatewayAPI              = config.EnvAlphaGatewayAPI
	AnnotationBundle                = config.AnnotationBundle
	ArgClusterAliases               = config.ArgClusterAliases
	DefaultRevision                 = "default"
	ArgCACertFile                   = config.ArgCACertFile
	ArgTLSCertFile                  = config.ArgTLSCertFile
	ArgClusterID                    = config.ArgClusterID
	ArgTrustDomain                  = config.ArgTrustDomain
	ArgRootCAFile                   = config.ArgRootCAFile
	versionLabel                    = "app.kubernetes.io/version"
	caCertsVolume                   = "cacerts"
)

// The variables that are kept of sidecars and of istiod, of package config.
var (
	ProxyEnv     = config.ProxyEnv
	DiscoveryEnv = config.DiscoveryEnv
)

// The forms of an installation's configuration, of package config.
type (
	InjectorValues     = config.InjectorValues
	InjectorConfig     = config.InjectorConfig
	Meddling           = config.Meddling
	MeshConfig         = config.MeshConfig
	ServiceScopeConfig = config.ServiceScopeConfig
	ServiceSettings    = config.ServiceSettings
	CACertificate      = config.CACertificate
	ProxyConfig        = config.ProxyConfig
	MeshNetworks       = config.MeshNetworks
	MeshNetwork        = config.MeshNetwork
	NetworkEndpoints   = config.NetworkEndpoints
	MeshNetworkGateway = config.MeshNetworkGateway
	GatewayTopology    = config.GatewayTopology
)

// How a configuration is read and reduced, by package config.
var (
	IsInjectorConfigMap   = config.IsInjectorConfigMap
	ReduceInjectorValues  = config.ReduceInjectorValues
	IsLoadBalancerSetting = config.IsLoadBalancerSetting
	Meddles               = config.Meddles
	ParseMeshConfig       = config.ParseMeshConfig
	ReduceMeshConfig      = config.ReduceMeshConfig
	TakesAnchors          = config.TakesAnchors
	isTrue                = config.IsTrue
	ParseMeshNetworks     = config.ParseMeshNetworks
	ReduceMeshNetworks    = config.ReduceMeshNetworks
	isAddress             = config.IsAddress
	ReduceProxyConfig     = config.ReduceProxyConfig
)
