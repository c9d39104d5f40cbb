package endpoints

import (
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pattern"
)

// label is what a part of a Service's name may be made of.
var label = pattern.Of(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)

// names: mirrors are called SERVICE-TARGET, so that the target's name has to fit into the name of a
// Service, and two Links with one name write the same mirrors.
func names(p *pass) {
	for _, c := range model.Able(p) {
		by := map[string][]*model.Link{}
		for _, l := range c.Links {
			by[l.TargetName()] = append(by[l.TargetName()], l)
		}
		for _, l := range c.Links {
			f := finding.Finding{Code: "EP117", Severity: finding.Error, Clusters: []string{c.Context}, Object: l.Object()}
			same := by[l.TargetName()]
			switch {
			case !label().MatchString(l.TargetName()):
				f.Title = "no mirror can have the target's name in its name"
				f.Evidence = []finding.Evidence{{Field: "spec.targetClusterName", Value: orNothing(l.TargetName())}}
				f.Effect = "the API server refuses SERVICE-" + l.TargetName() + " as the name of a Service: nothing is mirrored"
				f.Fix = linkAnew(l)
			case len(same) > 1 && wrong(same) == l:
				f.Title = fmt.Sprintf("%s have the target name %s", finding.Plural(len(same), "Link"), l.TargetName())
				for _, o := range same {
					f.Evidence = append(f.Evidence, finding.Evidence{
						Field: o.Object().String() + ", spec.targetClusterName", Value: o.TargetName() + leads(o),
					})
				}
				f.Effect = "their controllers write over and delete each other's mirrors: endpoints of SERVICE-" + l.TargetName() + " come and go"
				f.Fix = []finding.Step{finding.Say("Link the cluster again under a name of its own:").By(remedyNamed(l, l.Name))}
				if l.Name == l.TargetName() {
					f.Fix = linkAnew(l)
				}
			default:
				continue
			}
			p.Report(f)
		}
	}
}

// wrong is the one of several Links of one target name that should have another one: one whose
// own name is another, else the last.
func wrong(same []*model.Link) *model.Link {
	for _, l := range same {
		if l.Name != l.TargetName() {
			return l
		}
	}
	return same[len(same)-1]
}

func leads(l *model.Link) string {
	if l.Target == nil {
		return ""
	}
	return ", leads to " + l.Target.Context
}

func orNothing(value string) string {
	if value == "" {
		return "nothing"
	}
	return value
}

// newName stands for a name that a person chooses.
const newName = "NAME"

func remedyNamed(l *model.Link, name string) finding.Command {
	out := remedy.Generate(l)
	for i, a := range out.Args {
		if strings.HasPrefix(a, "--cluster-name=") {
			out.Args[i] = "--cluster-name=" + name
		}
	}
	return out
}

// linkAnew are the steps that make a Link under another name.
func linkAnew(l *model.Link) []finding.Step {
	c := l.Source.Context
	secret := l.Spec.ClusterCredentialsSecret
	commands := []finding.Command{finding.Kubectl(c, "-n", l.Namespace, "delete", "links.multicluster.linkerd.io/"+l.Name)}
	if secret != "" {
		commands = append(commands, finding.Kubectl(c, "-n", l.Namespace, "delete", "secret/"+secret, "--ignore-not-found"),
			finding.Kubectl(c, "-n", l.Source.Namespace, "delete", "secret/"+secret, "--ignore-not-found"))
	}
	return []finding.Step{
		finding.Say("Choose a name of lower-case letters, digits and hyphens, and link the cluster under it:").
			By(remedyNamed(l, newName).Blank(newName)),
		finding.Say("Name the new Link among the controllers of the multicluster chart, in a file of values (link.ref.name)."),
		finding.Say("Careful: this deletes the old Link and its credentials, and its mirrors go with it:").By(commands...),
	}
}

