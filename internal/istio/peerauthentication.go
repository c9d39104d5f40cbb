package istio

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// Acceptance is what a workload takes on a port, as far as PeerAuthentications say.
type Acceptance struct {
	Mode string
	// From is the PeerAuthentication that decided, namespace/name; "" for none.
	From string
	// OfPort: it decided for the port alone (portLevelMtls).
	OfPort bool
}

// acceptance is the mode of mutual TLS of a workload's port. All PeerAuthentications
// are those of the control plane's own cluster, wherever the workload is
// (pilot/pkg/security/authn/policy_applier.go, ComposePeerAuthentication;
// pilot/pkg/model/authentication.go, getConfigsForWorkload). One for workloads that lies
// in the root namespace counts for none.
func (v *View) acceptance(namespace string, labels placed, port uint32) Acceptance {
	var mesh, whole, workload *api.PeerAuthentication
	for _, p := range v.peers {
		switch {
		case p.Namespace != namespace && p.Namespace != v.Mesh.RootNamespace:
		case !selects(p.Spec.Selector) && p.Namespace == v.Mesh.RootNamespace:
			mesh = cmp.Or(mesh, p)
		case !selects(p.Spec.Selector):
			whole = cmp.Or(whole, p)
		case p.Namespace != v.Mesh.RootNamespace && labels.match(p.Spec.Selector.MatchLabels):
			workload = cmp.Or(workload, p)
		}
	}
	out := Acceptance{Mode: api.MTLSPermissive}
	for _, p := range []*api.PeerAuthentication{mesh, whole, workload} {
		if p != nil && p.Spec.MTLS != nil && isMode(p.Spec.MTLS.Mode) {
			out = Acceptance{Mode: p.Spec.MTLS.Mode, From: p.Namespace + "/" + p.Name}
		}
	}
	if workload != nil {
		if m, ok := workload.Spec.PortLevelMTLS[strconv.Itoa(int(port))]; ok && isMode(m.Mode) {
			out = Acceptance{Mode: m.Mode, From: workload.Namespace + "/" + workload.Name, OfPort: true}
		}
	}
	return out
}

// Acceptance is the mode of mutual TLS that a port of the pods of a namespace with some labels takes,
// by the PeerAuthentications that the control plane reads.
func (v *View) Acceptance(namespace string, labels map[string]string, port int) Acceptance {
	return v.acceptance(namespace, placed{own: labels}, uint32(port))
}

// MeshWide is the mode for a namespace without what workloads of it set for themselves: what istiod
// goes by where it configures clients that have no endpoint to ask
// (pilot/pkg/model/push_context.go, BestEffortInferServiceMTLSMode).
func (v *View) MeshWide(namespace string) Acceptance { return v.acceptance(namespace, placed{}, 0) }

// ClientTLS is how a DestinationRule lets the sidecars of a namespace connect to a port of a Service,
// and the rules that are merged for it; set is false where none sets it.
func (v *View) ClientTLS(client, namespace, name string, port int) (mode string, from []string, set bool) {
	rule := v.rules.of(Source{Namespace: client}, hostname(namespace, name), namespace)
	mode, set = rule.tlsMode("", port)
	if set {
		from = rule.from
	}
	return mode, from, set
}

// peerAuthentications are those that the control plane reads, the oldest first.
func (v *View) peerAuthentications() []*api.PeerAuthentication {
	own := v.own()
	if own == nil {
		return nil
	}
	var out []*api.PeerAuthentication
	for i := range resources.PeerAuthentications.Of(own.facts).Value {
		if p := &resources.PeerAuthentications.Of(own.facts).Value[i]; own.selects(p.Namespace) && v.Istiod.Reads(p.Labels) {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b *api.PeerAuthentication) int { return byAge(&a.ObjectMeta, &b.ObjectMeta) })
	return out
}

// own is the control plane's own cluster; nil where nothing is known of it.
func (v *View) own() *member {
	if len(v.members) == 0 || !v.members[0].local {
		return nil
	}
	return v.members[0]
}

// byAge orders as pilot/pkg/model/config.go does: by time, then by name.
func byAge(a, b *metav1.ObjectMeta) int {
	return cmp.Or(
		a.CreationTimestamp.Compare(b.CreationTimestamp.Time),
		strings.Compare(a.Name, b.Name),
		strings.Compare(a.Namespace, b.Namespace),
	)
}

func selects(s *api.WorkloadSelector) bool { return s != nil && len(s.MatchLabels) > 0 }

func isMode(mode string) bool { return mode != "" && mode != api.MTLSUnset }
