package certs

import (
	"fmt"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/owner"
)

// recent is how young istiod's pods are where something restarts them again and again.
const recent = 5 * time.Minute

// foreign: Secret cacerts is not the agent's. It cannot change the type of the Secret, and then no longer reads
// the namespace: it never gets on, and deletes istiod's pods again and again where it may restart them
// (solo-io/gloo-mesh#1519).
func foreign(p *pass) {
	for _, i := range able(p) {
		if i.Certificate == nil || !i.Foreign() || !targets(i) {
			continue
		}
		object := finding.In("secret", i.Secret.Namespace, i.Secret.Name)
		label := i.Plane.AgentLabel()
		f := finding.Finding{
			Code: "CERT205", Severity: finding.Error, Clusters: []string{i.Cluster.Context}, Object: object,
			Title: "Secret cacerts was there before, and the agent cannot replace it",
			Evidence: []finding.Evidence{
				{Field: object.String() + ", label " + label, Value: "missing"},
				{Field: object.String() + ", type", Value: string(i.Secret.Type)},
				stateOf(finding.In("issuedcertificate", i.Certificate.Namespace, i.Certificate.Name), i.Certificate),
			},
			Effect: unshared(i),
		}
		if f.CausedBy = cause(p, i, "CERT210"); i.FromRoot() && f.CausedBy != "" {
			f.Fix = remedy.ByItsCause() // to delete the Secret would lose the root
			p.Report(f)
			continue
		}
		f.CausedBy = ""
		young := 0
		for _, pod := range resources.IstiodPods.Of(i.Cluster.Cluster).Value {
			if !pod.Created.IsZero() && i.Cluster.Now().Sub(pod.Created) < recent {
				young++
			}
		}
		if i.VirtualMesh.Restarts() {
			if young > 0 && i.State() == "ISSUED" {
				f.Evidence = append(f.Evidence, finding.Evidence{Field: "pods of istiod younger than 5 minutes", Value: fmt.Sprint(young)})
				f.Effect = "the agent deletes the pods of istiod again and again; " + f.Effect
			}
			f.Fix = append(f.Fix, remedy.Edit(&i.VirtualMesh.Written, "Stop the restarts first: set spec.mtlsConfig.autoRestartPods to false:")...)
		}
		f.Fix = append(f.Fix, owner.Of(&i.Secret.ObjectMeta).Steps(i.Cluster.Context, object)...)
		backup := finding.Kubectl(i.Cluster.Context, "-n", object.Namespace, "get", "secret", object.Name, "-o", "yaml")
		backup.Into = "cacerts-backup.yaml"
		f.Fix = append(f.Fix,
			finding.Say("Save the Secret. The file holds the private key of the CA: keep it safe.").By(backup),
			finding.Say("Careful: the cluster changes its root. From the next start of istiod, mTLS between old and new workloads fails until "+
				"all are "+
				"restarted. Delete the Secret, and restart the agent, which writes another one:").
				By(finding.Kubectl(i.Cluster.Context, "-n", object.Namespace, "delete", "secret", object.Name),
					remedy.Restart(i.Cluster.Context, i.Certificate.Namespace, agentName(i))),
		)
		p.Report(f)
	}
}

// notRestarted: the certificate is there, and what has to start with it was not restarted, since what was
// restarted first is not ready, or has not published the root.
func notRestarted(p *pass) {
	for _, i := range able(p) {
		if i.Certificate == nil || i.Bounces == nil || i.Foreign() || i.Secret == nil || i.Plane.Generation == resources.Generations[0] {
			continue // releases up to 0.11 do not say how far they are
		}
		all, done := i.Bounces.Spec.List("podsToBounce"), i.Bounces.Status.List("podsBounced")
		failed := i.Bounces.Status.String("state") == "FAILED"
		if i.State() != "ISSUED" && !failed || len(done) >= len(all) || !i.Old(i.Bounces) || !i.Cluster.Older(&i.Bounces.ObjectMeta,
			model.Settling) {
			continue
		}
		object := finding.In("podbouncedirective", i.Bounces.Namespace, i.Bounces.Name)
		next := all[len(done)]
		f := finding.Finding{
			Code: "CERT206", Severity: finding.Warning, Clusters: []string{i.Cluster.Context}, Object: object,
			Title: "the agent has not restarted all that needs the new certificate",
			Evidence: []finding.Evidence{
				{Field: object.String() + ", status.podsBounced", Value: fmt.Sprintf("%d of %d", len(done), len(all))},
				{Field: "next are pods in", Value: next.String("namespace")},
			},
			Effect: "istiod or workloads go on with certificates from before",
			Fix: []finding.Step{finding.Say("See what the agent waits for: pods that it restarted and that are not ready, or configmaps "+
				"istio-ca-root-cert:").
				By(remedy.Logs(i.Cluster.Context, i.Bounces.Namespace, agentName(i)),
					finding.Kubectl(i.Cluster.Context, "-n", i.System, "get", "pods"))},
			CausedBy: cause(p, i, "CP202"),
		}
		if failed {
			f.Severity = finding.Error
			f.Evidence = append(f.Evidence, stateOf(object, i.Bounces))
		}
		p.Report(f)
	}
}

// notShared: without a shared root nothing makes meshes trust each other; some have one from elsewhere.
func notShared(p *pass) {
	for _, plane := range model.AblePlanes(p) {
		for _, v := range plane.VirtualMeshes {
			if v.Shares() || len(v.Members) < 2 {
				continue
			}
			value := "missing"
			if v.Spec.Has("mtlsConfig", "limited") {
				value = "limited"
			}
			p.Report(finding.Finding{
				Code: "CERT207", Severity: finding.Note, Clusters: []string{plane.Cluster.Context}, Object: v.Called(),
				Title:    "the VirtualMesh gives its meshes no common root",
				Evidence: []finding.Evidence{{Field: "spec.mtlsConfig", Value: value}},
				Effect:   "its meshes trust each other only if they have a common root from elsewhere",
				Fix: []finding.Step{finding.Say("Nothing has to be done if they have one. Else set spec.mtlsConfig.shared; istiod and all workloads " +
					"have to be restarted then.")},
			})
		}
	}
}
