package certs

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/owner"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// rootOf names the Secret with the root of a VirtualMesh.
func rootOf(v *model.VirtualMesh) finding.Object {
	ref := v.RootRef()
	return finding.In("secret", ref.Namespace, ref.Name)
}

// signingRoot: the management plane signs with the key in a Secret that people gave it, or else in one that it makes again, with
// another root, when it is gone. It looks at it when a cluster requests a certificate (certificates/issuer/translation). Until then
// nobody says that it does not fit.
func signingRoot(p *pass) {
	for _, plane := range model.AblePlanes(p) {
		for _, v := range plane.VirtualMeshes {
			if v.RootRef().Name == "" {
				continue
			}
			if why, lacks := rule.Lacks(plane.Cluster.Cluster, resources.RootSecrets); lacks {
				p.NotChecked(plane.Cluster.Context, why)
				continue
			}
			var issues []*model.Issue
			for _, i := range p.Model.Issues() {
				if i.VirtualMesh == v && p.Able(i.Cluster.Context) {
					issues = append(issues, i)
				}
			}
			rootFault(p, v, issues)
		}
	}
}

// rootFault reports what is wrong with the given root of a VirtualMesh.
func rootFault(p *pass, v *model.VirtualMesh, issues []*model.Issue) {
	plane, object := v.Plane, rootOf(v)
	field, value := "spec.mtlsConfig.shared.rootCertificateAuthority.secret", object.Namespace+"/"+object.Name
	if v.GivenRoot().Name == "" {
		field, value = "spec.mtlsConfig.shared", "names no Secret: the management plane keeps the root in "+object.String()
	}
	f := finding.Finding{
		Code: "CERT210", Severity: finding.Warning, Clusters: []string{plane.Cluster.Context}, Object: object,
		Evidence: []finding.Evidence{{Field: v.Called().String() + ", " + field, Value: value}},
		Effect:   "the next cluster that joins the VirtualMesh, or whose certificate is issued again, gets none",
	}
	evidence := func(field, value string) {
		if field != "" {
			field = ", " + field
		}
		f.Evidence = append(f.Evidence, finding.Evidence{Field: object.String() + field, Value: value})
	}
	var waiting []string
	for _, i := range issues {
		if i.AgentNamespace() != "" && i.State() != "FINISHED" {
			waiting = append(waiting, i.Cluster.Context)
		}
	}
	if len(waiting) > 0 {
		f.Severity = finding.Error
		f.Effect = "the management plane signs no certificate for " + finding.List(waiting)
	}
	secret := v.Root()
	switch problem := unfit(secret); {
	case slices.ContainsFunc(issues, (*model.Issue).FromRoot):
		f.Severity = finding.Error
		f.Title = "the VirtualMesh has its root of the Secret cacerts that its agent writes"
		f.Effect = "the agent of the management cluster replaces the root, or does not get on; nothing signs certificates then"
		f.Fix = remedy.Edit(&v.Written, "Copy the root to a Secret of another name and another namespace, and name that one in "+
			"spec.mtlsConfig.shared.rootCertificateAuthority.secret:")
	case secret == nil && v.GivenRoot().Name == "":
		return // the management plane makes another one
	case secret == nil:
		if len(waiting) == 0 {
			f.Severity = finding.Note // some keep the key elsewhere once all clusters have their certificates
		}
		f.Title = "the Secret with the root of the VirtualMesh does not exist"
		evidence("", "missing")
		f.Fix = []finding.Step{
			finding.Say("Put root-cert.pem and key.pem of the root into the current directory, and create the Secret:").By(written(v)),
			signAgain(plane),
		}
	case problem != (fault{}):
		f.Title = problem.title
		evidence(problem.field, problem.value)
		f.Fix = append(owner.Of(&secret.ObjectMeta).Steps(plane.Cluster.Context, object), replaced(v, secret), signAgain(plane))
	default:
		for _, i := range issues {
			if why, lacks := rule.Lacks(i.Cluster.Cluster, resources.CACerts); lacks {
				p.NotChecked(i.Cluster.Context, why)
			}
		}
		others := ofOtherRoots(v, secret, issues)
		if len(others) == 0 {
			return
		}
		f.Title = "the root of the VirtualMesh is not the one that its clusters have"
		evidence(resources.KeyRoot, "root "+shorts(secret.Data[resources.KeyRoot]))
		for _, i := range others {
			f.Evidence = append(f.Evidence, finding.Evidence{
				Cluster: i.Cluster.Context, Field: "secret cacerts, root-cert.pem", Value: "root " + shorts(i.Secret.Data[resources.KeyRoot]),
			})
		}
		f.Severity = finding.Warning
		f.Effect = "the next cluster that joins the VirtualMesh, or whose certificate is issued again, does not trust the others"
		f.Fix = append(owner.Of(&secret.ObjectMeta).Steps(plane.Cluster.Context, object), replaced(v, secret),
			finding.Say("If the root was changed on purpose, the certificates of all clusters have to be issued again. Careful: mTLS between "+
				"clusters of the old and the new root fails until all of them have it, and all workloads were restarted.").Otherwise())
	}
	p.Report(f)
}

