package endpoints

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/resources"
)

func serviceObject(s *corev1.Service) finding.Object {
	return finding.In("service", s.Namespace, s.Name)
}

func name(s *corev1.Service) string { return s.Namespace + "/" + s.Name }

// settling is how long a new service may take to be mirrored.
const settling = time.Minute

func young(l *model.Link, created time.Time) bool {
	return !created.IsZero() && l.Source.Now().Sub(created) < settling
}

// selectedBy reports whether a Link to the cluster takes a service.
func selectedBy(c *model.Cluster, s *corev1.Service) bool {
	return slices.ContainsFunc(c.Incoming, func(l *model.Link) bool { return len(l.Modes(s)) > 0 })
}

// usual are the labels by which services are exported, with the values that Links select unless
// somebody changed them.
var usual = []struct {
	label  string
	values []string
}{
	{resources.LabelExported, []string{"true", "remote-discovery"}},
	{resources.LabelFederated, []string{"member"}},
}

// means are values that people write for true.
var means = []string{"true", "yes", "y", "on", "1", "enabled", "enable"}

// exportedWrongly: services are exported by a label. An annotation of the same name does
// nothing, and neither does a value that no Link selects.
func exportedWrongly(p *pass) {
	for _, c := range model.Able(p) {
		if len(c.Incoming) == 0 {
			continue // whether anybody selects them is not known
		}
		for i := range c.Services() {
			s := &c.Services()[i]
			if s.Labels[resources.LabelMirrored] != "" || selectedBy(c, s) {
				continue
			}
			for _, u := range usual {
				value, labelled := s.Labels[u.label]
				said, annotated := s.Annotations[u.label]
				set := func(v string) finding.Command {
					return finding.Kubectl(c.Context, "-n", s.Namespace, "label", "service/"+s.Name, u.label+"="+v, "--overwrite")
				}
				f := finding.Finding{
					Code: "EP118", Severity: finding.Error, Clusters: []string{c.Context}, Object: serviceObject(s),
					Effect: "other clusters do not mirror the service: the name of its mirror does not resolve there",
				}
				switch {
				case annotated && !labelled && said != "false":
					v := said
					if !slices.Contains(u.values, v) {
						v = u.values[0]
					}
					f.Title = u.label + " is an annotation, and has to be a label"
					f.Evidence = []finding.Evidence{{Field: "annotation " + u.label, Value: orNothing(said)}, {Field: "label " + u.label,
						Value: "nothing"}}
					f.Fix = []finding.Step{finding.Say("Set the label:").By(set(v))}
				case labelled && !slices.Contains(u.values, value) && slices.Contains(means, strings.ToLower(value)):
					f.Title = fmt.Sprintf("no Link selects the value %s of label %s", value, u.label)
					f.Evidence = []finding.Evidence{{Field: "label " + u.label, Value: value}, {Field: "Links select", Value: selectors(c)}}
					f.Fix = []finding.Step{finding.Say("Set the value that Links select:").By(set(u.values[0]))}
				default:
					continue
				}
				p.Report(f)
			}
		}
	}
}

// selectors are what Links to a cluster select.
func selectors(c *model.Cluster) string {
	var out []string
	for _, l := range c.Incoming {
		for _, s := range []map[string]string{matchLabels(l.Spec.Selector), matchLabels(l.Spec.RemoteDiscoverySelector),
			matchLabels(l.Spec.FederatedServiceSelector)} {
			for k, v := range s {
				out = append(out, k+"="+v)
			}
		}
	}
	return orNothing(strings.Join(finding.Distinct(out), ", "))
}

