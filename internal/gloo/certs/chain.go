package certs

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
)

// unshared is what clients notice of a cluster that has not the shared root.
func unshared(i *model.Issue) string {
	return "istiod in " + i.Cluster.Context + " does not sign under the shared root: mTLS with the other clusters fails"
}

// listed is the evidence that a VirtualMesh wants a certificate for a member.
func listed(i *model.Issue) finding.Evidence {
	return finding.Evidence{
		Cluster: i.VirtualMesh.Plane.Cluster.Context, Field: i.VirtualMesh.Called().String() + ", spec.mtlsConfig.shared",
		Value: "lists mesh " + i.Name,
	}
}

// noAgent: for a mesh of which the management plane knows no agent it orders no certificate, and the
// VirtualMesh is accepted all the same (mtls_translator.go, configureSharedTrust).
func noAgent(p *pass) {
	for _, i := range able(p) {
		if i.AgentNamespace() != "" {
			continue
		}
		plane := i.Plane
		f := finding.Finding{
			Code: "CERT201", Severity: finding.Error, Clusters: []string{i.Cluster.Context}, Object: finding.Kind("agent"),
			Title: "the cluster has no agent that the management plane knows, so it gets no certificate",
			Evidence: []finding.Evidence{
				listed(i),
				{Cluster: plane.Cluster.Context, Field: i.Discovered().String() + ", spec.agentInfo", Value: "missing"},
			},
			Effect: unshared(i), Fix: []finding.Step{remedy.Register(i.Registration)},
		}
		if resources.Deployments.Of(i.Cluster.Cluster).Known() {
			agents := i.Cluster.Agents()
			if len(agents) == 0 {
				f.Evidence = append(f.Evidence, finding.Evidence{Field: "deployments with label app=" + resources.CertAgent, Value: "none"})
			}
			for _, d := range agents {
				f.Evidence = append(f.Evidence, finding.Evidence{
					Field: "deployment " + d.Namespace + "/" + d.Name, Value: fmt.Sprintf("%d available; label app of its pods is %s",
						d.Status.AvailableReplicas, said(d.Spec.Template.Labels["app"])),
				})
			}
			if len(agents) > 0 && model.Available(agents[0]) {
				f.Fix = []finding.Step{
					finding.Say("Discovery finds agents by label app of their pods, which has to be %s. See what it says:", resources.CertAgent).
						By(remedy.Logs(plane.Cluster.Context, plane.Installed, resources.Discovery)),
					remedy.Register(i.Registration).Otherwise(),
				}
			}
		}
		f.CausedBy = cause(p, i, "CP202", "CP201", "CP204")
		p.Report(f)
	}
}

func said(value string) string {
	if value == "" {
		return "missing"
	}
	return value
}

// keep is the step that says that istiod must not start: it works with the shared root, which only its
// memory has.
func keep(i *model.Issue) []finding.Step {
	if !i.Lost() {
		return nil
	}
	return []finding.Step{finding.Say("Careful: do not restart istiod in %s until this is fixed, neither by an upgrade nor by a drain of "+
		"its nodes. "+
		"The agent has deleted Secret cacerts; istiod still works with what it had, and starts with a root of its own.", i.Cluster.Context)}
}

// inMemory is the evidence that istiod has the shared root, and nothing else of the cluster.
func inMemory(i *model.Issue) []finding.Evidence {
	root, _ := i.RunsOn()
	if !i.Lost() {
		return nil
	}
	return []finding.Evidence{
		{Field: "secret cacerts", Value: "missing"},
		{Field: "configmap istio-ca-root-cert, which istiod writes", Value: "the shared root (" + pki.Short(root.SHA256) + ")"},
	}
}

// notOrdered: the management plane has not written an IssuedCertificate. It writes none for a VirtualMesh
// that is not in effect, and collects the one of before: then the agent deletes Secret cacerts.
func notOrdered(p *pass) {
	for _, i := range able(p) {
		if i.Certificate != nil || i.AgentNamespace() == "" || !i.Cluster.Older(&i.VirtualMesh.ObjectMeta, model.Settling) {
			continue
		}
		plane := i.Plane
		f := finding.Finding{
			Code: "CERT202", Severity: finding.Error, Clusters: []string{i.Cluster.Context},
			Object: finding.In("issuedcertificate", i.AgentNamespace(), i.Name),
			Title:  "the management plane has ordered no certificate for the cluster",
			Evidence: append([]finding.Evidence{
				listed(i), {Field: "issuedcertificate " + i.AgentNamespace() + "/" + i.Name, Value: "missing"},
			}, inMemory(i)...),
			Effect:   unshared(i),
			CausedBy: cause(p, i, whyNothing...),
		}
		f.Fix = append(keep(i), finding.Say("See why the management plane does not write to the cluster:").By(remedy.PlaneLogs(plane)))
		if len(keep(i)) > 0 {
			f.Effect = "when istiod in " + i.Cluster.Context + " starts again, it signs under a root of its own: mTLS with the other clusters fails"
		}
		if f.CausedBy != "" {
			f.Fix = append(keep(i), remedy.ByItsCause()...)
		}
		p.Report(f)
	}
}

