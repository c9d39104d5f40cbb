package gateways

import (
	"fmt"
	"strings"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/evidence"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/owner"
)

// claimedWithin is how long istiod may take for a new Gateway.
const claimedWithin = 2 * time.Minute

// unclaimed: no revision of istiod in the cluster takes a Gateway of the Gateway API, so that
// nobody makes its Service and its pods (model.Cluster.Unclaimed).
func unclaimed(p pass) {
	for _, c := range model.Able(p) {
		for i := range resources.KubernetesGateways.Of(c.Cluster).Value {
			k := &resources.KubernetesGateways.Of(c.Cluster).Value[i]
			if !c.Unclaimed(k) || p.Model.Fleet.At.Sub(k.CreationTimestamp.Time) < claimedWithin {
				continue
			}
			f := finding.Finding{
				Code: "GW038", Severity: finding.Error, Clusters: []string{c.Context}, Object: model.GatewayObject(k),
				Title: "no control plane takes the Gateway: it chooses no revision that runs here",
				Evidence: []finding.Evidence{
					{Field: model.GatewayObject(k).String() + ", label " + istio.LabelRevision, Value: chosen(k.Labels)},
					{Field: "namespace " + k.Namespace + ", label " + istio.LabelRevision, Value: chosen(c.NamespaceLabels(k.Namespace))},
				},
				Effect: "istiod makes no Service and no pods for it: it waits for a controller",
			}
			if k.Spec.GatewayClassName == api.ClassEastWest {
				f.Effect += fmt.Sprintf(", and ambient workloads of other clusters do not reach services of %s", c.Context)
			}
			var revisions []string
			for _, cp := range c.ConfiguredBy() {
				if cp.Cluster != c {
					continue
				}
				f.Evidence = append(f.Evidence, finding.Evidence{
					Field: fmt.Sprintf("deployment %s/%s, revision and tags", cp.Istiod.Namespace, cp.Istiod.Name), Value: strings.Join(cp.Tags(), ", "),
				})
				revisions = append(revisions, cp.Istiod.Revision)
			}
			f.Fix = chooseRevision(c, k, finding.Distinct(revisions))
			p.Report(f)
		}
	}
}

// chosen is the revision that labels choose, for people.
func chosen(labels map[string]string) string { return evidence.OrNone(labels[istio.LabelRevision]) }

// chooseRevision are the steps after which a control plane takes a Gateway.
func chooseRevision(c *model.Cluster, k *api.KubernetesGateway, revisions []string) []finding.Step {
	label := func(value string) finding.Command {
		rest := []string{istio.LabelRevision + "=" + value}
		if _, labeled := k.Labels[istio.LabelRevision]; labeled {
			rest = append(rest, "--overwrite")
		}
		return remedy.KubernetesGateway(c.Context, k, "label", rest...)
	}
	step := finding.Say("Label the Gateway with the revision of istiod:")
	if len(revisions) != 1 {
		step = finding.Say("Label the Gateway with the revision that is to make it, one of %s:", finding.List(revisions))
	}
	out := []finding.Step{step.By(label(revisions[0]))}
	if o := owner.Of(&k.ObjectMeta); o.Known() {
		out = append(out, o.Step(c.Context, model.GatewayObject(k)))
	}
	return out
}
