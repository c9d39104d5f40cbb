package controlplane

import (
	"fmt"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
)

// refusesProxies: istiod refuses to sign for proxies, again and again, while some are connected to no
// istiod. How often it did so long ago tells nothing.
func refusesProxies(p pass) {
	for _, c := range clusters(p) {
		if c.ControlPlanes == nil {
			continue
		}
		if why, asked := wasAsked(p.Model); !asked && p.Model.Seen.Again == nil {
			p.NotChecked(c.Context, why)
			continue
		}
		contexts, pods := lost(c)
		if len(pods) == 0 {
			continue
		}
		read := p.Model.Seen.Again.Refusals[c.Context]
		if read.State != facts.OK {
			p.NotChecked(c.Context, finding.Because("how often istiod refuses proxies: "+read.Why()))
			continue
		}
		f := finding.Finding{
			Code: "CP044", Severity: finding.Error, Object: finding.Kind("istiod"),
			Clusters: finding.Distinct(append([]string{c.Context}, contexts...)),
			Effect:   "these proxies get no certificate and no configuration; new ones do not get ready",
		}
		refused, failed := int64(0), int64(0)
		for _, r := range read.Value {
			here, there := r.After.Unauthenticated-r.Before.Unauthenticated, r.After.Unsigned-r.Before.Unsigned
			if here <= 0 && there <= 0 { // it has started anew where there are fewer
				continue
			}
			refused, failed = refused+max(here, 0), failed+max(there, 0)
			f.Evidence = append(f.Evidence, finding.Evidence{
				Field: "pod " + r.Pod + ", within seconds",
				Value: fmt.Sprintf("%s it does not accept, %s it could not sign",
					plural(int(max(here, 0)), "caller whose credentials", "callers whose credentials"),
					plural(int(max(there, 0)), "certificate that", "certificates that")),
			})
		}
		if refused+failed == 0 {
			continue
		}
		f.Evidence = append(f.Evidence, finding.Evidence{Field: "proxies that are connected to no istiod", Value: finding.List(pods)})
		f.Title = "istiod does not accept the credentials of proxies"
		if refused == 0 {
			f.Title = "istiod cannot sign the certificates of proxies"
		}
		f.CausedBy = model.Cause(p, c.Context, finding.Object{}, "NET032", "CP071", "CERT005", "CERT006", "CERT007", "CERT008", "CERT010")
		of := c.ControlPlanes[0].Istiod
		f.Fix = []finding.Step{
			finding.Say("See why, in the log of istiod: the audience of a token, its time, or an API server that does not know it:").By(
				finding.Kubectl(c.Context, "-n", of.Namespace, "logs", "deployment/"+of.Name, "-c", istio.DiscoveryContainer, "--since=5m")),
		}
		if f.CausedBy != "" {
			f.Fix = remedy.ByItsCause()
		}
		p.Report(f)
	}
}

// lost are the pods that are connected to no istiod, of the clusters whose proxies a control plane of a
// cluster configures, and those clusters.
func lost(c *model.Cluster) (contexts, pods []string) {
	for _, cp := range c.ControlPlanes {
		for _, of := range cp.WatchedClusters() {
			if unconnected := of.Unconnected(); cp.Configures(of) && len(unconnected) > 0 {
				contexts, pods = append(contexts, of.Context), append(pods, unconnected...)
			}
		}
	}
	return finding.Distinct(contexts), finding.Distinct(pods)
}
