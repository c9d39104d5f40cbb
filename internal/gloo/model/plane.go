package model

import (
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/kubeconfig"
	"github.com/kubectl-mesh/kubectl-mesh/internal/serverurl"
)

// Plane is a management plane.
type Plane struct {
	*resources.Generation
	Cluster *Cluster
	// Installed is the namespace of its installation.
	Installed string
	// Registrations are the clusters that it manages.
	Registrations []*Registration
	// Members are the meshes that it discovered.
	Members []*Member
	// VirtualMeshes group them.
	VirtualMeshes []*VirtualMesh
	// Policies are what people wrote besides, Settings those of them by which the plane works; nil where there are none.
	Policies []*Written
	Settings *Written
	// Federated are the services that other clusters reach.
	Federated []*Federated
}

// findPlanes finds the management planes of a cluster: of each generation of which it has something that
// only these have.
func (c *Cluster) findPlanes() {
	for _, g := range resources.Generations {
		namespaces := c.hasObjectsIn(g)
		for _, names := range g.Planes {
			for _, d := range c.Deployments(names...) {
				if (d.Namespace == g.Namespace || c.registersIn(g, d.Namespace)) && !c.isOfAnother(g, d.Namespace) {
					namespaces = append(namespaces, d.Namespace)
				}
			}
		}
		if len(namespaces) == 0 {
			continue
		}
		if len(resources.Groups.Of(c.Cluster).Value) > 0 && len(resources.Served(c.Cluster, g.Discovery)) == 0 {
			continue // Deployments of another generation
		}
		// What is discovered is written to the namespace of the installation; VirtualMeshes can be anywhere.
		c.Planes = append(c.Planes, &Plane{Generation: g, Cluster: c, Installed: c.installation(g, namespaces)})
	}
}

// hasObjectsIn are the namespaces with what people wrote for a generation, and with what it discovered.
func (c *Cluster) hasObjectsIn(g *resources.Generation) []string {
	var out []string
	for _, row := range []resources.Row{g.Meshes, g.VirtualMeshes} {
		for _, o := range c.all(row) {
			out = append(out, o.Namespace)
		}
	}
	return out
}

// isOfAnother reports whether Deployments of a namespace are of another generation than the one whose definitions are
// there also, as after an upgrade, or in the middle of one: two of them have Deployments of the same names.
func (c *Cluster) isOfAnother(g *resources.Generation, namespace string) bool {
	own := slices.Contains(c.hasObjectsIn(g), namespace)
	return slices.ContainsFunc(resources.Generations, func(o *resources.Generation) bool {
		if o == g || own {
			return false
		}
		usual := o.Namespace == namespace && g.Namespace != namespace && len(resources.Served(c.Cluster, o.Networking)) > 0
		return usual || slices.Contains(c.hasObjectsIn(o), namespace)
	})
}

func (c *Cluster) registersIn(g *resources.Generation, namespace string) bool {
	return slices.ContainsFunc(c.all(g.Clusters), func(o *api.Object) bool { return o.Namespace == namespace })
}

// installation is the namespace of an installation: of those in which something of it is, the one with
// registrations, else the usual one, else the first.
func (c *Cluster) installation(g *resources.Generation, namespaces []string) string {
	for _, ns := range namespaces {
		if c.registersIn(g, ns) {
			return ns
		}
	}
	if slices.Contains(namespaces, g.Namespace) {
		return g.Namespace
	}
	return namespaces[0]
}

// Registration is a cluster that a management plane manages.
type Registration struct {
	*api.Object
	Plane *Plane
	// Secret holds the kubeconfig by which it is reached; nil where there is none.
	Secret     *corev1.Secret
	Kubeconfig kubeconfig.Kubeconfig
	// Target is the cluster that it is; nil where that is none of the fleet, or was not reached.
	Target *Cluster
	// Unreached is the context of that cluster where it was not reached; "" else.
	Unreached string
}

// Registered names the registration.
func (r *Registration) Registered() finding.Object {
	return finding.In("kubernetescluster", r.Namespace, r.Name)
}

