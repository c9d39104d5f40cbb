package model

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// LocalAddress is what an address is that means something else for everybody.
type LocalAddress string

// The kinds; "" is for an address that means the same for all.
const (
	ThePodItself LocalAddress = "the pod itself"
	LinkLocal    LocalAddress = "a link-local address"
)

// LocalAddressOf is the kind of the address of an API server.
func LocalAddressOf(server string) LocalAddress {
	if !strings.Contains(server, "://") {
		server = "https://" + server
	}
	u, err := url.Parse(server)
	if err != nil {
		return ""
	}
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") || host == "kubernetes.docker.internal" {
		return ThePodItself
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		return ""
	}
	switch a = a.Unmap(); {
	case a.IsLoopback(), a.IsUnspecified():
		return ThePodItself
	case a.IsLinkLocalUnicast():
		return LinkLocal
	}
	return ""
}

// Unreachable is why the address in the remote secret is not reachable from istiod's pod; ""
// where it is, or may be. Where the pods of istiod were not read, unread says so.
func (r *RemoteSecret) Unreachable() (kind LocalAddress, unread []Unread) {
	kind = LocalAddressOf(r.Server)
	onHost := func(p facts.Pod) bool { return p.HostNetwork }
	if kind == "" || r.Synced() || slices.ContainsFunc(resources.IstiodPods.Of(r.In.Cluster).Value, onHost) {
		return "", nil
	}
	if unread = r.In.Unread(resources.IstiodPods); len(unread) > 0 {
		return "", unread
	}
	if r.Access.Proxy {
		return "", nil
	}
	return kind, nil
}

// Untrusted is why the certificate of the API server is not trusted by the CA in the
// remote secret; "" where it is, or nobody saw it.
type Untrusted struct {
	Why string
	// FromHere: the try of the credential from this machine showed it; else the connection by
	// the context of the cluster.
	FromHere bool
}

// Untrusted says whether the CA in the remote secret signs the API server's certificate.
// known is false where nobody saw that certificate.
func (r *RemoteSecret) Untrusted() (u Untrusted, known bool) {
	switch tried := r.Tried(); tried.Outcome {
	case facts.ConnectUntrusted:
		return Untrusted{tried.Reason, true}, true
	case facts.ConnectAccepted, facts.ConnectRefused:
		return Untrusted{}, true
	case facts.ConnectNotReached, facts.ConnectNotTried, facts.ConnectOther: // they say nothing of the secret
	}
	chain := r.Review().Chain
	if chain.State != facts.OK {
		return Untrusted{}, false
	}
	return Untrusted{Why: chain.Value}, true
}

// MissingRight is something that istiod needs in a cluster and may not do there.
type MissingRight struct {
	facts.Right
	Need istio.RightNeed
	// Effect is what goes without it, for people.
	Effect string
}

// MissingRights are those of the service account in the remote secret; known is false where
// they were not asked, or it is not known to which cluster the secret leads.
func (r *RemoteSecret) MissingRights() (missing []MissingRight, known bool) {
	a, ok := r.Account()
	if !ok || a.Rights.State != facts.OK {
		return nil, false
	}
	gateways := len(resources.KubernetesGateways.Of(r.To.Cluster).Value) > 0
	for _, right := range a.Rights.Value {
		if right.Allowed || !gateways && (right.Resource == "gateways" || right.Resource == "customresourcedefinitions") {
			continue
		}
		m := MissingRight{Right: right}
		for _, i := range r.In.istiods {
			if need, effect := i.Needs(right, !r.To.WithoutControlPlane()); need > m.Need {
				m.Need, m.Effect = need, effect
			}
		}
		if m.Need != istio.NotNeeded {
			missing = append(missing, m)
		}
	}
	return missing, true
}

// LacksVital reports whether a right is missing without which istiod does not watch the
// cluster, or refuses its proxies. Rights that follow from the bound roles alone are no proof.
func (r *RemoteSecret) LacksVital() bool {
	a, _ := r.Account()
	missing, _ := r.MissingRights()
	return !a.ByRoles && slices.ContainsFunc(missing, func(m MissingRight) bool { return m.Need == istio.Vital })
}
