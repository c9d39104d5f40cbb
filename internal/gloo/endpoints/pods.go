package endpoints

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/resources"
	istio "github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
)

// owners are the meshes whose clusters a rule can check, each with its federated services.
func owners(p *pass) (members []*model.Member, services map[*model.Member][]*model.Federated) {
	services = map[*model.Member][]*model.Federated{}
	for _, plane := range model.AblePlanes(p) {
		for _, f := range plane.Federated {
			c := f.Owner.Target()
			if c == nil {
				model.Elsewhere(p, f.Owner)
				continue
			}
			if !p.Able(c.Context) {
				continue
			}
			if services[f.Owner] == nil {
				members = append(members, f.Owner)
			}
			services[f.Owner] = append(services[f.Owner], f)
		}
	}
	return members, services
}

// noPods: a federated service has no pod that takes requests. From 1.1 on its ServiceEntries have no endpoint then,
// whatever the gateway is.
func noPods(p *pass) {
	members, services := owners(p)
	for _, owner := range members {
		var empty, unready []string
		for _, f := range services[owner] {
			pods, ok := f.Pods()
			name := f.Service.Namespace + "/" + f.Service.Name
			switch {
			case !ok || slices.ContainsFunc(pods, (*facts.Pod).IsReady):
			case len(pods) == 0:
				empty = append(empty, name)
			case !slices.ContainsFunc(pods, func(pod *facts.Pod) bool { return !settled(owner, pod) }):
				unready = append(unready, name)
			}
		}
		c := owner.Target()
		f := finding.Finding{
			Code: "EP211", Clusters: []string{c.Context}, Object: finding.Kind("federated services"),
			Effect: "clients in the other clusters get 503, no healthy upstream; the gateways are not the reason",
		}
		if len(unready) > 0 {
			f.Severity = finding.Warning
			f.Title = fmt.Sprintf("%s no pod that is ready", plural(len(unready), "federated service has", "federated services have"))
			f.Evidence = []finding.Evidence{{Field: "services with pods of which none is ready", Value: finding.List(unready)}}
			f.Fix = []finding.Step{finding.Say("See why their pods are not ready:").By(notReady(c, services[owner], unready)...)}
			p.Report(f)
		}
		if len(empty) > 0 && len(unready) == 0 {
			f.Severity = finding.Note
			f.Title = fmt.Sprintf("%s no pod", plural(len(empty), "federated service has", "federated services have"))
			f.Evidence = []finding.Evidence{{Field: "services that select no pod", Value: finding.List(empty)}}
			f.Fix = []finding.Step{finding.Say("Nothing has to be done if they are scaled down on purpose. Else start their workloads.")}
			p.Report(f)
		}
	}
}

// mostCommands is how many commands of one kind a fix has.
const mostCommands = 4

// notReady are the commands that show why pods of services are not ready.
func notReady(c *model.Cluster, all []*model.Federated, names []string) []finding.Command {
	var out []finding.Command
	for _, f := range all {
		s := c.Service(f.Service.Namespace, f.Service.Name)
		if s != nil && slices.Contains(names, s.Namespace+"/"+s.Name) && len(out) < mostCommands {
			out = append(out, finding.Kubectl(c.Context, "-n", s.Namespace, "describe", "pods", "-l", remedy.Selector(s.Spec.Selector)))
		}
	}
	return out
}

// settled reports whether a pod is there for longer than a management plane takes to see it.
func settled(m *model.Member, pod *facts.Pod) bool {
	return m.Plane.Cluster.Now().Sub(pod.Created) > model.Settling
}