// unselected: services that are exported as usual, and a Link that selects another value of the
// label. Several Links may share services out by values of their own: only a value that means the same is
// a mistake.
func unselected(p *pass) {
	for _, l := range model.AblePairs(p) {
		selector := matchLabels(l.Spec.Selector)
		value, ok := selector[resources.LabelExported]
		if !ok || len(selector) > 1 {
			continue
		}
		var left []string
		taken := 0
		for i := range l.Target.Services() {
			s := &l.Target.Services()[i]
			switch {
			case s.Labels[resources.LabelMirrored] != "":
			case model.Selects(l.Spec.Selector, s.Labels):
				taken++
			case s.Labels[resources.LabelExported] == "true" && !selectedBy(l.Target, s):
				left = append(left, name(s))
			}
		}
		if len(left) == 0 || taken > 0 {
			continue
		}
		f := finding.Finding{
			Code: "EP124", Severity: finding.Note, Clusters: []string{l.Source.Context}, Object: l.Object(),
			Title: fmt.Sprintf("the Link selects no service of %s", l.Target.Context),
			Evidence: []finding.Evidence{
				{Field: "spec.selector", Value: resources.LabelExported + "=" + value},
				{Cluster: l.Target.Context, Field: "services with " + resources.LabelExported + "=true", Value: strings.Join(left, ", ")},
			},
			Effect: "none, if they are meant for other clusters; else they are not mirrored",
		}
		patch := finding.Kubectl(l.Source.Context, "-n", l.Namespace, "patch", "links.multicluster.linkerd.io/"+l.Name, "--type=merge", "-p",
			`{"spec":{"selector":{"matchLabels":{"`+resources.LabelExported+`":"true"}}}}`)
		f.Fix = []finding.Step{finding.Say("If the Link is to mirror them, let it select what they have:").By(patch)}
		if slices.Contains(means, strings.ToLower(value)) {
			f.Severity = finding.Error
			f.Effect = "none of them is mirrored: the names of their mirrors do not resolve in " + l.Source.Context
			f.Fix = []finding.Step{finding.Say("Let the Link select what services have:").By(patch)}
		}
		p.Report(f)
	}
}

// collisions: the mirror's name belongs to a Service of somebody else. The service mirror leaves it
// alone, until the exported service is deleted: then it deletes the Service of that name without looking at
// its labels (cluster_watcher.go, handleRemoteServiceUnexported).
func collisions(p *pass) {
	for _, l := range model.AblePairs(p) {
		for _, e := range l.Exports() {
			s := l.Source.Service(e.Namespace, l.Mirror(e))
			if s == nil || s.Labels[resources.LabelMirrored] == "true" {
				continue
			}
			p.Report(finding.Finding{
				Code: "EP110", Severity: finding.Error, Clusters: []string{l.Source.Context}, Object: serviceObject(s),
				Title: fmt.Sprintf("a Service of yours has the name of the mirror of %s", name(e.Service)),
				Evidence: []finding.Evidence{
					{Field: "label " + resources.LabelMirrored, Value: "nothing: the service mirror did not make it"},
					{Cluster: l.Target.Context, Field: serviceObject(e.Service).String(), Value: "is exported"},
				},
				Effect: "clients reach your Service in place of the other cluster's; when that one is deleted, the service mirror deletes yours",
				Fix: []finding.Step{finding.Say("Give your Service another name. Until then, do not export the other one:").
					By(finding.Kubectl(l.Target.Context, "-n", e.Namespace, "label", "service/"+e.Name, exportLabel(e)+"-"))},
			})
		}
	}
}

func exportLabel(e model.Export) string {
	if e.Mode == model.FederatedMember {
		return resources.LabelFederated
	}
	return resources.LabelExported
}

// conditionOf is what the status of a Link says of a service that is not mirrored; "" where it says
// nothing of use. A headless service has a false condition where headless mirrors are enabled.
func conditionOf(l *model.Link, e model.Export) *api.MirrorCondition {
	all := l.Status.MirrorServices
	if e.Mode == model.FederatedMember {
		all = l.Status.FederatedServices
	}
	for i := range all {
		if all[i].RemoteRef.Namespace != e.Namespace || all[i].RemoteRef.Name != e.Name {
			continue
		}
		for c := range all[i].Conditions {
			if all[i].Conditions[c].Type == "Mirrored" {
				return &all[i].Conditions[c]
			}
		}
	}
	return nil
}

