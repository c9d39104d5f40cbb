package controlplane

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/evidence"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// danglingReferences: configuration names what is not there: a Gateway selects no pod, a
// VirtualService names a Gateway that does not exist, or configuration is for a host that no cluster
// of the fleet has.
func danglingReferences(p pass) {
	for _, c := range clusters(p) {
		for _, cp := range c.ControlPlanes {
			if cp.Cluster != c || !knowsAll(p, cp) {
				continue
			}
			gatewaysWithoutPods(p, cp)
			missingGateways(p, cp)
			missingHosts(p, cp)
		}
	}
}

// knowsAll reports whether all clusters that a control plane watches were read for the rule.
func knowsAll(p pass, cp *model.ControlPlane) bool {
	return !slices.ContainsFunc(cp.Watches, func(w model.Watched) bool { return w.Cluster == nil }) && model.AbleWatched(p, cp)
}

// virtualServices are those that a control plane reads.
func virtualServices(cp *model.ControlPlane) []*api.VirtualService {
	var out []*api.VirtualService
	all := resources.VirtualServices.Of(cp.Cluster.Cluster).Value
	for i := range all {
		if cp.Istiod.Reads(all[i].Labels) {
			out = append(out, &all[i])
		}
	}
	return out
}

// gatewaysOf are the Gateways that a VirtualService names, namespace/name, without the mesh itself.
func gatewaysOf(v *api.VirtualService) []string {
	var out []string
	for _, name := range v.Spec.Gateways {
		switch {
		case name == "mesh":
		case !strings.Contains(name, "/"):
			out = append(out, v.Namespace+"/"+name)
		default:
			out = append(out, strings.Replace(name, "./", v.Namespace+"/", 1))
		}
	}
	return finding.Distinct(out)
}

// gatewaysWithoutPods finds Gateways that VirtualServices use and that no proxy serves: their selector
// takes no pod, nor that of a Service which is scaled to 0.
func gatewaysWithoutPods(p pass, cp *model.ControlPlane) {
	used := map[string][]string{}
	for _, v := range virtualServices(cp) {
		for _, name := range gatewaysOf(v) {
			used[name] = append(used[name], v.Namespace+"/"+v.Name)
		}
	}
	all := resources.Gateways.Of(cp.Cluster.Cluster).Value
	for i := range all {
		g := &all[i]
		users := used[g.Namespace+"/"+g.Name]
		if len(users) == 0 || len(g.Spec.Selector) == 0 || !cp.Istiod.Reads(g.Labels) {
			continue
		}
		found := false
		near := map[string]bool{}
		for _, c := range cp.WatchedClusters() {
			for _, pod := range podsOf(c) {
				switch {
				case !model.Runs(pod):
				case within(g.Spec.Selector, pod.Labels):
					found = true
				case model.IsProxy(pod) && pod.Labels[istio.LabelTLSMode] == "" && pod.Labels["istio"] != "":
					near["istio="+pod.Labels["istio"]] = true
				}
			}
			for k := range resources.Services.Of(c.Cluster).Value {
				found = found || within(g.Spec.Selector, resources.Services.Of(c.Cluster).Value[k].Spec.Selector)
			}
		}
		if found {
			continue
		}
		object := finding.In("gateway", g.Namespace, g.Name)
		f := finding.Finding{
			Code: "CP064", Severity: finding.Error, Clusters: []string{cp.Cluster.Context}, Object: object,
			Title: "the Gateway selects no pod",
			Evidence: []finding.Evidence{
				{Field: object.String() + ", selector", Value: evidenceLabels(g.Spec.Selector)},
				{Field: "virtualservices that use it", Value: finding.List(finding.Distinct(users))},
				{Field: "labels of the gateways that run", Value: evidence.OrNone(finding.List(slices.Sorted(maps.Keys(near))))},
			},
			Effect: "no proxy listens for it: its requests get 404, or the connection is refused",
		}
		edit := finding.Kubectl(cp.Cluster.Context, "-n", g.Namespace, "edit", "gateways."+api.NetworkingGroup+"/"+g.Name)
		f.Fix = []finding.Step{finding.Say("Correct the selector: it has to be labels that the pods of the gateway have:").By(edit)}
		if value, only := single(near); only && len(g.Spec.Selector) == 1 && g.Spec.Selector["istio"] != "" {
			_, value, _ = strings.Cut(value, "=")
			f.Fix = []finding.Step{finding.Say("Let it select the gateway that runs:").By(
				finding.Kubectl(cp.Cluster.Context, "-n", g.Namespace, "patch", "gateways."+api.NetworkingGroup+"/"+g.Name, "--type=merge", "-p",
					fmt.Sprintf(`{"spec":{"selector":{"istio":%q}}}`, value)))}
		}
		p.Report(f)
	}
}

