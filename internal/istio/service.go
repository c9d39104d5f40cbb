package istio

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// service is a Service as the clients of a control plane know it.
type service struct {
	namespace, name, host string
	// definition is that of the first cluster that has it: ports, visibility and
	// settings of the others do not count (pilot/pkg/serviceregistry/aggregate/controller.go,
	// GetService).
	definition *corev1.Service
	cluster    *member
}

// service finds a Service; nil where no cluster has it.
func (v *View) service(namespace, name string) *service {
	for _, m := range v.members {
		if s := m.services[namespace+"/"+name]; s != nil {
			return &service{namespace: namespace, name: name, host: hostname(namespace, name), definition: s, cluster: m}
		}
	}
	return nil
}

// visible reports whether a namespace may use the service
// (pilot/pkg/model/push_context.go, initServiceRegistry).
func (s *service) visible(v *View, client string) bool {
	to := exportTo(s.definition)
	if to == nil {
		to = v.Mesh.DefaultServiceExportTo
	}
	return audienceOf(to, s.namespace, client) != nobody
}

// exportTo are the namespaces that a Service names; nil where it names none.
func exportTo(s *corev1.Service) []string {
	annotation := s.Annotations[AnnotationExportTo]
	if annotation == "" {
		return nil
	}
	to := strings.Split(annotation, ",")
	for i := range to {
		to[i] = strings.TrimSpace(to[i])
	}
	return to
}

// Preferences of a Service for near endpoints.
const (
	anywhere   = ""
	sameZone   = "same zone"
	sameNode   = "same node"
	sameZoneIn = "prefersamezone"
	closeIn    = "preferclose"
	sameNodeIn = "prefersamenode"
)

// distribution is the preference of a Service for near endpoints: by its field,
// its annotation or its namespace's (pilot/pkg/model/service.go, GetTrafficDistribution).
func (s *service) distribution(v *View) string {
	switch valueOf(s.definition.Spec.TrafficDistribution) {
	case "PreferSameZone", "PreferClose":
		return sameZone
	case "PreferSameNode":
		return sameNode
	}
	annotation := s.definition.Annotations[AnnotationTrafficDistribution]
	if ns := s.cluster.namespaces[s.namespace]; annotation == "" && ns != nil && !v.Istiod.Before("1.30.0") {
		annotation = ns.Annotations[AnnotationTrafficDistribution]
	}
	switch strings.ToLower(annotation) {
	case sameZoneIn, closeIn:
		return sameZone
	case sameNodeIn:
		return sameNode
	}
	return anywhere
}

// nodeLocal reports whether only endpoints on the client's node count.
func (s *service) nodeLocal() bool {
	return valueOf(s.definition.Spec.InternalTrafficPolicy) == corev1.ServiceInternalTrafficPolicyLocal
}

// headless reports whether clients go to addresses rather than to endpoints.
func (s *service) headless() bool { return s.definition.Spec.ClusterIP == clusterIPNone }