// outdatedPods: the gateway finds the pods of a federated service by a ServiceEntry with their addresses, in its own
// cluster, and, on a flat network, so do clients. Once discovery stops the addresses become those of pods that are
// gone (federation_translator.go, translateForLocalMesh).
func outdatedPods(p *pass) {
	members, services := owners(p)
	for _, owner := range members {
		at := []*model.Member{owner}
		if slices.ContainsFunc(owner.VirtualMeshes, (*model.VirtualMesh).Flat) {
			at = append(at, clients(services[owner])...)
		}
		for _, client := range at {
			c := client.Target()
			if c == nil || !p.Able(c.Context) {
				continue
			}
			var wrong, hosts []string
			alive := false
			for _, f := range services[owner] {
				e := f.Entry(client)
				gone, some := goneFrom(f, e)
				if len(gone) == 0 {
					continue
				}
				hosts, wrong, alive = append(hosts, f.Host), append(wrong, gone...), alive || some
			}
			if len(hosts) == 0 {
				continue
			}
			f := finding.Finding{
				Code: "EP212", Severity: finding.Error, Clusters: []string{c.Context},
				Object: finding.Named("serviceentries of pods of", owner.ClusterName),
				Title:  fmt.Sprintf("ServiceEntries lead to pods of %s that are gone", owner.Called()),
				Evidence: []finding.Evidence{
					{Field: "endpoints that are no pod of the service", Value: finding.List(finding.Distinct(wrong))},
					{Field: "serviceentries", Value: finding.List(finding.Distinct(hosts))},
				},
				Effect:   "requests from the other clusters that come in by the gateway fail or time out",
				CausedBy: undiscovered(p, owner),
			}
			if client != owner {
				f.Effect = fmt.Sprintf("requests from %s to services of %s fail or time out", client.Called(), owner.Called())
			}
			if alive {
				f.Severity = finding.Warning
				f.Effect = "some " + f.Effect
			}
			plane := owner.Plane
			name := plane.Components()[0].Name
			f.Fix = []finding.Step{finding.Say("See what discovery says of the cluster, and restart it. Do not edit the ServiceEntries: they are "+
				"overwritten.").By(remedy.Logs(plane.Cluster.Context, plane.Installed, name), remedy.Restart(plane.Cluster.Context, plane.Installed,
				name))}
			if f.CausedBy != "" {
				f.Fix = remedy.ByItsCause()
			}
			p.Report(f)
		}
	}
}

// clients are the meshes in which services are made known, each once.
func clients(services []*model.Federated) []*model.Member {
	var out []*model.Member
	for _, f := range services {
		for _, m := range f.Clients {
			if !slices.Contains(out, m) {
				out = append(out, m)
			}
		}
	}
	return out
}

// goneFrom are the addresses in a ServiceEntry that are of no pod of the service, and whether others are. While pods
// come and go the ServiceEntry is behind for a moment: it has to lack one that is there for long.
func goneFrom(f *model.Federated, e *istio.ServiceEntry) (gone []string, some bool) {
	pods, ok := f.Pods()
	if e == nil || !ok {
		return nil, false
	}
	addresses := map[string]bool{}
	for _, w := range e.Spec.Endpoints {
		if w.Address != "" {
			addresses[w.Address] = true
		}
	}
	lacks := false
	live := map[string]bool{}
	for _, pod := range pods {
		listed := false
		for _, ip := range pod.IPs {
			live[ip] = true
			listed = listed || addresses[ip]
		}
		lacks = lacks || pod.IsReady() && !listed && settled(f.Owner, pod)
		some = some || listed && pod.IsReady()
	}
	for a := range addresses {
		if !live[a] {
			gone = append(gone, a)
		}
	}
	if !lacks {
		return nil, some
	}
	return gone, some
}

// leadsToGone reports whether the ServiceEntry of a service that a mesh has leads to pods that are gone.
func leadsToGone(f *model.Federated, m *model.Member) bool {
	gone, _ := goneFrom(f, f.Entry(m))
	return len(gone) > 0
}

// undiscovered is the finding that says why discovery does not see a cluster as it is.
func undiscovered(p *pass, m *model.Member) string {
	context := m.Plane.Cluster.Context
	objects := []finding.Object{finding.In("deployment", m.Plane.Installed, resources.Discovery)}
	if m.Registration != nil {
		objects = append(objects, m.Registration.Registered())
	}
	return model.Cause(p, model.About(context, objects...), "CP204", "CP201")
}