// credentials: the service mirror reads the other cluster with the Secret that the Link names.
func credentials(p *pass) {
	for _, l := range model.AbleLinks(p) {
		f := finding.Finding{
			Code: "EP101", Severity: finding.Error, Clusters: []string{l.Source.Context}, Object: l.Object(),
			Effect: fmt.Sprintf("the controller cannot read %s: nothing is mirrored, and what is mirrored becomes old", target(l)),
		}
		name := l.Spec.ClusterCredentialsSecret
		switch {
		case name == "":
			f.Title = "the Link names no Secret with credentials"
			f.Evidence = []finding.Evidence{{Field: "spec.clusterCredentialsSecret", Value: "nothing"}}
			f.Evidence = append(f.Evidence, handMade(l)...)
		case l.Credentials == nil:
			f.Title = "the Secret with the credentials of the Link is missing"
			f.Evidence = []finding.Evidence{{Field: "secret " + l.Namespace + "/" + name, Value: "does not exist, or is of another type"}}
		case l.Credentials.Kubeconfig.Problem != "":
			f.Object = l.Credentials.Object()
			f.Title = "the credentials of the Link cannot be used"
			f.Evidence = []finding.Evidence{{Field: "kubeconfig", Value: l.Credentials.Kubeconfig.Problem}}
		default:
			continue
		}
		f.Fix = []finding.Step{finding.Say("Link the cluster again, which writes the Link and both Secrets:").By(remedy.Generate(l))}
		p.Report(f)
	}
}

// handMade is what a Link lacks that link-gen writes.
func handMade(l *model.Link) []finding.Evidence {
	var out []finding.Evidence
	for _, of := range []struct{ field, value string }{
		{"spec.targetClusterDomain", l.Spec.TargetClusterDomain},
		{"spec.targetClusterLinkerdNamespace", l.Spec.TargetClusterLinkerdNamespace},
	} {
		if of.value == "" {
			out = append(out, finding.Evidence{Field: of.field, Value: "nothing"})
		}
	}
	return out
}

func target(l *model.Link) string {
	if l.Target != nil {
		return l.Target.Context
	}
	return "cluster " + l.TargetName()
}

// destination: the destination controller has a copy of the credentials of its own, in its
// namespace, by which it asks the other cluster for pods. Services through the gateway do without.
func destination(p *pass) {
	for _, l := range model.AbleLinks(p) {
		uses := l.UsesDestination()
		f := finding.Finding{Code: "EP102", Severity: finding.Error, Clusters: []string{l.Source.Context}}
		object := finding.In("secret", l.Source.Namespace, resources.PrefixCredentials+l.TargetName())
		restart := finding.Say("Then restart the destination controller: it reads a Secret once, when it first sees it:").
			By(remedy.RestartDestination(l.Source))
		again := finding.Say("Link the cluster again, which writes the Link and both Secrets:").By(remedy.Generate(l))
		switch d := l.Destination; {
		case d == nil:
			f.Object = object
			f.Title = fmt.Sprintf("the destination controller has no credentials of %s", target(l))
			f.Evidence = []finding.Evidence{{Field: object.String(), Value: "does not exist"}}
			f.Fix = []finding.Step{again}
		case len(d.Fault()) > 0:
			f.Object = d.Object()
			f.Title = fmt.Sprintf("the destination controller ignores its credentials of %s", target(l))
			f.Evidence = []finding.Evidence{{Field: "missing", Value: strings.Join(d.Fault(), ", ")}}
			f.Fix = append(marking(l), restart)
		case d.Labels[resources.LabelCredentials] != l.TargetName():
			f.Object = d.Object()
			f.Title = fmt.Sprintf("the destination controller has the credentials of %s under another name", target(l))
			f.Evidence = []finding.Evidence{
				{Field: "label " + resources.LabelCredentials, Value: d.Labels[resources.LabelCredentials]},
				{Field: l.Object().String() + ", spec.targetClusterName", Value: l.TargetName()},
			}
			f.Fix = append(marking(l), restart)
		case d.Kubeconfig.Problem != "":
			f.Object = d.Object()
			f.Title = fmt.Sprintf("the destination controller cannot use its credentials of %s", target(l))
			f.Evidence = []finding.Evidence{{Field: "kubeconfig", Value: d.Kubeconfig.Problem}}
			f.Fix = []finding.Step{again, restart}
		case l.Credentials != nil && l.Credentials.Kubeconfig.Server != "" && l.Credentials.Kubeconfig.Server != d.Kubeconfig.Server &&
			len(uses) > 0 && !shared(l):
			f.Severity = finding.Warning
			f.Object = d.Object()
			f.Title = "the two copies of the credentials lead to different servers"
			f.Evidence = []finding.Evidence{
				{Field: l.Credentials.Object().String() + ", server", Value: l.Credentials.Kubeconfig.Server},
				{Field: d.Object().String() + ", server", Value: d.Kubeconfig.Server},
			}
			f.Effect = "if one of them is wrong, either mirrors become old, or clients of " + finding.List(uses) + " lose endpoints"
			f.Fix = []finding.Step{again, restart}
			p.Report(f)
			continue
		default:
			continue
		}
		if len(uses) == 0 {
			f.Severity = finding.Note
			f.Effect = "none yet: no service of it is reached by remote discovery"
		} else {
			f.Effect = "clients of " + finding.List(uses) + " get no endpoints of " + target(l)
			f.Evidence = append(f.Evidence, finding.Evidence{Field: "services that need them", Value: strings.Join(uses, ", ")})
		}
		p.Report(f)
	}
}

