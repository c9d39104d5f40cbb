package controlplane

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/resources"
)

// injecting are the values of the annotation by which the injector goes.
var injecting = []string{"enabled", "disabled", "ingress"}

// misplaced: a namespace asks for proxies in a way that the injector does not read: by a label, or by a
// value that it does not know (pkg/inject/inject.go, IsEnabled).
func misplaced(p *pass) {
	for _, c := range model.Able(p) {
		for _, ns := range resources.Namespaces.Of(c.Cluster).Value {
			label, labelled := ns.Labels[resources.AnnotationInject]
			value, annotated := ns.Annotations[resources.AnnotationInject]
			f := finding.Finding{
				Code: "CP105", Severity: finding.Warning, Clusters: []string{c.Context}, Object: finding.Named("namespace", ns.Name),
				Effect: "its pods get no proxy, unless they ask for one themselves",
			}
			annotate := func(value string) finding.Command {
				return finding.Kubectl(c.Context, "annotate", "namespace/"+ns.Name, resources.AnnotationInject+"="+value, "--overwrite")
			}
			switch {
			case labelled && !annotated && label != "disabled":
				f.Title = "the namespace has linkerd.io/inject as a label, and the injector reads the annotation"
				f.Evidence = []finding.Evidence{{Field: "label " + resources.AnnotationInject, Value: cmp.Or(label, "nothing")}}
				wanted := "enabled"
				if slices.Contains(injecting, label) {
					wanted = label
				}
				f.Fix = []finding.Step{finding.Say("Annotate the namespace, and take the label away:").By(annotate(wanted),
					finding.Kubectl(c.Context, "label", "namespace/"+ns.Name, resources.AnnotationInject+"-"))}
			case annotated && !slices.Contains(injecting, value):
				f.Title = "the namespace asks for proxies by a value that the injector does not know"
				f.Evidence = []finding.Evidence{{Field: "annotation " + resources.AnnotationInject, Value: cmp.Or(strings.TrimSpace(value), "nothing")}}
				f.Fix = []finding.Step{finding.Say("Set a value that it knows:").By(annotate("enabled"))}
			default:
				continue
			}
			if restart := bareIn(c, ns.Name); len(restart) > 0 {
				f.Fix = append(f.Fix, remedy.RestartWorkloads(c.Context, restart)...)
			}
			p.Report(f)
		}
	}
}

// bareIn are the workloads of a namespace whose pods have no proxy and did not choose so.
func bareIn(c *model.Cluster, namespace string) []finding.Object {
	var out []finding.Object
	for _, pod := range c.Pods() {
		w := model.WorkloadOf(pod)
		if pod.Namespace == namespace && !model.Meshed(pod) && pod.Annotations[resources.AnnotationInject] == "" && !pod.HostNetwork &&
			pod.Owner.Kind != "Job" && !slices.Contains(out, w) {
			out = append(out, w)
		}
	}
	return out
}

// notSetUp: the container that looks whether the CNI plugin has set a pod up says that it has not. The
// pod does not start, so that nothing goes around its proxy.
func notSetUp(p *pass) {
	for _, c := range model.Able(p) {
		var pods []*facts.Pod
		for _, pod := range c.Pods() {
			s := pod.Status(resources.ValidatorContainer)
			if s == nil || s.Ready || pod.Created.IsZero() || c.Now().Sub(pod.Created) < settling {
				continue
			}
			failed := s.Ended != nil && s.Ended.Code != 0 || s.Last != nil && s.Last.Code != 0
			if failed && (s.Waiting != "" || s.Ended != nil) {
				pods = append(pods, pod)
			}
		}
		if len(pods) == 0 {
			continue
		}
		f := finding.Finding{
			Code: "CP110", Severity: finding.Error, Clusters: []string{c.Context}, Object: finding.Kind("pods"),
			Title:  fmt.Sprintf("the CNI plugin did not set %s up", finding.Plural(len(pods), "pod")),
			Effect: "they do not start: without its rules their traffic would go around the proxy",
		}
		nodes := map[string]bool{}
		var commands []finding.Command
		for i, pod := range pods {
			if i < mostPods {
				f.Evidence = append(f.Evidence, finding.Evidence{
					Field: "pod " + pod.Namespace + "/" + pod.Name + ", container " + resources.ValidatorContainer,
					Value: "it ends with an error, on node " + cmp.Or(pod.Node, "unknown"),
				})
				commands = append(commands, finding.Kubectl(c.Context, "-n", pod.Namespace, "delete", "pod/"+pod.Name))
			}
			nodes[pod.Node] = true
		}
		if more := len(pods) - mostPods; more > 0 {
			f.Evidence = append(f.Evidence, finding.Evidence{Field: "further pods", Value: fmt.Sprint(more)})
		}
		for _, agent := range c.Pods() {
			if agent.Labels["k8s-app"] == "linkerd-cni" && nodes[agent.Node] {
				state := "ready"
				if !agent.IsReady() {
					state = "not ready"
				}
				f.Evidence = append(f.Evidence, finding.Evidence{
					Field: "CNI plugin of node " + agent.Node, Value: state + ", pod " + agent.Namespace + "/" + agent.Name,
				})
			}
		}
		f.Fix = []finding.Step{
			finding.Say("See that the CNI plugin runs on their nodes first. Careful: this deletes the pods. " +
				"Their workloads create them again, and they are set up then:").
				By(commands...),
		}
		p.Report(f)
	}
}