// notMirrored: an exported service without its mirror. Link.status has the reason since
// edge-25.3.4; names and namespaces tell in any release.
func notMirrored(p *pass) {
	for _, l := range model.AblePairs(p) {
		for _, e := range l.Exports() {
			mirror, ok := l.Known(e)
			if ok || mirror != nil && e.Mode != model.FederatedMember {
				continue
			}
			condition := conditionOf(l, e)
			failed := condition != nil && condition.Status == "False"
			if !failed && young(l, e.CreationTimestamp.Time) {
				continue
			}
			f := finding.Finding{
				Code: "EP109", Severity: finding.Error, Clusters: []string{l.Source.Context, l.Target.Context}, ObjectIn: l.Target.Context,
				Object: serviceObject(e.Service), Title: fmt.Sprintf("the exported service is not mirrored in %s", l.Source.Context),
				Evidence: []finding.Evidence{{Cluster: l.Source.Context, Field: "service " + e.Namespace + "/" + l.Mirror(e), Value: "does not exist"}},
				Effect:   fmt.Sprintf("the name %s.%s does not resolve in %s", l.Mirror(e), e.Namespace, l.Source.Context),
			}
			if e.Mode == model.FederatedMember && mirror != nil {
				f.Evidence[0].Value = "does not have the member " + e.Name + "@" + l.TargetName()
				f.Effect = fmt.Sprintf("clients of %s in %s do not get its endpoints", l.Mirror(e), l.Source.Context)
			}
			explain(p, l, e, &f)
			p.Report(f)
		}
	}
}

// mostName is how long the name of a Service may be.
const mostName = 63

// explain says why a service is not mirrored.
func explain(p *pass, l *model.Link, e model.Export, f *finding.Finding) {
	condition := conditionOf(l, e)
	if condition != nil && condition.Status == "False" {
		f.Evidence = append(f.Evidence, finding.Evidence{
			Cluster: l.Source.Context, Field: l.Object().String() + ", status", Value: condition.Reason + ": " + orNothing(condition.Message),
		})
	}
	cause := model.Cause(p, l.Source.Context, l.Object(), "EP117", "EP101", "EP107")
	for _, o := range l.Source.Links {
		if cause == "" && o.TargetName() == l.TargetName() {
			cause = model.Cause(p, l.Source.Context, o.Object(), "EP117")
		}
	}
	for _, c := range l.Controllers {
		if cause == "" {
			cause = model.Cause(p, l.Source.Context, finding.In("deployment", c.Namespace, c.Name), "EP107")
		}
	}
	if cause == "" && l.Credentials != nil {
		cause = model.Cause(p, l.Source.Context, l.Credentials.Object(), "EP101", "EP103")
	}
	if cause == "" {
		cause = model.Cause(p, l.Target.Context, finding.Object{}, "EP105")
	}
	pruned := model.Cause(p, l.Source.Context, finding.In("service", e.Namespace, l.Mirror(e)), "EP122")
	switch {
	case pruned != "":
		f.CausedBy, f.Fix = pruned, remedy.ByItsCause()
	case !l.Source.HasNamespace(e.Namespace):
		f.Evidence = append(f.Evidence, finding.Evidence{Cluster: l.Source.Context, Field: "namespace " + e.Namespace, Value: "does not exist"})
		f.Fix = []finding.Step{finding.Say("Create the namespace. The service is mirrored at the next resync, within 10 minutes:").
			By(finding.Kubectl(l.Source.Context, "create", "namespace", e.Namespace))}
	case len(l.Mirror(e)) > mostName:
		f.Evidence = append(f.Evidence, finding.Evidence{Field: "length of the mirror's name", Value: fmt.Sprintf("%d, more than %d",
			len(l.Mirror(e)), mostName)})
		f.Fix = []finding.Step{finding.Say("Give the service, or the cluster in the Link, a shorter name.")}
	case cause != "":
		f.CausedBy, f.Fix = cause, remedy.ByItsCause()
	case condition != nil && condition.Status == "True":
		f.Evidence = append(f.Evidence, finding.Evidence{
			Cluster: l.Source.Context, Field: l.Object().String() + ", status", Value: "Mirrored: it was made, and somebody has deleted it",
		})
		f.Fix = []finding.Step{finding.Say("Find out who deletes it: a tool that prunes by labels, or the controller of another Link.")}
	default:
		f.Fix = []finding.Step{finding.Say("See what the controller says of the service:").By(logs(l)...)}
	}
}