// fault is what keeps a root from signing.
type fault struct{ title, field, value string }

// unfit is what keeps the root in a Secret from signing certificates that it verifies; none where that can be.
func unfit(s *corev1.Secret) fault {
	if s == nil {
		return fault{}
	}
	var lacks []string
	for _, key := range []string{resources.KeyRoot, resources.KeyRootKey} {
		if len(strings.TrimSpace(string(s.Data[key]))) == 0 {
			lacks = append(lacks, key)
		}
	}
	if len(lacks) > 0 {
		return fault{"the Secret with the root of the VirtualMesh is not whole", "missing or empty", strings.Join(lacks, ", ")}
	}
	root, ok := pki.ParseBundle(s.Data[resources.KeyRoot]).First()
	if !ok {
		return fault{"the root of the VirtualMesh cannot be read", resources.KeyRoot, "the first block is not a certificate"}
	}
	key := pki.ParsePrivateKey(s.Data[resources.KeyRootKey])
	switch {
	case key.Problem != "":
		return fault{"the key of the VirtualMesh's root cannot be read", resources.KeyRootKey, key.Problem}
	case key.PublicKeySHA256 != root.PublicKeySHA256():
		return fault{"the key of the VirtualMesh's root is not that of its certificate", "public keys", "of " + resources.KeyRootKey + " " +
			pki.Short(key.PublicKeySHA256) + ", of " + resources.KeyRoot + " " + pki.Short(root.PublicKeySHA256())}
	}
	return fault{}
}

// ofOtherRoots are the certificates of which the agents have another root than the one that is given. While a root is
// rotated that is as it should be.
func ofOtherRoots(v *model.VirtualMesh, root *corev1.Secret, issues []*model.Issue) []*model.Issue {
	if len(v.Status.List("conditions")) > 0 {
		return nil
	}
	given := pki.ParseBundle(root.Data[resources.KeyRoot])
	return slices.DeleteFunc(slices.Clone(issues), func(i *model.Issue) bool {
		if i.Secret == nil || i.Foreign() || len(i.Lacks()) > 0 {
			return true
		}
		has := pki.ParseBundle(i.Secret.Data[resources.KeyRoot]).Certificates
		return len(has) == 0 || slices.ContainsFunc(has, given.Contains)
	})
}

// shorts are the certificates of a bundle as a person compares them.
func shorts(bundle []byte) string {
	var out []string
	for _, c := range pki.ParseBundle(bundle).Certificates {
		out = append(out, pki.Short(c.SHA256))
	}
	return finding.List(out)
}

// written is the command that makes the Secret with a root of the files in the current directory.
func written(v *model.VirtualMesh, further ...string) finding.Command {
	ref := v.RootRef()
	args := []string{"-n", ref.Namespace, "create", "secret", "generic", ref.Name, "--from-file=root-cert.pem", "--from-file=key.pem"}
	args = append(args, further...)
	return finding.Kubectl(v.Plane.Cluster.Context, args...)
}

// replaced is the step that writes the Secret again, in its type, which no API server changes.
func replaced(v *model.VirtualMesh, secret *corev1.Secret) finding.Step {
	var further []string
	if secret.Type != "" && secret.Type != corev1.SecretTypeOpaque {
		further = []string{"--type=" + string(secret.Type)}
	}
	return finding.Say("Careful: what the Secret has now is lost. Put root-cert.pem and key.pem of the root that the clusters have into the " +
		"current directory, and replace the Secret:").
		By(written(v, append(further, "--dry-run=client", "-o", "yaml")...).To(finding.Kubectl(v.Plane.Cluster.Context, "replace", "-f", "-")))
}

// signAgain is the step that has the management plane look at requests again: it does not watch the Secret.
func signAgain(plane *model.Plane) finding.Step {
	return finding.Say("Then restart the management plane, which signs the requests that wait:").By(remedy.RestartPlane(plane))
}
