package certs

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/owner"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
)

// describe names a certificate for evidence: whose it is, which it is, and
// until when.
func describe(c pki.Certificate) string {
	return fmt.Sprintf("%s, sha256 %s, until %s", c.Subject(), pki.Short(c.SHA256), day(c.NotAfter))
}

func describeAll(certs []pki.Certificate) string {
	out := make([]string, len(certs))
	for i, c := range certs {
		out[i] = describe(c)
	}
	return strings.Join(out, "; ")
}

func subjects(certs []pki.Certificate) string { return strings.Join(subjectsOf(certs), "; ") }

func subjectsOf(certs []pki.Certificate) []string {
	var out []string
	for _, c := range pki.Unique(certs) {
		out = append(out, c.Subject())
	}
	return out
}

// day is a date in UTC.
func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// span is a time for people: the two largest units would be one too many.
func span(d time.Duration) string {
	count := func(n int, unit string) string {
		if n == 1 {
			return "1 " + unit
		}
		return fmt.Sprintf("%d %ss", n, unit)
	}
	d = d.Abs()
	const aDay = 24 * time.Hour
	switch {
	case d < 2*time.Minute:
		return count(int(d/time.Second), "second")
	case d < 2*time.Hour:
		return count(int(d/time.Minute), "minute")
	case d < 2*aDay:
		return count(int(d/time.Hour), "hour")
	default:
		return count(int(d/aDay), "day")
	}
}

// restart is a step that restarts a cluster's istiods. Where none runs in its system
// namespace, there is no command for it: the control plane is elsewhere.
func restart(a *authority, format string, args ...any) finding.Step {
	if len(a.istiods) > 0 {
		return finding.Say(format, args...).By(remedy.RestartIstiods(a.Context, a.istiods)...)
	}
	if !resources.Istiods.Of(a.Cluster).Known() {
		return finding.Say("Restart the istiod of %s, if there is one.", a.Context)
	}
	return finding.Say("Restart the istiod that manages %s. None runs in its namespace %s.", a.Context, a.SystemNamespace)
}

// replace is the command that makes Secret cacerts from the four files in the
// current directory, in the layout that Istio documents.
func replace(a *authority) finding.Command {
	create := finding.Kubectl(a.Context, "-n", a.SystemNamespace, "create", "secret", "generic", istio.CACertsSecret,
		"--from-file="+keyCACert, "--from-file="+keyCAKey, "--from-file="+keyRootCert, "--from-file="+keyCertChain)
	if a.ca == nil {
		return create
	}
	if a.ca.has(keyCACRL) {
		create.Args = append(create.Args, "--from-file="+keyCACRL)
	}
	create.Args = append(create.Args, "--dry-run=client", "-o", "yaml")
	if recreated(a) {
		return create.To(finding.Kubectl(a.Context, "replace", "--force", "-f", "-"))
	}
	return create.To(finding.Kubectl(a.Context, "replace", "-f", "-"))
}

// recreated reports whether replace deletes the Secret first: its type cannot be changed.
func recreated(a *authority) bool {
	return a.ca != nil && a.ca.secret.Type != "" && a.ca.secret.Type != corev1.SecretTypeOpaque
}

// replacing are the steps that replace Secret cacerts of clusters by what is in the current
// directory: step says so. Where a tool writes the Secret, it has to be changed there; wanted
// says what has to be in it.
func replacing(step finding.Step, wanted string, authorities ...*authority) []finding.Step {
	var free []*authority
	var owned []finding.Step
	for _, a := range authorities {
		if by := a.caOwner(); by.Known() {
			owned = append(owned,
				finding.Say("Secret cacerts of %s has to hold %s.", a.Context, wanted), by.Step(a.Context, caCertsObject(a)))
		} else {
			free = append(free, a)
		}
	}
	if len(free) == 0 {
		return owned
	}
	var out []finding.Step
	deleted := contexts(slices.DeleteFunc(slices.Clone(free), func(a *authority) bool { return !recreated(a) }))
	if len(deleted) > 0 {
		out = append(out, finding.Say("Careful: in %s the next step deletes secret cacerts and creates it again, "+
			"since its type cannot be changed. An istiod that starts in between does not find its CA.", finding.List(deleted)))
	}
	for _, a := range free {
		if a.ca != nil && len(deleted) == 0 {
			out = append(out, finding.Say("Careful: this overwrites secret cacerts. Keep a copy of its files until verify finds nothing."))
			break
		}
	}
	for _, a := range free {
		step = step.By(replace(a))
	}
	return append(append(out, step), owned...)
}

// caOwner is who writes Secret cacerts. istiod itself does not: what it once wrote there, it
// does not write again over another CA.
func (a *authority) caOwner() owner.Owner {
	if a.ca == nil {
		return owner.Owner{}
	}
	if o := owner.Of(&a.ca.secret.ObjectMeta); o.Tool != owner.Istiod {
		return o
	}
	return owner.Owner{}
}

// rootChanges warns that restarts change the root of clusters' workloads; the page of a
// code has a way without an interruption.
func rootChanges(page finding.Code, contexts ...string) finding.Step {
	return finding.Say("Careful: from the restart of istiod on, mTLS in %s fails until all workloads and gateways there are restarted. "+
		"\"explain %s\" has a way without an interruption.", finding.List(contexts), page)
}