// mostPods is how many pods are evidence by name.
const mostPods = 3

// outside: pods or Services have addresses outside of the networks for which proxies ask the destination
// controller: to them they speak plain text (charts/linkerd-control-plane/values.yaml, clusterNetworks).
func outside(p *pass) {
	for _, c := range model.Able(p) {
		networks := networksOf(c.Values.ClusterNetworks)
		if !c.ValuesKnown || len(networks) == 0 {
			continue
		}
		out := func(address string) bool {
			a, err := netip.ParseAddr(address)
			return err == nil && !slices.ContainsFunc(networks, func(n netip.Prefix) bool { return n.Contains(a) })
		}
		var pods, services []string
		for _, pod := range c.Pods() {
			if !pod.HostNetwork && model.Meshed(pod) && out(pod.IP()) {
				pods = append(pods, pod.Namespace+"/"+pod.Name+" "+pod.IP())
			}
		}
		for i := range c.Services() {
			if s := &c.Services()[i]; s.Spec.ClusterIP != corev1.ClusterIPNone && out(s.Spec.ClusterIP) {
				services = append(services, s.Namespace+"/"+s.Name+" "+s.Spec.ClusterIP)
			}
		}
		if len(pods)+len(services) == 0 {
			continue
		}
		f := finding.Finding{
			Code: "CP113", Severity: finding.Error, Clusters: []string{c.Context},
			Object:   finding.In("configmap", c.Namespace, resources.ConfigMapConfig),
			Title:    "addresses of the cluster are outside of clusterNetworks",
			Evidence: []finding.Evidence{{Field: "clusterNetworks", Value: c.Values.ClusterNetworks}},
			Effect:   "proxies take them for addresses outside of the cluster: they speak plain text to them, and balance nothing",
		}
		for _, of := range []struct {
			what string
			all  []string
		}{{"pods outside", pods}, {"Services outside", services}} {
			if len(of.all) > 0 {
				f.Evidence = append(f.Evidence, finding.Evidence{Field: of.what, Value: fmt.Sprintf("%d: %s", len(of.all), finding.List(of.all))})
			}
		}
		f.Fix = []finding.Step{
			finding.Say("Add the networks of pods and Services to clusterNetworks (Helm: --set clusterNetworks, each comma as \\,):").
				By(finding.Shell("linkerd", "--context="+c.Context, "upgrade", "--set", `clusterNetworks=NETWORKS`).Blank("NETWORKS").
					To(finding.Kubectl(c.Context, "apply", "-f", "-"))),
			finding.Say("Then restart the meshed workloads: proxies have the networks of their start."),
		}
		p.Report(f)
	}
}

func networksOf(text string) []netip.Prefix {
	var out []netip.Prefix
	for part := range strings.SplitSeq(text, ",") {
		if n, err := netip.ParsePrefix(strings.TrimSpace(part)); err == nil {
			out = append(out, n.Masked())
		}
	}
	return out
}