func logs(l *model.Link) []finding.Command {
	var out []finding.Command
	for _, d := range l.Working() {
		out = append(out, finding.Kubectl(l.Source.Context, "-n", d.Namespace, "logs", "deployment/"+d.Name, "--tail=100"))
	}
	if out == nil {
		out = append(out, finding.Kubectl(l.Source.Context, "-n", l.Namespace, "get", "deployments"))
	}
	return out
}

// withoutEndpoints: a mirror through the gateway that has no address that is ready. Where the
// gateway is seen dead, all have none, and another rule says it.
func withoutEndpoints(p *pass) {
	for _, l := range model.AbleLinks(p) {
		if _, lost := l.Lost(); lost || !l.HasGateway() {
			continue
		}
		for _, m := range l.Mirrors {
			if m.Kind != model.Through || young(l, m.Service.CreationTimestamp.Time) {
				continue
			}
			f := finding.Finding{
				Code: "EP111", Severity: finding.Error, Clusters: []string{l.Source.Context}, Object: m.Object(),
				Effect: "clients of the mirror get no endpoints",
			}
			ready, _ := l.Source.ReadyAddresses(m.Service.Namespace, m.Service.Name)
			remove := finding.Kubectl(l.Source.Context, "-n", m.Service.Namespace, "delete", "service/"+m.Service.Name)
			switch {
			case m.Endpoints == nil:
				f.Title = "the mirror has no Endpoints"
				f.Evidence = []finding.Evidence{{Field: "endpoints " + name(m.Service), Value: "do not exist"}}
				f.Fix = []finding.Step{finding.Say("Careful: delete the mirror. The controller makes it again, with Endpoints, within 10 minutes:").
					By(remove)}
			case len(m.Ready()) > 0 && ready == 0:
				f.Title = "Kubernetes made no EndpointSlice of the mirror's Endpoints"
				value := "none that is ready"
				if m.Endpoints.Labels[resources.LabelSkipMirror] == "true" {
					value += ": label " + resources.LabelSkipMirror + " forbids it"
				}
				f.Evidence = []finding.Evidence{{Field: "endpointslices of " + name(m.Service), Value: value}}
				f.Fix = []finding.Step{finding.Say("Take the label from the exported service, or start the controller endpointslice-mirroring again.")}
			case len(m.Ready()) == 0 && !targetIsEmpty(l, m, &f):
				continue
			case len(m.Ready()) > 0:
				continue
			}
			p.Report(f)
		}
	}
}

// targetIsEmpty says that the service itself has no pod that is ready. One that has no pod at all is
// scaled down.
func targetIsEmpty(l *model.Link, m *model.Mirror, f *finding.Finding) bool {
	if l.Target == nil || m.RemoteName == "" {
		f.Title = "the mirror has no address"
		f.Evidence = []finding.Evidence{{Field: "endpoints " + name(m.Service), Value: "no address"}}
		f.Fix = []finding.Step{finding.Say("See whether the exported service has pods that are ready in %s.", target(l))}
		return true
	}
	s := l.Target.Service(m.RemoteNamespace, m.RemoteName)
	if s == nil {
		return false // an orphan
	}
	ready, all := l.Target.ReadyAddresses(s.Namespace, s.Name)
	f.Title = fmt.Sprintf("the service has no pod that is ready in %s", l.Target.Context)
	f.Evidence = []finding.Evidence{
		{Field: "endpoints " + name(m.Service), Value: "no address"},
		{Cluster: l.Target.Context, Field: "endpoints of " + name(s), Value: fmt.Sprintf("%d of %d ready", ready, all)},
	}
	f.Fix = []finding.Step{finding.Say("See why its pods are not ready:").
		By(finding.Kubectl(l.Target.Context, "-n", s.Namespace, "get", "pods", "-l", selectorOf(s)))}
	switch {
	case ready > 0:
		f.Title = "the mirror has no address, though the service has pods that are ready"
		f.Fix = []finding.Step{finding.Say("Restart the controller, which writes the Endpoints again:").
			By(append(remedy.RestartControllers(l), logs(l)...)...)}
	case all == 0:
		f.Severity = finding.Note
		f.Title = fmt.Sprintf("the service has no pod in %s", l.Target.Context)
		f.Effect = "clients of the mirror get no endpoints, as those in the other cluster get none"
	}
	return true
}

