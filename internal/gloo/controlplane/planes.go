package controlplane

import (
	"fmt"
	"maps"
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// effects say what stops without a part of the management plane.
var effects = map[string]string{
	resources.Discovery:  "what changes in the clusters is not seen: services, gateways and their addresses become old",
	resources.Networking: "nothing is written to the clusters: changes of policies, of services and of gateways have no effect",
}

func effectOf(name string) string {
	if text, ok := effects[name]; ok {
		return text
	}
	return effects[resources.Networking]
}

// planeDown: a part of the management plane has no pod that is available. Where nothing at all is left of it
// but objects, it may have been removed.
func planeDown(p *pass) {
	for _, plane := range model.AblePlanes(p) {
		components := plane.Components()
		left := 0
		for _, c := range components {
			if c.Deployment != nil {
				left++
			}
		}
		context := plane.Cluster.Context
		if left == 0 {
			p.Report(finding.Finding{
				Code: "CP201", Severity: finding.Warning, Clusters: []string{context}, Object: deployment(plane.Installed, plane.Main().Name),
				Title: "the management plane is gone, and what it works by is there",
				Evidence: []finding.Evidence{
					{Field: "deployments of " + plane.Name + " in " + plane.Installed, Value: "none"},
					{Field: "registered clusters", Value: fmt.Sprint(len(plane.Registrations))},
					{Field: "meshes that were discovered", Value: fmt.Sprint(len(plane.Members))},
				},
				Effect: "nobody looks at these objects, nor keeps what was written to the clusters up to date",
				Fix: []finding.Step{finding.Say("Install the release again that the clusters are registered with. If %s was removed on "+
					"purpose, delete what it left in namespace %s, so that nobody takes it for being in effect.", plane.Name, plane.Installed)},
			})
			continue
		}
		for _, c := range components {
			if model.Available(c.Deployment) {
				continue
			}
			f := finding.Finding{
				Code: "CP201", Severity: finding.Error, Clusters: []string{context}, Object: deployment(plane.Installed, c.Name),
				Effect: effectOf(c.Name),
			}
			switch d := c.Deployment; {
			case d == nil:
				f.Title = c.Name + " of the management plane does not exist"
				f.Evidence = []finding.Evidence{
					{Field: "deployments of " + plane.Name + " in " + plane.Installed, Value: fmt.Sprintf("%d of %d", left, len(components))},
				}
				f.Fix = []finding.Step{finding.Say("Install the release again that the clusters are registered with.")}
			case d.Spec.Replicas != nil && *d.Spec.Replicas == 0:
				f.Title = c.Name + " of the management plane is scaled to no pod"
				f.Evidence = []finding.Evidence{{Field: "spec.replicas", Value: "0"}}
				f.Fix = []finding.Step{finding.Say("Start it:").By(finding.Kubectl(context, "-n", d.Namespace, "scale",
					"deployment/"+d.Name, "--replicas=1"))}
			default:
				f.Title = "no pod of " + c.Name + " of the management plane is available"
				f.Evidence = []finding.Evidence{{Field: "status.availableReplicas", Value: fmt.Sprintf("0 of %d", max(1, d.Status.Replicas))}}
				f.Fix = []finding.Step{remedy.Describe(context, d.Namespace, d.Labels["app"])}
			}
			p.Report(f)
		}
		if why, lacks := settingsUnknown(plane); lacks {
			p.NotChecked(context, why)
		}
		if row := plane.Generation.Settings; plane.Unset() {
			p.Report(finding.Finding{
				Code: "CP201", Severity: finding.Error, Clusters: []string{context}, Object: deployment(plane.Installed, plane.Main().Name),
				Title: "the management plane runs, and does nothing: it has no Settings",
				Evidence: []finding.Evidence{
					{Field: row.About().Right().Called() + " in all namespaces", Value: "none"},
					{Field: deployment(plane.Installed, plane.Main().Name).String(), Value: "available"},
				},
				Effect: "it looks at nothing before it has read them: no change has an effect, and no status is written",
				Fix: []finding.Step{finding.Say("Install the release again, which makes Settings that are called settings in namespace %s.",
					plane.Installed)},
			})
		}
	}
}

// settingsUnknown is why it is not known whether a management plane that runs stops at its Settings; false where it is.
func settingsUnknown(plane *model.Plane) (finding.Reason, bool) {
	row, c := plane.Generation.Settings, plane.Cluster.Cluster
	if row == nil || len(plane.Cluster.Serves(row.About().Group)) == 0 || !plane.Works() || len(row.Of(c).Value) > 0 {
		return finding.Reason{}, false
	}
	needs := []rule.Need{row}
	for _, of := range plane.Managing() {
		needs = append(needs, of)
	}
	return rule.Lacks(c, needs...)
}

// deaf: the controllers decode strictly. One object of a kind with a field that they do not know, or of a
// wrong type, makes the list of that kind fail, and none of it is looked at any more
// (solo-io/gloo-mesh#737).
func deaf(p *pass) {
	for _, plane := range model.AblePlanes(p) {
		all := plane.Kinds()
		current := 0
		for _, written := range all {
			for _, w := range written {
				if !w.Behind() {
					current++
				}
			}
		}
		for _, written := range all {
			behind := 0
			newest := written[0]
			for _, w := range written {
				if w.Behind() {
					behind++
				}
				if model.LastWrite(&w.ObjectMeta).After(model.LastWrite(&newest.ObjectMeta)) {
					newest = w
				}
			}
			if behind < 2 || behind < len(written) || current == 0 {
				continue
			}
			context := plane.Cluster.Context
			p.Report(finding.Finding{
				Code: "CP207", Severity: finding.Error, Clusters: []string{context}, Object: finding.Kind(newest.Resource()),
				Title: fmt.Sprintf("the management plane sees no %s any more", newest.Kind()),
				Evidence: []finding.Evidence{
					{Field: fmt.Sprintf("%s with an old status.observedGeneration", newest.Resource()), Value: fmt.Sprintf("%d of %d", behind,
						len(written))},
					{Field: "objects of other kinds that it has seen", Value: fmt.Sprint(current)},
					{Field: "written last", Value: newest.Namespace + "/" + newest.Name},
				},
				Effect: "no change to any of them has an effect, and their statuses say nothing",
				Fix: []finding.Step{
					finding.Say("Look for the object that it cannot decode; most often it is the one that was written last, with a field "+
						"that the release does not know:").By(remedy.PlaneLogs(plane),
						finding.Kubectl(context, "-n", newest.Namespace, "get", newest.Resource()+"/"+newest.Name, "-o", "yaml")),
					finding.Say("Remove the field there, or upgrade the management plane to the release that the definitions are of. " +
						"Then restart it:").By(remedy.RestartPlane(plane)),
				},
				CausedBy: model.Cause(p, model.About(context, deployment(plane.Installed, plane.Main().Name)), "CP201"),
			})
		}
	}
}

// twoPlanes: two management planes write to one cluster, each of which collects what the other wrote, and
// issues a certificate of its own.
func twoPlanes(p *pass) {
	for _, c := range model.Able(p) {
		owners := c.Owners()
		var planes []string
		for _, r := range c.Registered {
			planes = append(planes, r.Plane.Cluster.Context+" ("+r.Plane.Name+", "+r.Plane.Installed+")")
		}
		planes = finding.Distinct(planes)
		var evidence []finding.Evidence
		for _, by := range slices.Sorted(maps.Keys(owners)) {
			evidence = append(evidence, finding.Evidence{Field: "label " + by, Value: owners[by].String()})
		}
		for _, plane := range planes {
			evidence = append(evidence, finding.Evidence{Field: "registered with", Value: plane})
		}
		certificates := c.Claims()
		severity := finding.Warning
		for secret, by := range certificates {
			if len(by) > 1 {
				severity = finding.Error
				evidence = append(evidence, finding.Evidence{Field: "secret " + secret + " is issued by", Value: finding.List(by)})
			}
		}
		if len(owners) < 2 && len(planes) < 2 && severity == finding.Warning {
			continue
		}
		f := finding.Finding{
			Code: "CP206", Severity: severity, Clusters: []string{c.Context}, Object: finding.Kind("management planes"),
			Title: "two management planes write to the cluster", Evidence: evidence,
			Effect: "each deletes and replaces what the other one writes: certificates, ServiceEntries and gateways come and go",
			Fix: []finding.Step{finding.Say("Decide which one is to manage the cluster. Careful: deregistering removes what the other one wrote " +
				"to it, so that clients of its federated services fail.")},
		}
		for _, r := range c.Registered {
			args := []string{"meshctl", "cluster", "deregister"}
			if r.Plane.Generation == resources.Generations[0] {
				args = append(args, "--cluster-name="+r.Name)
			} else {
				args = append(args, "community", r.Name)
			}
			args = append(args, "--mgmt-context="+r.Plane.Cluster.Context, "--remote-context="+c.Context)
			step := finding.Say("Deregister it from %s:", r.Plane.Cluster.Context).By(finding.Shell(args...))
			if len(f.Fix) > 1 {
				step = step.Otherwise()
			}
			f.Fix = append(f.Fix, step)
		}
		p.Report(f)
	}
}