// shared reports whether another Link of the cluster has the same target name.
func shared(l *model.Link) bool {
	return slices.ContainsFunc(l.Source.Links, func(o *model.Link) bool { return o != l && o.TargetName() == l.TargetName() })
}

// marking are the steps that give a Secret what the destination controller wants of it: at its
// owner, if it has one.
func marking(l *model.Link) []finding.Step {
	d := l.Destination
	n := func(args ...string) finding.Command {
		return finding.Kubectl(l.Source.Context, append([]string{"-n", d.Namespace}, args...)...)
	}
	domain, trust := l.Spec.TargetClusterDomain, ""
	if l.Target != nil && l.Target.ValuesKnown {
		domain, trust = l.Target.Values.Domain(), l.Target.Values.TrustDomain()
	}
	if domain == "" {
		domain = "cluster.local"
	}
	if trust == "" {
		trust = domain
	}
	out := d.Owner().Steps(l.Source.Context, d.Object())
	if d.Type != resources.TypeCredentials {
		return append(out, finding.Say("The type of a Secret cannot be changed. Careful: delete it, and link the cluster again:").
			By(n("delete", "secret/"+d.Name), remedy.Generate(l)))
	}
	return append(out, finding.Say("Give the Secret the label and both annotations:").By(
		n("label", "secret/"+d.Name, resources.LabelCredentials+"="+l.TargetName(), "--overwrite"),
		n("annotate", "secret/"+d.Name, resources.AnnotationTrustDomain+"="+trust, resources.AnnotationClusterDomain+"="+domain, "--overwrite"),
	))
}

// tokens: a token dies with its service account, whose uid is in it, and at its end.
func tokens(p *pass) {
	for _, l := range model.AbleLinks(p) {
		seen := map[finding.Object]bool{}
		for _, c := range []*model.Credentials{l.Credentials, l.Destination} {
			if c == nil || seen[c.Object()] {
				continue
			}
			seen[c.Object()] = true
			t := c.Kubeconfig.Token
			if t == nil {
				if why := forgotten(l, c); why != nil && !seen[l.Object()] {
					seen[l.Object()] = true
					why.Fix = relink(l)
					p.Report(*why)
				}
				continue
			}
			f := finding.Finding{
				Code: "EP103", Severity: finding.Error, Clusters: []string{l.Source.Context}, Object: c.Object(),
				Effect: fmt.Sprintf("%s refuses whoever uses the token: mirrors become old, and remote discovery has no endpoints", target(l)),
				Fix:    relink(l),
			}
			now := l.Source.Now()
			account, known := accountUID(l, t.Subject)
			switch {
			case !t.Expires.IsZero() && now.After(t.Expires):
				f.Title = "the token of the credentials has expired"
				f.Evidence = []finding.Evidence{{Field: "token, exp", Value: t.Expires.UTC().Format(time.RFC3339)}}
			case known && account == "":
				f.Title = "the service account of the token is gone"
				f.Evidence = []finding.Evidence{{Field: "token, sub", Value: t.Subject}}
			case known && t.AccountUID != "" && account != t.AccountUID:
				f.Title = "the service account of the token was recreated"
				f.Evidence = []finding.Evidence{
					{Field: "token, uid of the service account", Value: t.AccountUID},
					{Cluster: l.Target.Context, Field: t.Subject + ", uid", Value: account},
				}
			case !t.Expires.IsZero() && t.Expires.Sub(now) < 72*time.Hour:
				f.Severity = finding.Warning
				f.Title = "the token of the credentials expires soon"
				f.Evidence = []finding.Evidence{{Field: "token, exp", Value: t.Expires.UTC().Format(time.RFC3339)}}
				f.Effect = fmt.Sprintf("after its end %s refuses whoever uses it", target(l))
			default:
				continue
			}
			p.Report(f)
		}
	}
}