func selectorOf(s *corev1.Service) string {
	var out []string
	for k, v := range s.Spec.Selector {
		out = append(out, k+"="+v)
	}
	return strings.Join(finding.Distinct(out), ",")
}

// withoutIdentity: the proxy encrypts to a mirror, and names the service to the gateway, by two
// annotations of its Endpoints.
func withoutIdentity(p *pass) {
	for _, l := range model.AbleLinks(p) {
		if !l.HasGateway() {
			continue
		}
		for _, m := range l.Mirrors {
			if m.Kind != model.Through && m.Kind != model.PerPod || m.Endpoints == nil || len(m.Links) != 1 {
				continue
			}
			var wrong []finding.Evidence
			if has := m.Endpoints.Annotations[resources.AnnotationRemoteIdentity]; has != l.Spec.GatewayIdentity {
				wrong = append(wrong, finding.Evidence{Field: "annotation " + resources.AnnotationRemoteIdentity, Value: orNothing(has)},
					finding.Evidence{Field: l.Object().String() + ", spec.gatewayIdentity", Value: orNothing(l.Spec.GatewayIdentity)})
			}
			if m.Endpoints.Annotations[resources.AnnotationRemoteName] == "" {
				wrong = append(wrong, finding.Evidence{Field: "annotation " + resources.AnnotationRemoteName, Value: "nothing"})
			}
			if len(wrong) == 0 {
				continue
			}
			p.Report(finding.Finding{
				Code: "EP112", Severity: finding.Error, Clusters: []string{l.Source.Context}, Object: finding.In("endpoints", m.Service.Namespace,
					m.Service.Name),
				Title: "the mirror's Endpoints do not say who the gateway is", Evidence: wrong,
				Effect: "proxies connect to the gateway without TLS, or expect another name: the gateway refuses them",
				Fix: []finding.Step{finding.Say("Restart the controller, which writes the Endpoints again:").
					By(append(remedy.RestartControllers(l), logs(l)...)...)},
			})
		}
	}
}

// ports: the mirror has the ports that the service had when it was mirrored.
func ports(p *pass) {
	for _, l := range model.AblePairs(p) {
		for _, m := range l.Mirrors {
			s := l.Target.Service(m.RemoteNamespace, m.RemoteName)
			if m.Kind == model.PerPod || s == nil || len(m.Links) != 1 {
				continue
			}
			is, has := portsOf(s), portsOf(m.Service)
			if slices.Equal(is, has) {
				continue
			}
			f := finding.Finding{
				Code: "EP113", Severity: finding.Warning, Clusters: []string{l.Source.Context}, Object: m.Object(),
				Title: fmt.Sprintf("the mirror has other ports than the service in %s", l.Target.Context),
				Evidence: []finding.Evidence{
					{Field: "spec.ports", Value: orNothing(strings.Join(has, ", "))},
					{Cluster: l.Target.Context, Field: serviceObject(s).String() + ", spec.ports", Value: orNothing(strings.Join(is, ", "))},
				},
				Effect: "clients cannot use the new ports, and those that are gone fail",
				Fix: []finding.Step{finding.Say("Restart the controller, which copies them again:").
					By(append(remedy.RestartControllers(l), logs(l)...)...)},
				CausedBy: controllerCause(p, l),
			}
			if f.CausedBy != "" {
				f.Fix = remedy.ByItsCause()
			}
			p.Report(f)
		}
	}
}

func controllerCause(p *pass, l *model.Link) string {
	for _, c := range l.Controllers {
		if id := model.Cause(p, l.Source.Context, finding.In("deployment", c.Namespace, c.Name), "EP107"); id != "" {
			return id
		}
	}
	return model.Cause(p, l.Source.Context, l.Object(), "EP107")
}

