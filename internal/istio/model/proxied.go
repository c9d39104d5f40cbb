package model

import (
	"net/url"
	"strings"
	"sync"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/serverurl"
)

// Proxied is what shows that an address is not that of an API server, but of a proxy that
// leads people to API servers, as those of Rancher, Teleport, loft and GKE's Connect do. The
// zero Proxied is nothing.
type Proxied struct {
	// Path is that of the URL: an API server has none.
	Path string
	// Shared are the clusters of which each has the address.
	Shared []*Cluster
}

// Any reports whether there is something.
func (p Proxied) Any() bool { return p.Path != "" || len(p.Shared) > 0 }

// addresses keeps what is known of addresses: in a fleet of a hundred clusters there are a hundred remote secrets with
// each, and each asks more than once.
type addresses struct {
	sync.Mutex
	proxied map[string]Proxied
}

// proxied is what shows that an address is that of a proxy.
func (m *Mesh) proxied(server string) Proxied {
	known := Derived(m, func(*Mesh) *addresses { return &addresses{proxied: map[string]Proxied{}} })
	known.Lock()
	defer known.Unlock()
	out, ok := known.proxied[server]
	if !ok {
		out = m.findProxied(server)
		known.proxied[server] = out
	}
	return out
}

func (m *Mesh) findProxied(server string) Proxied {
	if LocalAddressOf(server) != "" {
		return Proxied{} // an address that means another thing for everybody
	}
	out := Proxied{Path: pathOf(server)}
	if istio.ByServer(m.Fleet, server) < 0 {
		for _, c := range m.Clusters {
			if serverurl.Same(c.Server, server) {
				out.Shared = append(out.Shared, c)
			}
		}
	}
	return out
}

func pathOf(server string) string {
	if !strings.Contains(server, "://") {
		server = "https://" + server
	}
	u, err := url.Parse(server)
	if err != nil {
		return ""
	}
	return strings.TrimRight(u.Path, "/")
}

// Proxied is what shows that a remote secret leads istiod to a proxy, to which the token of
// a service account means nothing: what such a proxy takes is a token of its own, or a
// client certificate. It is nothing where istiod has read the cluster by it, or it was used.
func (r *RemoteSecret) Proxied() Proxied {
	ofAccount := false
	if t := r.Access.Token; t != nil {
		_, _, ofAccount = istio.ServiceAccount(t.Subject)
	}
	if !ofAccount || r.Access.Proxy || r.Synced() || r.Tried().Outcome == facts.ConnectAccepted {
		return Proxied{}
	}
	out := r.In.mesh.proxied(r.Server)
	if r.Access.ServerName != "" {
		out.Shared = nil // by the name the proxy tells whom it is for
	}
	return out
}

// NeedsServer reports whether istioctl has to be told the address of the cluster's API
// server when it makes a remote secret: that of the context is one of a proxy, or of this
// machine alone.
func (c *Cluster) NeedsServer() bool {
	return LocalAddressOf(c.Server) != "" || c.mesh.proxied(c.Server).Any()
}