// notIssued: the IssuedCertificate does not come to its end. While a request waits, releases differ in what
// they say of it, some another thing every second: its age decides, and whether the Secret is there. That goes as soon as a
// certificate is requested again: the agent collects what is not part of the step that it is at (cert_agent_reconciler.go).
func notIssued(p *pass) {
	commercial(p)
	for _, i := range able(p) {
		if i.Certificate == nil || i.Foreign() || i.InPods() {
			continue
		}
		state, failed := i.State(), i.State() == string(model.Failed)
		if state == "FINISHED" && i.Certificate.Status.Int("observedGeneration") == i.Certificate.Generation ||
			!i.Old(i.Certificate) || !i.Cluster.Older(&i.Certificate.ObjectMeta, model.Settling) && !failed || i.Secret != nil && !failed {
			continue
		}
		if i.Secret == nil && (state == "FINISHED" || state == "ISSUED") {
			continue // the agent has lost it
		}
		plane := i.Plane
		object := finding.In("issuedcertificate", i.Certificate.Namespace, i.Certificate.Name)
		f := finding.Finding{
			Code: "CERT203", Severity: finding.Error, Clusters: []string{i.Cluster.Context}, Object: object,
			Evidence: []finding.Evidence{stateOf(object, i.Certificate)}, Effect: unshared(i),
		}
		agent := func() finding.Step {
			return finding.Say("See what the agent says, and restart it:").
				By(remedy.Logs(i.Cluster.Context, i.Certificate.Namespace, agentName(i)), remedy.Restart(i.Cluster.Context,
					i.Certificate.Namespace, agentName(i)))
		}
		switch {
		case i.Request == nil:
			f.Title = "the agent has requested no certificate"
			f.Evidence = append(f.Evidence, finding.Evidence{Field: "certificaterequest " + object.Namespace + "/" + object.Name, Value: "missing"})
			f.Fix = []finding.Step{agent()}
			f.CausedBy = cause(p, i, "CP202", "CP203", "CP206")
			if state == string(model.Failed) {
				f.Title = "the agent has failed to get a certificate"
				f.CausedBy = cmp.Or(f.CausedBy, cause(p, i, "CERT210"))
			}
		case i.Request.Status.String("state") == string(model.Failed):
			f.Title = "the management plane has refused to sign the certificate"
			f.Evidence = append(f.Evidence, stateOf(finding.In("certificaterequest", object.Namespace, object.Name), i.Request))
			f.Fix = rootSecret(i)
			f.CausedBy = cause(p, i, "CERT210", "CP206", "CP203")
		default:
			f.Title = "the management plane has not signed the certificate"
			f.Evidence = append(f.Evidence, stateOf(finding.In("certificaterequest", object.Namespace, object.Name), i.Request))
			f.Fix = []finding.Step{finding.Say("See why it does not look at the cluster, and restart it:").By(remedy.PlaneLogs(plane),
				remedy.RestartPlane(plane))}
			f.CausedBy = cause(p, i, "CP201", "CP204", "CP203", "CP206", "CP202")
		}
		if i.Secret != nil {
			f.Severity = finding.Warning
			f.Effect = "istiod keeps the certificate that it has; what changed in the VirtualMesh has no effect"
		}
		f.Fix = append(keep(i), f.Fix...)
		p.Report(f)
	}
}

// lastGeneration is that of releases from 2.0 on: they say the same of their certificates, whatever orders them.
func lastGeneration() *resources.Generation {
	return resources.Generations[len(resources.Generations)-1]
}