// Called is the cluster as people of this fleet call it.
func (r *Registration) Called() string {
	switch {
	case r.Target != nil:
		return r.Target.Context
	case r.Unreached != "":
		return r.Unreached
	default:
		return r.Name
	}
}

// findRegistrations finds the clusters of a plane, and where each is.
func (p *Plane) findRegistrations(all []*Cluster, unreached []*facts.Cluster) {
	secrets := resources.Kubeconfigs.Of(p.Cluster.Cluster).Value
	for _, o := range p.Cluster.all(p.Clusters) {
		if o.Namespace != p.Installed {
			continue
		}
		r := &Registration{Object: o, Plane: p}
		for i := range secrets {
			if secrets[i].Namespace == o.Namespace && secrets[i].Name == o.Name {
				r.Secret, r.Kubeconfig = &secrets[i], kubeconfig.Of(&secrets[i])
			}
		}
		p.Registrations = append(p.Registrations, r)
	}
	taken := map[*Cluster]bool{}
	for _, by := range []func(*Registration, *Cluster) bool{byServer, byWritten, byName, byTail} {
		for _, r := range p.Registrations {
			if r.Target != nil {
				continue
			}
			var found []*Cluster
			for _, c := range all {
				if !taken[c] && by(r, c) && !slices.ContainsFunc(found, c.is) {
					found = append(found, c)
				}
			}
			if len(found) == 1 {
				r.Target = found[0]
				taken[r.Target] = true
				r.Target.Registered = append(r.Target.Registered, r)
			}
		}
	}
	for _, r := range p.Registrations {
		for _, c := range unreached {
			if r.Target == nil && (serverurl.Same(r.Kubeconfig.Server, c.Server) || c.Context == r.Name || isTail(c.Context, r.Name)) {
				r.Unreached = c.Context
			}
		}
	}
}

func byServer(r *Registration, c *Cluster) bool { return serverurl.Same(r.Kubeconfig.Server, c.Server) }

func byWritten(r *Registration, c *Cluster) bool {
	return slices.Contains(c.writtenAs(r.Plane.Generation, r.Plane.Installed), r.Name)
}

func byName(r *Registration, c *Cluster) bool { return c.Context == r.Name }

// byTail: contexts have names like kind-west, admin@west and region/west.
func byTail(r *Registration, c *Cluster) bool { return isTail(c.Context, r.Name) }

func isTail(context, name string) bool {
	rest, ok := strings.CutSuffix(context, name)
	return ok && name != "" && rest != "" && strings.ContainsAny(rest[len(rest)-1:], "-_@/.:")
}

// Registration is that of a cluster by its name; nil where there is none.
func (p *Plane) Registration(name string) *Registration {
	for _, r := range p.Registrations {
		if r.Name == name {
			return r
		}
	}
	return nil
}

// Connects reports whether the plane reaches its clusters by their kubeconfigs. With the relay of
// Gloo Mesh Enterprise agents connect to it.
func (p *Plane) Connects() bool {
	return p.Pulls && len(p.Cluster.Deployments(resources.EnterpriseNetworking, resources.ManagementServer)) == 0
}

// Component is a Deployment that a plane needs; Deployment is nil where there is none.
type Component struct {
	Name       string
	Deployment *appsv1.Deployment
}

// Components are the Deployments that a plane needs: of those sets that make one up, the one of which most
// is there.
func (p *Plane) Components() []Component {
	var best []Component
	most := -1
	for _, names := range p.Planes {
		var all []Component
		there := 0
		for _, name := range names {
			d := p.Cluster.Deployment(p.Installed, name)
			if d != nil {
				there++
			}
			all = append(all, Component{name, d})
		}
		if there > most {
			best, most = all, there
		}
	}
	return best
}

// Available reports whether a Deployment has a pod that is available.
func Available(d *appsv1.Deployment) bool { return d != nil && d.Status.AvailableReplicas > 0 }

// Works reports whether all that the plane needs has a pod that is available.
func (p *Plane) Works() bool {
	return !slices.ContainsFunc(p.Components(), func(c Component) bool { return !Available(c.Deployment) })
}

// Main is the Deployment that writes to the clusters; its name alone where there is none.
func (p *Plane) Main() Component {
	all := p.Components()
	return all[len(all)-1]
}