func relink(l *model.Link) []finding.Step {
	return []finding.Step{
		finding.Say("Link the cluster again, which takes the token that is valid now:").By(remedy.Generate(l)),
		finding.Say("Then restart what uses it:").By(append(remedy.RestartControllers(l), remedy.RestartDestination(l.Source))...),
	}
}

// forgotten says of a token that claims nothing that it is dead, as far as its cluster shows that:
// the account is gone, or its only token is younger than the credentials and nobody has used it, which the
// API server would have noted. A token that is recreated for the same account is the same, and is used at once.
func forgotten(l *model.Link, c *model.Credentials) *finding.Finding {
	if l.Target == nil || c.Kubeconfig.Kind != "token" {
		return nil
	}
	f := &finding.Finding{
		Code: "EP103", Severity: finding.Error, Clusters: []string{l.Source.Context}, Object: c.Object(),
		Effect: fmt.Sprintf("%s refuses whoever uses the token: mirrors become old, and remote discovery has no endpoints", target(l)),
	}
	accounts := resources.Accounts.Of(l.Target.Cluster).Value
	bindings := resources.ClusterRoleBindings.Of(l.Target.Cluster).Value
	tokens := resources.Tokens.Of(l.Target.Cluster)
	remote := func(name string) bool { return strings.Contains(name, "remote-access") }
	bound := slices.IndexFunc(bindings, func(b rbacv1.ClusterRoleBinding) bool {
		return slices.ContainsFunc(b.Subjects, func(s rbacv1.Subject) bool { return s.Kind == rbacv1.ServiceAccountKind && remote(s.Name) })
	})
	there := slices.ContainsFunc(accounts, func(a corev1.ServiceAccount) bool { return remote(a.Name) })
	switch {
	case !tokens.Known():
		return nil
	case len(accounts) > 0 && bound >= 0 && !there && len(tokens.Value) == 0:
		f.Title = fmt.Sprintf("the service account of the token is gone in %s", l.Target.Context)
		f.Evidence = []finding.Evidence{{
			Cluster: l.Target.Context, Field: "clusterrolebinding " + bindings[bound].Name,
			Value: "is for service account " + bindings[bound].Subjects[0].Name + ", which does not exist",
		}}
	case len(tokens.Value) == 1 && tokens.Value[0].Labels[labelLastUsed] == "" && !tokens.Value[0].CreationTimestamp.IsZero() &&
		tokens.Value[0].CreationTimestamp.After(c.CreationTimestamp.Time):
		t := tokens.Value[0]
		f.Title = fmt.Sprintf("the token of the credentials is older than the account's token in %s", l.Target.Context)
		f.Evidence = []finding.Evidence{
			{Field: c.Object().String() + ", created", Value: c.CreationTimestamp.UTC().Format(time.RFC3339)},
			{Cluster: l.Target.Context, Field: "secret " + t.Namespace + "/" + t.Name, Value: "created " +
				t.CreationTimestamp.UTC().Format(time.RFC3339) + ", never used"},
		}
	default:
		return nil
	}
	return f
}

// labelLastUsed is what the API server notes of a token's Secret at its first use of a day.
const labelLastUsed = "kubernetes.io/legacy-token-last-used"

// accountUID is the uid of a service account in the target: "" where there is none. It is known where
// the account is one of the extension's and all of these were read.
func accountUID(l *model.Link, subject string) (uid string, known bool) {
	rest, ok := strings.CutPrefix(subject, "system:serviceaccount:")
	namespace, name, split := strings.Cut(rest, ":")
	if l.Target == nil || !ok || !split {
		return "", false
	}
	read := resources.Accounts.Of(l.Target.Cluster)
	for _, a := range read.Value {
		if a.Namespace == namespace && a.Name == name && a.UID != "" {
			return string(a.UID), true
		}
	}
	for _, s := range resources.Tokens.Of(l.Target.Cluster).Value {
		if s.Namespace == namespace && s.Annotations[corev1.ServiceAccountNameKey] == name {
			uid := s.Annotations[corev1.ServiceAccountUIDKey]
			return uid, uid != ""
		}
	}
	return "", false // one that somebody made without the extension's label
}

