package certs

import (
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/remedy"
)

// verifying is how long somebody may take to verify that clusters reach one another.
const verifying = time.Hour

// rotation: Gloo Mesh Enterprise 1.2 replaces the shared root in steps, which it notes in the status of the
// VirtualMesh. The newest one counts.
func rotation(p *pass) {
	for _, plane := range model.AblePlanes(p) {
		for _, v := range plane.VirtualMeshes {
			all := v.Status.List("conditions")
			if len(all) == 0 {
				continue
			}
			last := newest(all)
			state := last.String("state")
			context := plane.Cluster.Context
			f := finding.Finding{
				Code: "CERT208", Severity: finding.Warning, Clusters: []string{context}, Object: v.Called(),
				Evidence: []finding.Evidence{{Field: "status.conditions, the newest one", Value: state}},
				Fix: []finding.Step{finding.Say("Careful: until it is clear what the clusters trust, do not restart istiod or workloads. Compare the " +
					"roots of the clusters with mesh-certs diff, and see what the management plane says:").By(remedy.PlaneLogs(plane))},
			}
			if at := last.String("timestamp"); at != "" {
				f.Evidence = append(f.Evidence, finding.Evidence{Field: "since", Value: at})
			}
			if why := last.String("message"); why != "" {
				f.Evidence = append(f.Evidence, finding.Evidence{Field: "message", Value: why})
			}
			for _, why := range last.Strings("errors") {
				f.Evidence = append(f.Evidence, finding.Evidence{Field: "errors", Value: why})
			}
			since, known := noted(last)
			switch {
			case state == string(model.Failed):
				f.Severity = finding.Error
				f.Title = "the rotation of the shared root has failed"
				f.Effect = "clusters can have the old root, the new one, or both: mTLS between them fails where they share none"
			case state == "ROLLING_BACK":
				f.Title = "the rotation of the shared root is taken back"
				f.Effect = "clusters go back to the old root; workloads that have certificates of the new one are not trusted without it"
			case state == "VERIFYING" && known && plane.Cluster.Now().Sub(since) > verifying:
				f.Severity = finding.Note
				f.Title = "the rotation of the shared root waits to be verified for more than an hour"
				f.Effect = "the next step does not begin; until then clusters trust the roots that the step before gave them"
				f.Fix = []finding.Step{finding.Say("Check that services of each cluster reach those of the others, and tell the management plane.")}
			default:
				continue
			}
			p.Report(f)
		}
	}
}

// noted is when a condition was noted; false where that cannot be read.
func noted(condition api.Fields) (time.Time, bool) {
	at, err := time.Parse(time.RFC3339, condition.String("timestamp"))
	return at, err == nil
}

// newest is the condition that was noted last; the last of the list where their times cannot be read.
func newest(all []api.Fields) api.Fields {
	out := all[len(all)-1]
	last, ok := noted(out)
	for _, c := range all {
		if at, known := noted(c); ok && known && at.After(last) {
			out, last = c, at
		}
	}
	return out
}