func single(set map[string]bool) (string, bool) {
	for k := range set {
		return k, len(set) == 1
	}
	return "", false
}

func evidenceLabels(labels map[string]string) string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		out = append(out, k+"="+labels[k])
	}
	return strings.Join(out, ", ")
}

// missingGateways finds VirtualServices that name a Gateway which does not exist.
func missingGateways(p pass, cp *model.ControlPlane) {
	there := map[string]bool{}
	for i := range resources.Gateways.Of(cp.Cluster.Cluster).Value {
		g := &resources.Gateways.Of(cp.Cluster.Cluster).Value[i]
		there[g.Namespace+"/"+g.Name] = true
	}
	for _, v := range virtualServices(cp) {
		missing := slices.DeleteFunc(gatewaysOf(v), func(name string) bool { return there[name] })
		if len(missing) == 0 {
			continue
		}
		object := finding.In("virtualservice", v.Namespace, v.Name)
		p.Report(finding.Finding{
			Code: "CP064", Severity: finding.Error, Clusters: []string{cp.Cluster.Context}, Object: object,
			Title:    "the VirtualService names a Gateway that does not exist",
			Evidence: []finding.Evidence{{Field: object.String() + ", gateways", Value: finding.List(missing) + " does not exist"}},
			Effect:   "no gateway has its routes: requests for its hosts get 404",
			Fix: []finding.Step{finding.Say("Name a Gateway that exists, as NAMESPACE/NAME where it is in another namespace:").By(
				finding.Kubectl(cp.Cluster.Context, "get", "gateways."+api.NetworkingGroup, "--all-namespaces"),
				finding.Kubectl(cp.Cluster.Context, "-n", v.Namespace, "edit", "virtualservices."+api.NetworkingGroup+"/"+v.Name))},
		})
	}
}

// missingHosts finds destinations of VirtualServices that are Services of Kubernetes by their names,
// and that no cluster of the fleet has.
func missingHosts(p pass, cp *model.ControlPlane) {
	if len(p.Model.NetworksUnknown().Unreached) > 0 {
		return
	}
	entries := map[string]bool{}
	for _, s := range resources.ServiceEntries.Of(cp.Cluster.Cluster).Value {
		for _, h := range s.Spec.Hosts {
			entries[strings.ToLower(h)] = true
		}
	}
	for _, v := range virtualServices(cp) {
		var missing []string
		for _, t := range v.Targets() {
			if name, ok := serviceOf(t.Host, v.Namespace); ok && !isThere(p.Model, name) && !entries[strings.ToLower(t.Host)] &&
				!entries[name.Name+"."+name.Namespace+".svc.cluster.local"] {
				missing = append(missing, name.Namespace+"/"+name.Name)
			}
		}
		if missing = finding.Distinct(missing); len(missing) == 0 {
			continue
		}
		object := finding.In("virtualservice", v.Namespace, v.Name)
		p.Gather(finding.Finding{
			Code: "CP064", Severity: finding.Warning, Clusters: []string{cp.Cluster.Context}, Object: object,
			Title:    "the VirtualService sends requests to a Service that no cluster has",
			Evidence: []finding.Evidence{{Field: object.String() + ", destinations that are missing", Value: finding.List(missing)}},
			Effect:   "such requests get 503, or 404 at a gateway",
			Fix: []finding.Step{finding.Say("Correct the host. A short name is one of the VirtualService's own namespace, %s:", v.Namespace).By(
				finding.Kubectl(cp.Cluster.Context, "-n", v.Namespace, "edit", "virtualservices."+api.NetworkingGroup+"/"+v.Name))},
		})
	}
}

// serviceOf is the Service that a host of configuration in a namespace means; false where it means
// none, or is written in a way that leaves it open.
func serviceOf(host, namespace string) (istio.ObjectName, bool) {
	host = strings.ToLower(host)
	if strings.Contains(host, "*") || host == "" {
		return istio.ObjectName{}, false
	}
	if !strings.Contains(host, ".") {
		return istio.ObjectName{Namespace: namespace, Name: host}, true
	}
	rest, ok := strings.CutSuffix(host, ".svc.cluster.local")
	name, in, two := strings.Cut(rest, ".")
	return istio.ObjectName{Namespace: cmp.Or(in, namespace), Name: name}, ok && two && !strings.Contains(in, ".")
}

// isThere reports whether any cluster has a Service, or was not read for it.
func isThere(m *model.Mesh, name istio.ObjectName) bool {
	return slices.ContainsFunc(m.Clusters, func(c *model.Cluster) bool {
		return !resources.Services.Of(c.Cluster).Known() || c.Service(name.Namespace, name.Name) != nil
	})
}