// rights: the service mirror and the destination controller watch several kinds in the other cluster, and
// each stops at what it may not read.
func rights(p *pass) {
	seen := map[finding.Object]map[string]bool{}
	for _, l := range model.AblePairs(p) {
		r, ok := l.Rights()
		if !ok || r.Undecided {
			continue
		}
		mirror, destination := r.MissingRights()
		if len(mirror)+len(destination) == 0 {
			continue
		}
		object := r.Account
		if r.Role != "" {
			object = finding.Named("clusterrole", r.Role)
		}
		if seen[object][l.Target.Context] {
			continue
		}
		if seen[object] == nil {
			seen[object] = map[string]bool{}
		}
		seen[object][l.Target.Context] = true
		f := finding.Finding{
			Code: "EP105", Severity: finding.Error, Clusters: []string{l.Target.Context}, Object: object,
			Title: fmt.Sprintf("%s may not read all that it has to in %s", l.Source.Context, l.Target.Context),
			Evidence: []finding.Evidence{
				{Field: "account", Value: r.Account.Namespace + "/" + r.Account.Name},
				{Field: "not allowed", Value: strings.Join(finding.Distinct(slices.Concat(mirror, destination)), ", ")},
			},
		}
		var effects []string
		if len(mirror) > 0 {
			effects = append(effects, "the service mirror does not start to mirror once it is restarted")
		}
		if uses := l.UsesDestination(); len(destination) > 0 && len(uses) > 0 {
			effects = append(effects, "clients of "+finding.List(uses)+" get no endpoints of "+l.Target.Context)
		} else if len(mirror) == 0 {
			f.Severity = finding.Warning
			effects = append(effects, "services by remote discovery will have no endpoints")
		}
		f.Effect = strings.Join(effects, "; ")
		f.Fix = []finding.Step{
			finding.Say("Upgrade the multicluster chart of %s, which has the role. Without Helm:", l.Target.Context).
				By(finding.Shell("linkerd", "--context="+l.Target.Context, "multicluster", "install").To(finding.Kubectl(l.Target.Context, "apply",
					"-f", "-"))),
			finding.Say("Then restart what uses it: both try the cluster once, when they start:").
				By(append(remedy.RestartControllers(l), remedy.RestartDestination(l.Source))...),
		}
		p.Report(f)
	}
}

// stale: the destination controller has no handler for changes of a Secret: credentials that were
// repaired or exchanged are not read (controller/api/destination/watcher/cluster_store.go).
func stale(p *pass) {
	for _, l := range model.AbleLinks(p) {
		since, is := l.Stale()
		if !is || len(l.Destination.Fault()) > 0 {
			continue
		}
		at, _ := l.Destination.Written()
		f := finding.Finding{
			Code: "EP106", Severity: finding.Error, Clusters: []string{l.Source.Context}, Object: l.Destination.Object(),
			Title: "the destination controller still uses the credentials from before they were changed",
			Evidence: []finding.Evidence{
				{Field: "secret, written", Value: at.UTC().Format(time.RFC3339)},
				{Field: "pod of the destination controller, started", Value: since.UTC().Format(time.RFC3339)},
			},
			Fix: []finding.Step{finding.Say("Restart the destination controller:").By(remedy.RestartDestination(l.Source))},
		}
		if uses := l.UsesDestination(); len(uses) > 0 {
			f.Effect = "it watches " + target(l) + " with the old ones, or not at all: clients of " + finding.List(uses) + " may lose its endpoints"
			if l.Destination.Owner().WritesAgain() { // which can write without a change of the credentials
				f.Severity = finding.Warning
			}
		} else {
			f.Severity = finding.Note
			f.Effect = "none yet: no service of it is reached by remote discovery"
		}
		p.Report(f)
	}
}