// commercial: a certificate of a release from 2.0 on has failed.
func commercial(p *pass) {
	for _, c := range model.Able(p) {
		for _, o := range c.Certificates(lastGeneration()) {
			if o.Status.String("state") != string(model.Failed) || !c.Older(&o.ObjectMeta, model.Settling) {
				continue
			}
			object := finding.In("issuedcertificate", o.Namespace, o.Name)
			p.Report(finding.Finding{
				Code: "CERT203", Severity: finding.Error, Clusters: []string{c.Context}, Object: object,
				Title: "the agent has failed to get a certificate", Evidence: []finding.Evidence{stateOf(object, o)},
				Effect: "istiod in " + c.Context + " does not get the certificate that the root trust policy promises",
				Fix:    []finding.Step{finding.Say("See what the agent says:").By(remedy.Logs(c.Context, o.Namespace, resources.CommercialAgent))},
			})
		}
	}
}

// stateOf is the evidence of what an object says of itself.
func stateOf(object finding.Object, o *api.Object) finding.Evidence {
	value := o.Status.String("state")
	if value == "" {
		value = "PENDING (no state)"
	}
	if why := o.Status.String("error"); why != "" {
		value += ": " + why
	}
	return finding.Evidence{Field: object.String() + ", status.state", Value: value}
}

func agentName(i *model.Issue) string {
	for _, d := range i.Cluster.Agents() {
		if d.Namespace == i.Certificate.Namespace {
			return d.Name
		}
	}
	return resources.CertAgent
}

// rootSecret is the fix of a certificate that cannot be signed: the root's Secret is missing or not fit.
func rootSecret(i *model.Issue) []finding.Step {
	ref := i.VirtualMesh.GivenRoot()
	plane := i.Plane
	if ref.Name == "" {
		return []finding.Step{finding.Say("See what the management plane says of the root, which it keeps in Secret %s.%s of namespace %s:",
			i.VirtualMesh.Name, i.VirtualMesh.Namespace, plane.Installed).By(remedy.PlaneLogs(plane))}
	}
	return []finding.Step{finding.Say("Check that Secret %s/%s exists with keys root-cert.pem and key.pem, and that the key is that of "+
		"the certificate:",
		ref.Namespace, ref.Name).By(finding.Kubectl(plane.Cluster.Context, "-n", ref.Namespace, "describe", "secret", ref.Name))}
}

// secretLost: the IssuedCertificate is finished, and the Secret is not there, or not whole.
func secretLost(p *pass) {
	for _, i := range able(p) {
		if i.Certificate == nil || i.Foreign() || !targets(i) || !i.Old(i.Certificate) {
			continue
		}
		state := i.State()
		lacks := i.Lacks()
		if state != "FINISHED" && state != "ISSUED" || i.Secret != nil && len(lacks) == 0 {
			continue
		}
		object := finding.In("secret", i.Cluster.SystemNamespace, "cacerts")
		f := finding.Finding{
			Code: "CERT204", Severity: finding.Error, Clusters: []string{i.Cluster.Context}, Object: object,
			Title: "Secret cacerts is missing, though the certificate was issued",
			Evidence: append([]finding.Evidence{
				stateOf(finding.In("issuedcertificate", i.Certificate.Namespace, i.Certificate.Name), i.Certificate),
			}, inMemory(i)...),
			Effect: unshared(i),
			Fix: append(keep(i), finding.Say("Restart the agent, which issues a certificate again:").
				By(remedy.Restart(i.Cluster.Context, i.Certificate.Namespace, agentName(i)))),
			CausedBy: cause(p, i, "CP202", "CP206"),
		}
		if len(lacks) > 0 {
			f.Title = "Secret cacerts of the agent is not whole"
			f.Evidence = append(f.Evidence, finding.Evidence{Field: object.String() + ", missing or empty", Value: strings.Join(lacks, ", ")})
			f.Fix = []finding.Step{
				finding.Say("Careful: until the agent has issued another certificate, do not restart istiod. Delete the Secret, and restart the "+
					"agent:").
					By(finding.Kubectl(i.Cluster.Context, "-n", object.Namespace, "delete", "secret", object.Name),
						remedy.Restart(i.Cluster.Context, i.Certificate.Namespace, agentName(i))),
			}
		}
		p.Report(f)
	}
}

// targets reports whether the certificate is for Secret cacerts of the namespace that was read.
func targets(i *model.Issue) bool {
	ref := i.Certificate.Spec.Ref("issuedCertificateSecret")
	return ref.Name == "cacerts" && ref.Namespace == i.Cluster.SystemNamespace
}
