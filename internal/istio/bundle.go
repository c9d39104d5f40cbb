package istio

import (
	"k8s.io/apimachinery/pkg/util/version"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource/kubernetes"
)

// BundleKind is a kind of the Gateway API of which an istiod only reads those of some releases of
// that API.
type BundleKind struct {
	Kind string
	// Definition is the row of its definition, and Objects that of its objects.
	Definition *resource.Row[*kubernetes.Definition]
	Objects    resource.Resource
	// Attached are the objects of a cluster.
	Attached func(*facts.Cluster) []AttachedObject
}

// AttachedObject is an object of one of the kinds.
type AttachedObject struct {
	ObjectName
	Spec   api.AttachedSpec
	Status api.AttachedStatus
}

// BundleKinds are all of them.
var BundleKinds = []BundleKind{
	{"TLSRoute", resources.TLSRouteDefinition, resources.TLSRoutes, attached(resources.TLSRoutes)},
	{"TCPRoute", resources.TCPRouteDefinition, resources.TCPRoutes, attached(resources.TCPRoutes)},
	{"GRPCRoute", resources.GRPCRouteDefinition, resources.GRPCRoutes, attached(resources.GRPCRoutes)},
	{"BackendTLSPolicy", resources.BackendTLSPolicyDefinition, resources.BackendTLSPolicies, attached(resources.BackendTLSPolicies)},
}

func attached[K any](row *resource.Row[[]api.Attached[K]]) func(*facts.Cluster) []AttachedObject {
	return func(c *facts.Cluster) []AttachedObject {
		var out []AttachedObject
		for _, o := range row.Of(c).Value {
			out = append(out, AttachedObject{ObjectName{o.Namespace, o.Name}, o.Spec, o.Status})
		}
		return out
	}
}

// Bundle is the release of the Gateway API that the definition of a kind in a cluster is of, without
// what follows its numbers: istiod leaves that out as well. nil where it is not said; there is false
// where the kind is not installed, or that is not known.
func (k BundleKind) Bundle(c *facts.Cluster) (v *version.Version, there bool) {
	read := k.Definition.Of(c)
	if read.State != facts.OK || read.Value == nil {
		return nil, false
	}
	text := read.Value.Annotations[AnnotationBundle]
	if len(text) > 0 && text[0] == 'v' {
		text = text[1:]
	}
	return parseVersion(text), true
}

// BundleFault is why an istiod does not read the objects of a kind.
type BundleFault struct {
	// Off: it only reads them with EnvAlphaGatewayAPI.
	Off bool
	// Least and Most are the releases of the Gateway API that it reads them of; "" where there is no bound.
	Least, Most string
	// Stuck: it waits for them for ever when it starts, for it asks for a version that newer definitions
	// may not serve.
	Stuck bool
}

// ReadsBundle reports whether an istiod reads the objects of a kind whose definition is of a release of the
// Gateway API, nil for one that does not say it; else why not. It mirrors pkg/kube/kclient/crdwatcher.go and
// pkg/config/schema/gatewayapi/minimumversions.go of the releases, and what pilot/pkg/config/kube/gateway/controller.go
// only reads with EnvAlphaGatewayAPI. Of releases before 1.24, and of one that is not known, nothing is said.
func (i Istiod) ReadsBundle(kind string, bundle *version.Version) (why BundleFault, reads bool) {
	least := func(v string) (BundleFault, bool) {
		return BundleFault{Least: v}, bundle != nil && bundle.AtLeast(parsedVersion(v))
	}
	if !i.AtLeast("1.24") {
		return BundleFault{}, true
	}
	switch {
	case kind == "GRPCRoute":
		return least("1.1.0")
	case kind == "BackendTLSPolicy" && i.AtLeast("1.28"):
		return least("1.4.0")
	case kind == "TLSRoute" && i.AtLeast("1.30"):
		return least("1.5.0")
	case kind == "TCPRoute" && i.AtLeast("1.31"):
		return least("1.6.0")
	case (kind == "TLSRoute" || kind == "TCPRoute") && !i.On(EnvAlphaGatewayAPI):
		return BundleFault{Off: true}, false
	case kind != "TLSRoute":
		return BundleFault{}, true
	}
	newer := func(v string) bool { return bundle == nil || bundle.GreaterThan(parsedVersion(v)) }
	switch {
	case i.AtLeast("1.29.3"):
		return BundleFault{Most: "1.4.1"}, !newer("1.4.1")
	case i.AtLeast("1.29.2"), i.AtLeast("1.28.6") && i.Before("1.29"):
		return BundleFault{Most: "1.4.0"}, !newer("1.4.0")
	}
	return BundleFault{Most: "1.4.1", Stuck: true}, bundle == nil || !bundle.AtLeast(parsedVersion("1.5.0"))
}

// unreadKinds are the kinds of the Gateway API in a cluster that one of its control planes does not read.
func unreadKinds(c *facts.Cluster, istiods []Istiod) []resource.Resource {
	var out []resource.Resource
	for _, k := range BundleKinds {
		bundle, there := k.Bundle(c)
		for _, i := range istiods {
			if _, reads := i.ReadsBundle(k.Kind, bundle); there && !reads {
				out = append(out, k.Objects)
				break
			}
		}
	}
	return out
}

// hasLimit reports whether a pod of istiod may use so much memory and no more.
func hasLimit(c *facts.Cluster) bool {
	for _, p := range istiodPods(c) {
		if container := p.Container(DiscoveryContainer); container != nil && !container.Resources.Limits.Memory().IsZero() {
			return true
		}
	}
	return false
}