// notDiscovered: a Service is known to the management plane once a pod behind it has a sidecar; without that no other
// cluster reaches it (destination_detector.go, addMeshForKubeService).
func notDiscovered(p *pass) {
	for _, plane := range model.AblePlanes(p) {
		known := plane.Known()
		for _, m := range plane.Members {
			c := m.Target()
			if len(plane.Targets) == 0 || len(m.VirtualMeshes) == 0 || !m.VirtualMeshes[0].Federates() {
				continue
			}
			if c == nil {
				model.Elsewhere(p, m)
				continue
			}
			if !p.Able(c.Context) {
				continue
			}
			var unseen, bare []string
			for _, s := range c.Applications(m) {
				if known[api.Ref{Namespace: s.Namespace, Name: s.Name, Cluster: m.ClusterName}] {
					continue
				}
				pods := slices.DeleteFunc(c.Selected(s.Namespace, s.Spec.Selector), func(pod *facts.Pod) bool {
					return !pod.IsReady() || !settled(m, pod)
				})
				name := s.Namespace + "/" + s.Name
				switch {
				case len(pods) == 0:
				case slices.ContainsFunc(pods, model.IsWorkload):
					unseen = append(unseen, name)
				case c.Injects(s.Namespace) && !slices.ContainsFunc(pods, model.HasSidecar):
					bare = append(bare, name)
				}
			}
			context := plane.Cluster.Context
			f := finding.Finding{
				Code: "EP213", Clusters: []string{c.Context}, Object: finding.Kind("services"),
				Effect: "no other cluster reaches them by a federated name, and no policy is in effect for them",
			}
			if len(unseen) > 0 {
				name := plane.Components()[0].Name
				f.Severity = finding.Warning
				f.Title = fmt.Sprintf("the management plane has not discovered %s", plural(len(unseen), "service", "services"))
				f.Evidence = []finding.Evidence{
					{Field: "services whose pods have a sidecar, and which it does not know", Value: finding.List(unseen)},
					{Cluster: context, Field: "services of the cluster that it knows", Value: fmt.Sprint(plane.Discovered(m))},
				}
				f.Fix = []finding.Step{finding.Say("See what discovery says of the cluster, and restart it:").
					By(remedy.Logs(context, plane.Installed, name), remedy.Restart(context, plane.Installed, name))}
				f.CausedBy = undiscovered(p, m)
				p.Report(f)
			} else if len(bare) > 0 {
				f.Severity = finding.Note
				f.Title = fmt.Sprintf("%s not federated: no pod has a sidecar", plural(len(bare), "service is", "services are"))
				f.Evidence = []finding.Evidence{{Field: "services in namespaces with injection", Value: finding.List(bare)}}
				f.Fix = []finding.Step{finding.Say("Nothing has to be done if the other clusters do not need them. Else restart their workloads, so " +
					"that the pods get a sidecar; the management plane then discovers the services by itself.")}
				p.Report(f)
			}
		}
	}
}

// sharedAddress: the address of a federated name is made of its letters, in 28 bits, and two names can come to the
// same one (unique_ip.go). Proxies tell HTTP apart by its host; of any other protocol one of both gets the
// requests of both.
func sharedAddress(p *pass) {
	for _, plane := range model.AblePlanes(p) {
		for _, r := range plane.Registrations {
			c := r.Target
			if c == nil || !p.Able(c.Context) {
				continue
			}
			by := map[string]*istio.ServiceEntry{}
			for _, e := range c.Entries(plane.Generation) {
				for _, address := range e.Spec.Addresses {
					other := by[address]
					if other == nil || slices.Equal(other.Spec.Hosts, e.Spec.Hosts) {
						by[address] = e
						continue
					}
					ports := opaque(other, e)
					if len(ports) == 0 {
						continue
					}
					p.Report(finding.Finding{
						Code: "EP214", Severity: finding.Warning, Clusters: []string{c.Context}, Object: finding.In("serviceentry", e.Namespace, e.Name),
						Title: "two federated services have one address",
						Evidence: []finding.Evidence{
							{Field: "spec.addresses of both", Value: address},
							{Field: "the other one", Value: finding.In("serviceentry", other.Namespace, other.Name).String()},
							{Field: "ports of both that are not HTTP", Value: finding.List(ports)},
						},
						Effect: "proxies in " + c.Context + " send the requests for both to one of them",
						Fix: []finding.Step{finding.Say("Give one of both Services another name: the address is made of the names of the Service, of its " +
							"namespace and of its cluster. Or give one another port.")},
					})
				}
			}
		}
	}
}

// byHost reports whether proxies tell apart requests of a protocol by their host.
func byHost(protocol string) bool {
	return slices.Contains([]string{"HTTP", "HTTP2", "GRPC", "GRPC-WEB"}, strings.ToUpper(protocol))
}

// opaque are the ports that two ServiceEntries have both, and that proxies do not tell apart by host.
func opaque(a, b *istio.ServiceEntry) []string {
	var out []string
	for _, x := range a.Spec.Ports {
		for _, y := range b.Spec.Ports {
			if x.Number == y.Number && (!byHost(x.Protocol) || !byHost(y.Protocol)) {
				out = append(out, fmt.Sprintf("%d", x.Number))
			}
		}
	}
	return finding.Distinct(out)
}