// controllers: since edge-25.3.3 a Link has no controller of its own: the chart makes one for each
// Link that its values name.
func controllers(p *pass) {
	for _, l := range model.AbleLinks(p) {
		f := finding.Finding{Code: "EP107", Severity: finding.Error, Clusters: []string{l.Source.Context}}
		switch {
		case len(l.Controllers) == 0:
			f.Object = l.Object()
			f.Title = "no controller mirrors by the Link"
			f.Evidence = []finding.Evidence{{Field: "deployments for Link " + l.Name, Value: "none"}}
			f.Effect = fmt.Sprintf("nothing of %s is mirrored, and what is mirrored becomes old", target(l))
			f.Fix = []finding.Step{finding.Say("Name the Link among the controllers of the multicluster chart, in a file of values: " +
				"controllers, link.ref.name. Then upgrade the chart. A single --set replaces the whole list.")}
		case !l.Available():
			d := l.Working()[0]
			f.Object = finding.In("deployment", d.Namespace, d.Name)
			f.Title = "the controller of the Link does not run"
			f.Evidence = []finding.Evidence{{Field: "replicas", Value: fmt.Sprintf("%d wanted, %d available", replicas(d),
				d.Status.AvailableReplicas)}}
			f.Effect = fmt.Sprintf("changes in %s are not mirrored, and nobody notices when its gateway dies", target(l))
			if replicas(d) == 0 {
				f.Fix = []finding.Step{finding.Say("Start it:").By(finding.Kubectl(l.Source.Context, "-n", d.Namespace, "scale",
					"deployment/"+d.Name, "--replicas=1"))}
			} else {
				f.Fix = []finding.Step{finding.Say("See why it is not available:").
					By(finding.Kubectl(l.Source.Context, "-n", d.Namespace, "describe", "deployment", d.Name))}
			}
		case len(l.Controllers) > 1:
			f.Severity = finding.Note
			f.Object = l.Object()
			f.Title = "the Link has two controllers, as in the middle of an upgrade"
			for _, d := range l.Working() {
				f.Evidence = append(f.Evidence, finding.Evidence{Field: "deployment", Value: d.Namespace + "/" + d.Name})
			}
			f.Effect = "none: one of them holds the Lease, and the other one waits"
			f.Fix = []finding.Step{finding.Say("Finish the upgrade. Careful: this deletes the old controller:").
				By(finding.Shell("linkerd", "--context="+l.Source.Context, "multicluster", "unlink", "--cluster-name="+l.TargetName(),
					"--only-controller").
					To(finding.Kubectl(l.Source.Context, "delete", "-f", "-")))}
		default:
			continue
		}
		p.Report(f)
	}
}

func replicas(d *appsv1.Deployment) int32 {
	if d.Spec.Replicas == nil {
		return 1
	}
	return *d.Spec.Replicas
}

// leases: the pod that holds the Lease mirrors. Times are compared with those of the cluster's other
// Leases: the facts may be read much later than they were taken.
func leases(p *pass) {
	for _, l := range model.AbleLinks(p) {
		if l.Lease == nil || l.Lease.Spec.RenewTime == nil || !l.Available() {
			continue
		}
		newest := l.Lease.Spec.RenewTime.Time
		for _, o := range resources.Leases.Of(l.Source.Cluster).Value {
			if o.Spec.RenewTime != nil && o.Spec.RenewTime.After(newest) {
				newest = o.Spec.RenewTime.Time
			}
		}
		const grace = 5 * time.Minute
		if behind := newest.Sub(l.Lease.Spec.RenewTime.Time); behind < grace {
			continue
		}
		holder := ""
		if l.Lease.Spec.HolderIdentity != nil {
			holder = *l.Lease.Spec.HolderIdentity
		}
		p.Report(finding.Finding{
			Code: "EP108", Severity: finding.Warning, Clusters: []string{l.Source.Context},
			Object: finding.In("lease", l.Lease.Namespace, l.Lease.Name),
			Title:  "no pod of the controller holds the Lease",
			Evidence: []finding.Evidence{
				{Field: "holder", Value: orNothing(holder)},
				{Field: "renewed", Value: l.Lease.Spec.RenewTime.UTC().Format(time.RFC3339)},
			},
			Effect: fmt.Sprintf("its pods run, and none of them mirrors %s", target(l)),
			Fix:    []finding.Step{finding.Say("Restart the controller:").By(remedy.RestartControllers(l)...)},
		})
	}
}

