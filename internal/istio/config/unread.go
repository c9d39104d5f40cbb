package config

import (
	"maps"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/kubectl-mesh/kubectl-mesh/internal/pattern"
)

// KnownFieldsUntil is the newest release whose fields of a mesh config are known here: a later
// istiod may read more.
const KnownFieldsUntil = "1.31"

// defaultConfigKey is the field of a mesh config that holds settings of proxies.
const defaultConfigKey = "defaultConfig"

// meshFields are the fields of a mesh config in all releases: those of message MeshConfig, and
// after the empty line those that releases before 1.22 had. What an old installation left is no
// mistake of today. A test in test/oracle holds them to istio.io/api.
var meshFields = strings.Fields(`
	accessLogEncoding accessLogFile accessLogFormat ca caCertificates certificates configSources connectTimeout defaultConfig
	defaultDestinationRuleExportTo defaultHttpRetryPolicy defaultProviders defaultServiceExportTo defaultTrafficPolicy
	defaultVirtualServiceExportTo disableEnvoyListenerLog discoverySelectors dnsRefreshRate enableAutoMtls
	enableEnvoyAccessLogService enablePrometheusMerge enableTracing extensionProviders h2UpgradePolicy hboneIdleTimeout
	inboundClusterStatName inboundTrafficPolicy ingressClass ingressControllerMode ingressSelector ingressService
	localityLbSetting meshMTLS outboundClusterStatName outboundTrafficPolicy pathNormalization protocolDetectionTimeout
	proxyHttpPort proxyInboundListenPort proxyListenPort rootNamespace serviceEntryVisibility serviceScopeConfigs
	serviceSettings tcpKeepalive tlsDefaults trustDomain trustDomainAliases verifyCertificateAtClient zoneAwareLbSetting

	authPolicy disableMixerHttpReports disablePolicyChecks disableReportBatch enableClientSidePolicyCheck enableSdsTokenMount
	fileFlushInterval fileFlushMinSize fileFlushMinSizeKb mixerAddress mixerCheckServer mixerReportServer policyCheckFailOpen
	rdsRefreshDelay reportBatchMaxEntries reportBatchMaxTime sdsRefreshDelay sdsUdsPath sdsUseK8sSaJwt
	sidecarToTelemetrySessionAffinity terminationDrainDuration thriftConfig`)

// proxyFields are the same for its field defaultConfig, message ProxyConfig.
var proxyFields = strings.Fields(`
	availabilityZone binaryPath caCertificatesPem concurrency configPath connectionSettings controlPlaneAuthPolicy
	customConfigFile discoveryAddress discoveryRefreshDelay drainDuration envoyAccessLogService envoyMetricsService
	envoyMetricsServiceAddress extraStatTags fileFlushInterval fileFlushMinSizeKb gatewayTopology
	holdApplicationUntilProxyStarts image interceptionMode meshId privateKeyProvider proxyAdminPort
	proxyBootstrapTemplatePath proxyHeaders proxyMetadata proxyStatsMatcher readinessProbe runtimeValues sds serviceCluster
	statNameLength statsCompression statsdUdpAddress statusPort terminationDrainDuration tracing tracingServiceName
	zipkinAddress

	connectTimeout parentShutdownDuration`)

// isFieldName is the form of the names that are kept of what nobody reads: a value is never among them.
var isFieldName = pattern.Of(`^[A-Za-z][A-Za-z_]{0,39}$`)

// MeshFields and ProxyFields are the fields of a mesh config and of its defaultConfig that any
// release of istiod reads, or once read.
func MeshFields() []string { return slices.Clone(meshFields) }

// ProxyFields are those of defaultConfig.
func ProxyFields() []string { return slices.Clone(proxyFields) }

// UnreadFields are the fields of a mesh config that no release of istiod reads, by their paths, sorted:
// istiod takes the rest and is silent about them (pkg/util/protomarshal, ApplyJSON).
func UnreadFields(text string) []string {
	mesh, proxy := unread(text)
	for i, name := range proxy {
		proxy[i] = defaultConfigKey + "." + name
	}
	out := slices.Concat(mesh, proxy)
	slices.Sort(out)
	return out
}

func unread(text string) (mesh, proxy []string) {
	var all map[string]any
	if yaml.Unmarshal([]byte(text), &all) != nil {
		return nil, nil // that it is no mesh config is said elsewhere
	}
	mesh = unknownOf(all, meshFields)
	if of, ok := all[defaultConfigKey].(map[string]any); ok {
		proxy = unknownOf(of, proxyFields)
	}
	return mesh, proxy
}

// unknownOf are the names that are none of those known, in either of the forms in which they may be
// written: defaultConfig, and default_config as the message has it.
func unknownOf(fields map[string]any, known []string) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if isFieldName().MatchString(name) && !slices.Contains(known, camelCase(name)) {
			out = append(out, name)
		}
	}
	return out
}

func camelCase(name string) string {
	parts := strings.Split(name, "_")
	for i, part := range parts[1:] {
		if part != "" {
			parts[i+1] = strings.ToUpper(part[:1]) + part[1:]
		}
	}
	return strings.Join(parts, "")
}

// withUnread adds the names of the fields that no istiod reads to what is kept of a mesh config,
// without their values.
func withUnread(kept []byte, text string) ([]byte, error) {
	mesh, proxy := unread(text)
	if len(mesh)+len(proxy) == 0 {
		return kept, nil
	}
	all := map[string]any{}
	if err := yaml.Unmarshal(kept, &all); err != nil {
		return nil, err
	}
	for _, name := range mesh {
		all[name] = nil
	}
	if len(proxy) > 0 {
		of, ok := all[defaultConfigKey].(map[string]any)
		if !ok {
			of = map[string]any{}
		}
		for _, name := range proxy {
			of[name] = nil
		}
		all[defaultConfigKey] = of
	}
	return yaml.Marshal(all)
}