func portsOf(s *corev1.Service) []string {
	var out []string
	for _, sp := range s.Spec.Ports {
		protocol := sp.Protocol
		if protocol == "" {
			protocol = corev1.ProtocolTCP
		}
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s %d/%s", sp.Name, sp.Port, protocol)))
	}
	slices.Sort(out)
	return out
}

// orphans: unlink deletes the mirrors with the label of the cluster; federated services have none, and
// keep their members. A mirror whose service is gone is left where the controller did not run.
func orphans(p *pass) {
	for _, c := range model.Able(p) {
		left := map[string][]string{}
		var federated []string
		for _, m := range c.Mirrors {
			switch {
			case m.Kind == model.Federated:
				for _, member := range m.Members {
					if member.Cluster != "" && !hasTarget(c, member.Cluster) {
						federated = append(federated, name(m.Service))
						left[member.Cluster] = append(left[member.Cluster], name(m.Service)+" ("+member.String()+")")
					}
				}
			case m.Target != "" && len(m.Links) == 0:
				left[m.Target] = append(left[m.Target], name(m.Service))
			}
		}
		for target, services := range left {
			p.Report(finding.Finding{
				Code: "EP114", Severity: finding.Warning, Clusters: []string{c.Context}, Object: finding.Named("mirrors", target),
				Title: fmt.Sprintf("mirrors of %s are left, and no Link leads there", target),
				Evidence: []finding.Evidence{
					{Field: "services", Value: strings.Join(finding.Distinct(services), ", ")},
					{Field: "Links with targetClusterName " + target, Value: "none"},
				},
				Effect: "nobody updates them: their addresses stay as they are, and those by remote discovery have none",
				Fix:    removeOrphans(c, target, finding.Distinct(federated)),
			})
		}
		for _, l := range c.Links {
			if l.Target == nil || !p.Able(l.Target.Context) {
				continue
			}
			for _, m := range l.Mirrors {
				if len(m.Links) != 1 || m.Kind == model.PerPod || m.RemoteName == "" {
					continue
				}
				s := l.Target.Service(m.RemoteNamespace, m.RemoteName)
				if s != nil && len(l.Modes(s)) > 0 {
					continue
				}
				value := "does not exist"
				if s != nil {
					value = "is not exported any more"
				}
				f := finding.Finding{
					Code: "EP114", Severity: finding.Warning, Clusters: []string{c.Context}, Object: m.Object(),
					Title: fmt.Sprintf("the mirror is left of a service that %s no longer exports", l.Target.Context),
					Evidence: []finding.Evidence{{
						Cluster: l.Target.Context, Field: "service " + m.RemoteNamespace + "/" + m.RemoteName, Value: value,
					}},
					Effect:   "clients of the mirror get errors of the gateway, or no endpoints",
					CausedBy: controllerCause(p, l),
					Fix: []finding.Step{finding.Say("Careful: delete the mirror, if its clients do not need it any more:").
						By(finding.Kubectl(c.Context, "-n", m.Service.Namespace, "delete", "service/"+m.Service.Name))},
				}
				p.Report(f)
			}
		}
	}
}

func hasTarget(c *model.Cluster, name string) bool {
	return slices.ContainsFunc(c.Links, func(l *model.Link) bool { return l.TargetName() == name })
}

func removeOrphans(c *model.Cluster, target string, federated []string) []finding.Step {
	out := []finding.Step{finding.Say("Careful: delete the mirrors, if their clients do not need them any more:").
		By(finding.Kubectl(c.Context, "delete", "services", "-A", "-l", resources.LabelMirrored+"=true,"+resources.LabelCluster+"="+target))}
	if len(federated) > 0 {
		out = append(out, finding.Say("Recreate the federated services, which keep the member. Careful: their clients lose them for a moment:"))
		last := &out[len(out)-1]
		for _, f := range federated {
			namespace, service, _ := strings.Cut(f, "/")
			*last = last.By(finding.Kubectl(c.Context, "-n", namespace, "delete", "service/"+service))
		}
	}
	return out
}

