package network

import (
	"fmt"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/resources"
)

// pending: a gateway of type LoadBalancer that has no address. A gateway that no Link leads to
// harms nobody, and neither does one before which something else stands.
func pending(p *pass) {
	by := used(p)
	for _, g := range gateways(p) {
		if !g.Pending() {
			continue
		}
		links := by[g]
		f := finding.Finding{
			Code: "NET101", Severity: finding.Error, Clusters: []string{g.Cluster.Context}, Object: g.Object(),
			Title:    "the gateway has no external address: its load balancer is pending",
			Evidence: []finding.Evidence{{Field: "status.loadBalancer", Value: "no address, type LoadBalancer"}},
			Fix: []finding.Step{
				finding.Say("See what the controller of load balancers says:").
					By(finding.Kubectl(g.Cluster.Context, "-n", g.Namespace, "events", "--for=service/"+g.Name)),
				finding.Say("Once there is an address, link the cluster again from each other one:").By(generate(links)...),
			},
		}
		for _, l := range links {
			f.Evidence = append(f.Evidence, finding.Evidence{
				Cluster: l.Source.Context, Field: l.Object().String() + ", spec.gatewayAddress", Value: l.Spec.GatewayAddress,
			})
		}
		f.Effect = "clients in " + finding.List(sources(links)) + " time out: the address in the Link is not the gateway's"
		if len(links) == 0 || allElsewhere(g, links) {
			f.Severity = finding.Note
			f.Effect = "none now: no Link leads to an address that this Service has had"
			f.Fix = f.Fix[:1]
		}
		p.Report(f)
	}
}

// allElsewhere: each Link has an address of a node, at which the Service answers all the same.
func allElsewhere(g *model.Gateway, links []*model.Link) bool {
	for _, l := range links {
		if !overlaps(g.Addresses(), l.GatewayAddresses()) {
			return false
		}
	}
	return true
}

func generate(links []*model.Link) []finding.Command {
	var out []finding.Command
	for _, l := range links {
		out = append(out, remedy.Generate(l))
	}
	return out
}

// gatewayPods: without a pod that is ready, has the proxy and forwards, nobody comes in.
func gatewayPods(p *pass) {
	by := used(p)
	for _, g := range gateways(p) {
		links := by[g]
		f := finding.Finding{Code: "NET107", Severity: finding.Error, Clusters: []string{g.Cluster.Context}, Object: g.Workload()}
		workload := g.Workload()
		describe := finding.Say("See why they are not ready:").
			By(finding.Kubectl(g.Cluster.Context, append([]string{"-n", g.Namespace, "describe", "pods"}, selector(g)...)...))
		inject := []finding.Step{finding.Say("Recreate the pods, and see whether the injector gives them the proxy:").
			By(remedy.Restart(g.Cluster.Context, workload))}
		switch ready := g.Ready(); {
		case len(g.Spec.Selector) == 0:
			continue // what is behind it, nobody sees here
		case len(g.Pods) == 0:
			f.Title = "the gateway has no pod"
			f.Evidence = []finding.Evidence{{Field: "pods of " + g.Object().String(), Value: "none"}}
			f.Fix = []finding.Step{finding.Say("See why it has none:").
				By(finding.Kubectl(g.Cluster.Context, "-n", g.Namespace, "describe", workload.Kind, workload.Name))}
		case len(ready) == 0:
			f.Title = fmt.Sprintf("0 of %s of the gateway are ready", finding.Plural(len(g.Pods), "pod"))
			for _, pod := range g.Pods {
				f.Evidence = append(f.Evidence, finding.Evidence{Field: "pod " + pod.Namespace + "/" + pod.Name, Value: string(pod.Phase) +
					", not ready"})
			}
			f.Fix = []finding.Step{describe}
		case !anyPod(g, model.Meshed):
			f.Title = "the gateway's pods have no proxy"
			f.Evidence = []finding.Evidence{{Field: "pod " + ready[0].Namespace + "/" + ready[0].Name, Value: "has no container linkerd-proxy"}}
			f.Fix = inject
		default:
			continue
		}
		f.Effect = "clients in " + finding.List(sources(links)) + " do not get through"
		if len(links) == 0 {
			f.Severity, f.Effect = finding.Note, "none now: no Link leads to it"
		}
		p.Report(f)
	}
}

func anyPod(g *model.Gateway, is func(*pod) bool) bool {
	for _, pod := range g.Ready() {
		if is(pod) {
			return true
		}
	}
	return false
}

func selector(g *model.Gateway) []string {
	var out []string
	for k, v := range g.Spec.Selector {
		out = append(out, k+"="+v)
	}
	return []string{"-l", strings.Join(finding.Distinct(out), ",")}
}

// identity: clients refuse a gateway whose certificate has another name than the Link says. Both
// Link and the Service's annotation, of which the Link is a copy, are no more than texts.
func identity(p *pass) {
	for _, l := range throughGateways(p) {
		g := l.Gateway()
		is := g.Identity()
		if is == "" || l.Spec.GatewayIdentity == is {
			continue
		}
		annotated := g.Annotations[resources.AnnotationGatewayIdentity]
		f := finding.Finding{
			Code: "NET106", Severity: finding.Error, Clusters: []string{l.Source.Context}, Object: l.Object(),
			Title: fmt.Sprintf("the Link expects another identity than the gateway of %s has", l.Target.Context),
			Evidence: []finding.Evidence{
				{Field: "spec.gatewayIdentity", Value: said(l.Spec.GatewayIdentity)},
				{Cluster: l.Target.Context, Field: "identity of the gateway's pods", Value: is},
				{Cluster: l.Target.Context, Field: "annotation " + resources.AnnotationGatewayIdentity, Value: said(annotated)},
			},
			Effect: fmt.Sprintf("clients in %s refuse the gateway's certificate: no request gets through", l.Source.Context),
		}
		if annotated != is {
			domain := is[strings.LastIndex(is, ".identity.")+len(".identity."):]
			domain = strings.TrimPrefix(domain, g.Cluster.Namespace+".")
			f.Fix = append(f.Fix, finding.Say("The multicluster chart of %s has a trust domain of its own. Set it there first:", l.Target.Context).
				By(finding.Shell("helm", "--kube-context="+l.Target.Context, "upgrade", "linkerd-multicluster", "linkerd-edge/linkerd-multicluster",
					"-n", g.Namespace, "--reuse-values", "--set", "identityTrustDomain="+domain)))
		}
		f.Fix = append(f.Fix, finding.Say("Link the cluster again, which copies the annotation:").By(remedy.Generate(l)))
		p.Report(f)
	}
}

func said(value string) string {
	if value == "" {
		return "nothing"
	}
	return value
}