// domains: mirrors are called by the domain that the Link says; the gateway serves its own. Pods of
// another cluster prove their identity only to control planes in a namespace of the same name.
func domains(p *pass) {
	for _, l := range model.AblePairs(p) {
		if !l.Target.ValuesKnown {
			continue
		}
		again := []finding.Step{finding.Say("Link the cluster again:").By(remedy.Generate(l))}
		f := finding.Finding{Code: "EP119", Severity: finding.Error, Clusters: []string{l.Source.Context}, Object: l.Object()}
		switch uses := l.UsesDestination(); {
		case l.Spec.TargetClusterDomain != l.Target.Values.Domain():
			f.Title = fmt.Sprintf("the Link has another cluster domain than %s", l.Target.Context)
			f.Evidence = []finding.Evidence{
				{Field: "spec.targetClusterDomain", Value: orNothing(l.Spec.TargetClusterDomain)},
				{Cluster: l.Target.Context, Field: "clusterDomain of the installation", Value: l.Target.Values.Domain()},
			}
			f.Effect = "the gateway does not serve the names by which mirrors call services: requests fail"
			if !l.HasGateway() {
				f.Severity, f.Effect = finding.Note, "none now: no service of the Link comes through a gateway"
			}
			f.Fix = again
		case l.Target.Namespace != l.Source.Namespace && len(uses) > 0:
			f.Title = fmt.Sprintf("the control planes of %s and %s are in namespaces of different names", l.Source.Context, l.Target.Context)
			f.Evidence = []finding.Evidence{
				{Cluster: l.Source.Context, Field: "namespace of the control plane", Value: l.Source.Namespace},
				{Cluster: l.Target.Context, Field: "namespace of the control plane", Value: l.Target.Namespace},
			}
			f.Effect = "clients of " + finding.List(uses) + " call pods of " + l.Target.Context + " in plain text"
			f.Fix = []finding.Step{finding.Say("Export the services through the gateway, or install the control planes in namespaces of one name.")}
		case l.Spec.TargetClusterLinkerdNamespace != l.Target.Namespace:
			f.Severity = finding.Note
			f.Title = fmt.Sprintf("the Link has another namespace of the control plane than %s", l.Target.Context)
			f.Evidence = []finding.Evidence{
				{Field: "spec.targetClusterLinkerdNamespace", Value: orNothing(l.Spec.TargetClusterLinkerdNamespace)},
				{Cluster: l.Target.Context, Field: "namespace of the control plane", Value: l.Target.Namespace},
			}
			f.Effect = "none for traffic"
			f.Fix = again
		default:
			continue
		}
		p.Report(f)
	}
}

// versions: the destination controller asks for Servers of a version that older clusters do not have, and
// leaves such a cluster out.
func versions(p *pass) {
	for _, l := range model.AblePairs(p) {
		from, to := l.Source.Values.LinkerdVersion, l.Target.Values.LinkerdVersion
		uses := l.UsesDestination()
		f := finding.Finding{
			Code: "EP120", Clusters: []string{l.Source.Context, l.Target.Context}, Object: l.Object(), ObjectIn: l.Source.Context,
			Evidence: []finding.Evidence{
				{Cluster: l.Source.Context, Field: "version of Linkerd", Value: orNothing(from)},
				{Cluster: l.Target.Context, Field: "version of Linkerd", Value: orNothing(to)},
			},
		}
		switch {
		case from == "" || to == "" || from == to:
			continue
		case len(uses) > 0 && withoutServers(to) && !withoutServers(from):
			f.Severity = finding.Error
			f.Title = fmt.Sprintf("Linkerd of %s is too old for remote discovery", l.Target.Context)
			f.Effect = "the destination controller leaves " + l.Target.Context + " out: clients of " + finding.List(uses) +
				" get none of its endpoints"
			f.Fix = []finding.Step{finding.Say("Upgrade Linkerd in %s to 2.16, edge-24.7.4 or later, then restart the destination controller of %s:",
				l.Target.Context, l.Source.Context).By(remedy.RestartDestination(l.Source))}
		default:
			f.Severity = finding.Note
			f.Title = fmt.Sprintf("%s and %s run different versions of Linkerd", l.Source.Context, l.Target.Context)
			f.Effect = "none is known; upgrade one after the other"
			f.Fix = []finding.Step{finding.Say("Upgrade the older one when it suits.")}
		}
		p.Report(f)
	}
}

// withoutServers reports whether a release is before edge-24.7.4 or 2.16, which brought Server v1beta3.
func withoutServers(version string) bool {
	r, known := model.ReleaseOf(version)
	return known && !r.ServersV1Beta3()
}
