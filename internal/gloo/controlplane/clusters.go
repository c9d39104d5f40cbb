package controlplane

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/serverurl"
)

// agentDown: an agent has no pod that is available, or none is there where the management plane has seen one
// before.
func agentDown(p *pass) {
	for _, c := range model.Able(p) {
		agents := c.Agents()
		for _, d := range agents {
			if model.Available(d) {
				continue
			}
			f := finding.Finding{
				Code: "CP202", Severity: finding.Error, Clusters: []string{c.Context}, Object: deployment(d.Namespace, d.Name),
				Title:    "no pod of the agent " + d.Name + " is available",
				Evidence: []finding.Evidence{{Field: "status.availableReplicas", Value: fmt.Sprintf("0 of %d", max(1, d.Status.Replicas))}},
				Effect:   "the cluster gets no certificate from the shared root, and nothing restarts istiod for one",
				Fix:      []finding.Step{remedy.Describe(c.Context, d.Namespace, d.Labels["app"])},
			}
			if d.Spec.Replicas != nil && *d.Spec.Replicas == 0 {
				f.Title = "the agent " + d.Name + " is scaled to no pod"
				f.Evidence = []finding.Evidence{{Field: "spec.replicas", Value: "0"}}
				f.Fix = []finding.Step{finding.Say("Start it:").By(finding.Kubectl(c.Context, "-n", d.Namespace, "scale", "deployment/"+d.Name,
					"--replicas=1"))}
			}
			p.Report(f)
		}
		if len(agents) > 0 {
			continue
		}
		for _, r := range c.Registered {
			for _, m := range r.Plane.Members {
				if m.Registration != r || m.AgentNamespace() == "" || !p.Able(r.Plane.Cluster.Context) {
					continue
				}
				p.Report(finding.Finding{
					Code: "CP202", Severity: finding.Error, Clusters: []string{c.Context}, Object: finding.Kind("agent"),
					Title: "the agent is gone that the management plane has seen",
					Evidence: []finding.Evidence{
						{Cluster: r.Plane.Cluster.Context, Field: m.Discovered().String() + ", spec.agentInfo", Value: m.AgentNamespace()},
						{Field: "deployments with label app=" + resources.CertAgent, Value: "none"},
					},
					Effect: "the cluster gets no certificate from the shared root, and nothing restarts istiod for one",
					Fix:    []finding.Step{remedy.Register(r)},
				})
			}
		}
	}
}

// unusableKubeconfig: the management plane finds the kubeconfig of a cluster by type and name of the
// Secret (multicluster/kubeconfig of skv2); spec.secretName does not matter. Without one it does not watch
// the cluster, and says so nowhere.
func unusableKubeconfig(p *pass) {
	for _, plane := range model.AblePlanes(p) {
		if !plane.Connects() {
			continue
		}
		for at, r := range plane.Registrations {
			field := "secret " + r.Namespace + "/" + r.Name
			twin := slices.IndexFunc(plane.Registrations[:at], func(o *model.Registration) bool {
				return serverurl.Same(o.Kubeconfig.Server, r.Kubeconfig.Server)
			})
			f := finding.Finding{
				Code: "CP204", Severity: finding.Error, Clusters: []string{plane.Cluster.Context}, Object: r.Registered(),
				Effect: "the management plane does not watch the cluster, nor write to it; no status says so",
				Fix:    []finding.Step{remedy.Register(r)},
			}
			k := r.Kubeconfig
			switch {
			case r.Secret == nil:
				f.Title = fmt.Sprintf("the management plane has no kubeconfig for cluster %s", r.Name)
				f.Evidence = []finding.Evidence{{Field: field, Value: "none of type " + resources.TypeKubeconfig}}
			case k.Problem != "":
				f.Title = fmt.Sprintf("the kubeconfig for cluster %s cannot be used", r.Name)
				f.Evidence = []finding.Evidence{{Field: field, Value: k.Problem}}
			case loopback(k.Server):
				f.Title = fmt.Sprintf("the kubeconfig for cluster %s leads to the pod itself", r.Name)
				f.Evidence = []finding.Evidence{{Field: field + ", server", Value: k.Server}}
				f.Fix = []finding.Step{finding.Say("Find the address at which pods of the management cluster reach the API server, and name it when " +
					"you register the cluster: --api-server-address=HOST:PORT."), remedy.Register(r)}
			case k.Token != nil && !k.Token.Expires.IsZero() && k.Token.Expires.Before(p.Model.Facts().At):
				f.Title = fmt.Sprintf("the token for cluster %s has expired", r.Name)
				f.Evidence = []finding.Evidence{{Field: field + ", token expires", Value: k.Token.Expires.UTC().Format(time.RFC3339)}}
			case twin >= 0:
				other := plane.Registrations[twin]
				f.Title = fmt.Sprintf("the kubeconfigs for clusters %s and %s lead to one API server", other.Name, r.Name)
				f.Evidence = []finding.Evidence{
					{Field: field + ", server", Value: k.Server},
					{Field: "secret " + other.Namespace + "/" + other.Name + ", server", Value: other.Kubeconfig.Server},
				}
				f.Effect = "the management plane takes one cluster for two, and does not watch the other one"
				f.Fix = []finding.Step{
					finding.Say("Register the one again whose address it is not, with the context of its own cluster."), remedy.Register(r),
				}
			default:
				continue
			}
			p.Report(f)
		}
	}
}

