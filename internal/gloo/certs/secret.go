package certs

import (
	"fmt"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/owner"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
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
		if f.CausedBy = cause(p, i, "CP206"); f.CausedBy != "" {
			f.Fix = remedy.ByItsCause() // it is of the other one
			p.Report(f)
			continue
		}
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
	for _, c := range model.Able(p) {
		for _, o := range c.Bounces(lastGeneration()) {
			if o.Status.String("state") != string(model.Failed) || !c.Older(&o.ObjectMeta, model.Settling) {
				continue
			}
			object := finding.In("podbouncedirective", o.Namespace, o.Name)
			p.Report(finding.Finding{
				Code: "CERT206", Severity: finding.Error, Clusters: []string{c.Context}, Object: object,
				Title: "the agent has failed to restart what needs the new certificate", Evidence: []finding.Evidence{stateOf(object, o)},
				Effect: "istiod or workloads go on with certificates from before",
				Fix:    []finding.Step{finding.Say("See what the agent says:").By(remedy.Logs(c.Context, o.Namespace, resources.CommercialAgent))},
			})
		}
	}
	for _, i := range able(p) {
		if i.Certificate == nil || i.Bounces == nil || i.Foreign() || i.Secret == nil || i.Plane.Generation == resources.Generations[0] {
			continue // releases up to 0.11 do not say how far they are
		}
		all, done := i.Bounces.Spec.List("podsToBounce"), i.Bounces.Status.List("podsBounced")
		if i.State() != "ISSUED" || len(done) >= len(all) || !i.Old(i.Bounces) || !i.Cluster.Older(&i.Bounces.ObjectMeta,
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
		if what := waits(i, all, len(done)); what != "" {
			f.Evidence = append(f.Evidence, finding.Evidence{Field: "the agent waits for", Value: what})
		}
		p.Report(f)
	}
}

// waits says what the agent waits for before it deletes the pods of an entry: those of the entry before have to be ready, as far as
// that one says so, and istiod has to have published the root in Secret cacerts (pod_bouncer.go, BouncePods). "" where that is not
// known.
func waits(i *model.Issue, all []api.Fields, done int) string {
	if ready, known := i.Ready(); known && done == 1 {
		if n := all[0].Int("waitForReplicas"); ready < n {
			return fmt.Sprintf("%d of the pods of istiod to be ready; %d are", n, ready)
		}
	}
	sync := all[done].Ref("rootCertSync", "configMapRef")
	if own, ok := i.RunsOn(); ok && sync.Name != "" && !pki.ParseBundle(i.Secret.Data[resources.KeyRoot]).Contains(own) {
		return fmt.Sprintf("configmap %s/%s with the root of Secret cacerts, which istiod publishes once it has started with it", sync.Namespace,
			sync.Name)
	}
	return ""
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
