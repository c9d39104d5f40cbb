package config

import (
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Meddling is something that a load balancer does to connections by an annotation of
// the Service.
type Meddling struct {
	Annotation, Value string
	// Header: it puts a header of the PROXY protocol before each connection, which
	// a gateway can be told to take off. Else it ends TLS or speaks HTTP itself.
	Header bool
}

// setting is an annotation with which a provider's load balancer meddles.
type setting struct {
	annotation string
	header     bool
	// does reports whether the value means a port of the Service.
	does func(value string, s *corev1.Service, port corev1.ServicePort) bool
}

const beta = "service.beta.kubernetes.io/"

// settings are those of the providers' documentation: AWS, DigitalOcean, Hetzner,
// IBM, Linode, OpenStack, Oracle, Scaleway and Alibaba.
var settings = []setting{
	{beta + "aws-load-balancer-ssl-cert", false, func(value string, s *corev1.Service, port corev1.ServicePort) bool {
		ports, ok := s.Annotations[beta+"aws-load-balancer-ssl-ports"]
		return value != "" && (!ok || listsPort(ports, port))
	}},
	{beta + "aws-load-balancer-ssl-ports", false, never},
	{beta + "aws-load-balancer-type", false, never},
	{beta + "aws-load-balancer-backend-protocol", false, func(value string, s *corev1.Service, _ corev1.ServicePort) bool {
		return strings.EqualFold(value, "http") && s.Annotations[beta+"aws-load-balancer-type"] == "" // a network load balancer has no HTTP
	}},
	{beta + "aws-load-balancer-proxy-protocol", true, oneOf("*")},
	{beta + "aws-load-balancer-target-group-attributes", true, func(value string, _ *corev1.Service, _ corev1.ServicePort) bool {
		return hasWord(value, "proxy_protocol_v2.enabled=true")
	}},
	{beta + "do-loadbalancer-protocol", false, oneOf("http", "https", "http2", "http3")},
	{beta + "do-loadbalancer-tls-ports", false, func(value string, s *corev1.Service, port corev1.ServicePort) bool {
		return listsPort(value, port) && s.Annotations[beta+"do-loadbalancer-tls-passthrough"] != "true"
	}},
	{beta + "do-loadbalancer-tls-passthrough", false, never},
	{beta + "do-loadbalancer-enable-proxy-protocol", true, oneOf("true")},
	{"load-balancer.hetzner.cloud/protocol", false, oneOf("http", "https")},
	{"load-balancer.hetzner.cloud/uses-proxyprotocol", true, oneOf("true")},
	{
		"service.kubernetes.io/ibm-load-balancer-cloud-provider-enable-features",
		true,
		func(value string, _ *corev1.Service, _ corev1.ServicePort) bool {
			return hasWord(value, "proxy-protocol")
		},
	},
	{beta + "linode-loadbalancer-default-protocol", false, oneOf("http", "https")},
	{beta + "linode-loadbalancer-default-proxy-protocol", true, oneOf("v1", "v2")},
	{
		"loadbalancer.openstack.org/default-tls-container-ref",
		false,
		func(value string, _ *corev1.Service, _ corev1.ServicePort) bool { return value != "" },
	},
	{"loadbalancer.openstack.org/x-forwarded-for", false, oneOf("true")},
	{"loadbalancer.openstack.org/proxy-protocol", true, oneOf("true", "v1", "v2")},
	{beta + "oci-load-balancer-backend-protocol", false, oneOf("http", "http2", "grpc")},
	{
		beta + "oci-load-balancer-ssl-ports",
		false,
		func(value string, _ *corev1.Service, port corev1.ServicePort) bool { return listsPort(value, port) },
	},
	{beta + "oci-load-balancer-connection-proxy-protocol-version", true, oneOf("1", "2")},
	{beta + "scw-loadbalancer-protocol-http", false, func(value string, _ *corev1.Service, port corev1.ServicePort) bool {
		return value == "true" || listsPort(value, port)
	}},
	{beta + "scw-loadbalancer-proxy-protocol-v1", true, func(value string, _ *corev1.Service, port corev1.ServicePort) bool {
		return value == "true" || listsPort(value, port)
	}},
	{beta + "scw-loadbalancer-proxy-protocol-v2", true, func(value string, _ *corev1.Service, port corev1.ServicePort) bool {
		return value == "true" || listsPort(value, port)
	}},
	{beta + "alibaba-cloud-loadbalancer-protocol-port", false, func(value string, _ *corev1.Service, port corev1.ServicePort) bool {
		number := strconv.Itoa(int(port.Port))
		return hasWord(value, "http:"+number) || hasWord(value, "https:"+number)
	}},
	{beta + "alibaba-cloud-loadbalancer-proxy-protocol", true, oneOf("on")},
}

// Annotations that say from where the load balancer of a Service is reached, and what it
// checks: of GKE (cloud.google.com, and older), and of AWS.
const (
	AnnotationGKEType         = "networking.gke.io/load-balancer-type"
	AnnotationGKETypeOld      = "cloud.google.com/load-balancer-type"
	AnnotationGKEGlobalAccess = "networking.gke.io/internal-load-balancer-allow-global-access"
	AnnotationAWSHealthPort   = beta + "aws-load-balancer-healthcheck-port"
)

// reaching are the annotations that say from where a load balancer is reached.
var reaching = []string{AnnotationGKEType, AnnotationGKETypeOld, AnnotationGKEGlobalAccess, AnnotationAWSHealthPort}

// IsLoadBalancerSetting reports whether an annotation of a Service is one that rules about
// its load balancer read.
func IsLoadBalancerSetting(annotation string) bool {
	return slices.Contains(reaching, annotation) || slices.ContainsFunc(settings, func(s setting) bool { return s.annotation == annotation })
}

// Meddles says what the load balancer of a Service does to connections to one of its ports.
func Meddles(s *corev1.Service, port int) []Meddling {
	at := slices.IndexFunc(s.Spec.Ports, func(p corev1.ServicePort) bool { return int(p.Port) == port })
	if s.Spec.Type != corev1.ServiceTypeLoadBalancer || at < 0 {
		return nil
	}
	var out []Meddling
	for _, set := range settings {
		if value, ok := s.Annotations[set.annotation]; ok && set.does(strings.TrimSpace(value), s, s.Spec.Ports[at]) {
			out = append(out, Meddling{set.annotation, value, set.header})
		}
	}
	return out
}

func never(string, *corev1.Service, corev1.ServicePort) bool { return false }

func oneOf(values ...string) func(string, *corev1.Service, corev1.ServicePort) bool {
	return func(value string, _ *corev1.Service, _ corev1.ServicePort) bool {
		return slices.Contains(values, strings.ToLower(value))
	}
}

// listsPort reports whether a list of numbers and names, or *, has a port.
func listsPort(list string, port corev1.ServicePort) bool {
	return list == "*" || hasWord(list, strconv.Itoa(int(port.Port))) || port.Name != "" && hasWord(list, port.Name)
}

func hasWord(list, word string) bool {
	for w := range strings.SplitSeq(list, ",") {
		if strings.EqualFold(strings.TrimSpace(w), word) {
			return true
		}
	}
	return false
}