// remoteServices: clients of a mirror by remote discovery get pods of the service in the other
// cluster.
func remoteServices(p *pass) {
	for _, l := range model.AblePairs(p) {
		for _, m := range l.Mirrors {
			if m.Kind != model.Remote || len(m.Links) != 1 {
				continue
			}
			s := l.Target.Service(m.RemoteNamespace, m.RemoteName)
			if s == nil {
				continue // an orphan
			}
			ready, all := l.Target.ReadyAddresses(s.Namespace, s.Name)
			if ready > 0 || all == 0 {
				continue
			}
			p.Report(finding.Finding{
				Code: "EP115", Severity: finding.Error, Clusters: []string{l.Source.Context}, Object: m.Object(),
				Title: fmt.Sprintf("the service has no pod that is ready in %s", l.Target.Context),
				Evidence: []finding.Evidence{{
					Cluster: l.Target.Context, Field: "endpoints of " + name(s), Value: fmt.Sprintf("%d of %d ready", ready, all),
				}},
				Effect: "clients of the mirror get no endpoints",
				Fix: []finding.Step{finding.Say("See why its pods are not ready:").
					By(finding.Kubectl(l.Target.Context, "-n", s.Namespace, "get", "pods", "-l", selectorOf(s)))},
			})
		}
	}
}

// federated: clients are given the members' pods by the port of the federated service: a member that
// does not have that port is called at its number all the same.
func federated(p *pass) {
	for _, c := range model.Able(p) {
		for _, m := range c.Mirrors {
			if m.Kind != model.Federated {
				continue
			}
			for _, member := range m.Members {
				at := c
				if member.Cluster != "" {
					i := slices.IndexFunc(c.Links, func(l *model.Link) bool {
						return l.TargetName() == member.Cluster && l.Target != nil && p.Able(l.Target.Context)
					})
					if i < 0 {
						continue
					}
					at = c.Links[i].Target
				}
				s := at.Service(m.Service.Namespace, member.Name)
				f := finding.Finding{Code: "EP116", Severity: finding.Error, Clusters: []string{c.Context}, Object: m.Object()}
				field := "service " + m.Service.Namespace + "/" + member.Name
				switch {
				case s == nil:
					f.Severity = finding.Warning
					f.Title = fmt.Sprintf("the member %s of the federated service does not exist", member)
					f.Evidence = []finding.Evidence{{Cluster: at.Context, Field: field, Value: "does not exist"}}
					f.Effect = "clients get no endpoints of it; the others go on"
					f.Fix = []finding.Step{finding.Say("See whether the controller runs that would take the member out.")}
				case s.Spec.ClusterIP == corev1.ClusterIPNone:
					f.Title = fmt.Sprintf("the member %s of the federated service is headless", member)
					f.Evidence = []finding.Evidence{{Cluster: at.Context, Field: field + ", clusterIP", Value: corev1.ClusterIPNone}}
					f.Effect = "clients get no endpoints of it"
					f.Fix = []finding.Step{finding.Say("Export a Service with a cluster IP instead.")}
				default:
					missing := lacking(m.Service, s)
					if len(missing) == 0 {
						continue
					}
					f.Title = fmt.Sprintf("the member %s of the federated service has other ports", member)
					f.Evidence = []finding.Evidence{
						{Cluster: at.Context, Field: field + ", spec.ports", Value: strings.Join(portsOf(s), ", ")},
						{Cluster: c.Context, Field: m.Object().String() + ", spec.ports", Value: strings.Join(portsOf(m.Service), ", ")},
					}
					f.Effect = fmt.Sprintf("clients are sent to port %s of its pods, where nothing listens: a part of the requests fails",
						strings.Join(missing, ", "))
					f.Fix = []finding.Step{finding.Say("Give all members the same ports. Which ones the federated service has follows the oldest Link.")}
				}
				p.Gather(f)
			}
		}
	}
}

// lacking are the ports of a federated service that a member does not have.
func lacking(federated, member *corev1.Service) []string {
	var out []string
	for _, sp := range federated.Spec.Ports {
		if !slices.ContainsFunc(member.Spec.Ports, func(o corev1.ServicePort) bool { return o.Port == sp.Port }) {
			out = append(out, fmt.Sprint(sp.Port))
		}
	}
	return out
}