// loopback reports whether a server is at an address that is a pod's own.
func loopback(server string) bool {
	u, err := url.Parse(server)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && (ip.IsLoopback() || ip.IsUnspecified())
}

// versions: agents and definitions in a cluster are of the release with which it was registered; upgrading
// the management plane leaves them as they are.
func versions(p *pass) {
	for _, plane := range model.AblePlanes(p) {
		main := plane.Main()
		context := plane.Cluster.Context
		for _, r := range plane.Registrations {
			c := r.Target
			if c == nil || !p.Able(c.Context) {
				continue
			}
			writes, serves := resources.Served(plane.Cluster.Cluster, plane.Networking), c.Serves(plane.Certificates)
			other := c.OtherCertificates(plane.Generation)
			f := finding.Finding{
				Code: "CP203", Clusters: []string{c.Context}, Object: finding.Kind("agent"),
				Fix: []finding.Step{remedy.Register(r)},
			}
			switch {
			case len(serves) == 0 && len(other) > 0, plane.Pulls && len(serves) > 0 && len(writes) > 0 && !overlap(serves, writes):
				f.Severity = finding.Error
				f.Title = "the cluster has the definitions of another release of Gloo Mesh"
				f.Evidence = []finding.Evidence{
					{Cluster: context, Field: "versions of " + plane.Networking, Value: strings.Join(writes, ", ")},
					{Field: "versions of " + plane.Certificates, Value: served(serves)},
				}
				for _, group := range other {
					f.Evidence = append(f.Evidence, finding.Evidence{Field: "versions of " + group, Value: served(c.Serves(group))})
				}
				f.Effect = "the management plane cannot write certificates to it: no matches for kind IssuedCertificate"
			default:
				agent, version := agentOf(r)
				wanted := model.Tag(main.Deployment)
				if agent == nil && version == "" || sameMinor(version, wanted) {
					continue
				}
				f.Severity = finding.Warning
				f.Title = "the agent is of another release than the management plane"
				f.Evidence = []finding.Evidence{
					{Field: "agent", Value: version},
					{Cluster: context, Field: deployment(plane.Installed, main.Name).String(), Value: wanted},
				}
				f.Effect = "they may not understand each other's objects: certificates are not issued, or not renewed"
				if agent != nil {
					f.Object = deployment(agent.Namespace, agent.Name)
				}
			}
			p.Report(f)
		}
	}
}

func overlap(a, b []string) bool {
	return slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}

func served(versions []string) string {
	if len(versions) == 0 {
		return "not served"
	}
	return strings.Join(versions, ", ")
}

// agentOf is the agent of a registered cluster, and its version: that which the management plane notes, else
// that of its image.
func agentOf(r *model.Registration) (*appsv1.Deployment, string) {
	agents := r.Target.Agents()
	for _, m := range r.Plane.Members {
		if m.Registration == r && len(r.Plane.AgentVersion) > 0 {
			if v := m.Spec.String(r.Plane.AgentVersion...); v != "" {
				if len(agents) == 0 {
					return nil, v
				}
				return agents[0], v
			}
		}
	}
	if len(agents) == 0 {
		return nil, ""
	}
	// That of another management plane is one of its own.
	own := max(0, slices.IndexFunc(agents, func(d *appsv1.Deployment) bool { return d.Namespace == r.Plane.Installed }))
	return agents[own], model.Tag(agents[own])
}

// sameMinor reports whether two releases are of one minor version, or not both known.
func sameMinor(a, b string) bool {
	x, y := model.Minor(a), model.Minor(b)
	return x == "" || y == "" || x == y
}

// undiscovered: nothing was discovered in a registered cluster, though istiod runs in it.
func undiscovered(p *pass) {
	for _, plane := range model.AblePlanes(p) {
		for _, r := range plane.Registrations {
			if r.Target == nil || !p.Able(r.Target.Context) || plane.Cluster.Now().Sub(r.CreationTimestamp.Time) < model.Settling ||
				slices.ContainsFunc(plane.Members, func(m *model.Member) bool { return m.ClusterName == r.Name }) {
				continue
			}
			var istiods []string
			for _, d := range resources.Istiods.Of(r.Target.Cluster).Value {
				istiods = append(istiods, d.Namespace+"/"+d.Name)
			}
			if len(istiods) == 0 {
				continue // nothing to discover
			}
			context := plane.Cluster.Context
			f := finding.Finding{
				Code: "CP205", Severity: finding.Error, Clusters: []string{context}, Object: r.Registered(),
				Title: fmt.Sprintf("the management plane has discovered nothing in cluster %s", r.Name),
				Evidence: []finding.Evidence{
					{Field: "meshes with spec.istio.installation.cluster " + r.Name, Value: "none"},
					{Cluster: r.Target.Context, Field: "deployments with label app=istiod", Value: finding.List(istiods)},
				},
				Effect: "no VirtualMesh can have it, and none of its services is federated",
				Fix: []finding.Step{
					finding.Say("See what discovery says of the cluster. Up to 1.0 it takes a Deployment that is called istiod alone, without a " +
						"revision:").
						By(remedy.Logs(context, plane.Installed, resources.Discovery)),
				},
			}
			f.CausedBy = model.Cause(p, func(o finding.Finding) bool {
				return o.Code == "CP204" && o.Object == r.Registered() || o.Code == "CP201" && slices.Contains(o.Clusters, context)
			}, "CP204", "CP201")
			p.Report(f)
		}
	}
}
