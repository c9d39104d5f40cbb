// Package model is the one model of the Linkerd clusters of a fleet: which of them have Linkerd,
// where each Link leads, with which credentials, through which gateway, and what is mirrored by
// it. It is built once a run; rules and views ask it. Everything in it is pure.
package model

import (
	"cmp"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// Options are what is known besides the facts.
type Options struct {
	// Given is what else the run knows, each thing of a type of its own: see Given.
	Given []any
}

// Mesh is a fleet as Linkerd sees it.
type Mesh struct {
	Options
	// Clusters are those that were reached and have Linkerd, or may have it.
	Clusters []*Cluster
	// Links are those of all clusters.
	Links []*Link
	// fleet holds the clusters that have Linkerd or may have it, and those that were not reached.
	fleet *facts.Fleet
}

// New makes the model of a fleet. Clusters without Linkerd are left out.
func New(fleet *facts.Fleet, options Options) *Mesh {
	m := &Mesh{Options: options, fleet: &facts.Fleet{At: fleet.At, Beyond: fleet.Beyond}}
	for i := range fleet.Clusters {
		f := &fleet.Clusters[i]
		if f.Unreached != nil {
			m.fleet.Clusters = append(m.fleet.Clusters, *f)
			continue
		}
		if state, _ := Installed(f); state != Not {
			m.fleet.Clusters = append(m.fleet.Clusters, *f)
			m.Clusters = append(m.Clusters, newCluster(m, f))
		}
	}
	for _, c := range m.Clusters {
		c.findLinks()
		m.Links = append(m.Links, c.Links...)
	}
	for _, l := range m.Links {
		l.findTarget()
	}
	for _, c := range m.Clusters {
		c.findMirrors()
	}
	return m
}

// Facts are those of the clusters that have Linkerd or may have it, and of those that were not
// reached.
func (m *Mesh) Facts() *facts.Fleet { return m.fleet }

// Scope is whether rules check a cluster: not where it is not known whether it has Linkerd.
func (m *Mesh) Scope(c *facts.Cluster) rule.Scope {
	state, why := Installed(c)
	return rule.Scope{Out: state == Not, Doubt: why}
}

// Cluster is that of a context; nil where it was not reached, or has no Linkerd.
func (m *Mesh) Cluster(context string) *Cluster {
	for _, c := range m.Clusters {
		if c.Context == context {
			return c
		}
	}
	return nil
}

// Given is what the run knows besides the facts, by its type; false where the run has none.
func Given[T any](m *Mesh) (T, bool) {
	for _, g := range m.Given {
		if value, ok := g.(T); ok {
			return value, true
		}
	}
	var none T
	return none, false
}

// Installation is whether a cluster has Linkerd.
type Installation int

// The installations.
const (
	Not Installation = iota
	// Maybe: the objects that would tell could not be read, and others speak for it.
	Maybe
	Is
)

// usualNamespace is that of the control plane, where nobody chose another one.
const usualNamespace = "linkerd"

// Installed says whether a cluster has Linkerd, and, where only that may be, what could not be
// read. ConfigMap linkerd-config is always there; where it may not be read, namespaces give a hint.
func Installed(c *facts.Cluster) (Installation, finding.Reason) {
	if len(resources.Config.Of(c).Value) > 0 || len(resources.Links.Of(c).Value) > 0 {
		return Is, finding.Reason{}
	}
	hint := false
	for _, ns := range resources.Namespaces.Of(c).Value {
		hint = hint || ns.Labels[resources.LabelControlPlane] == "true" || ns.Labels[resources.LabelExtension] != "" || ns.Name == usualNamespace
	}
	why, lacks := rule.Lacks(c, resources.Config)
	switch {
	case hint && lacks:
		return Maybe, why
	default: // a namespace alone can be left over
		return Not, finding.Reason{}
	}
}

// AbleLinks are the Links of the clusters that a rule can check. Those whose target was not
// found are among them.
func AbleLinks(p *rule.Pass[*Mesh]) []*Link {
	var out []*Link
	for _, l := range p.Model.Links {
		if p.Able(l.Source.Context) {
			out = append(out, l)
		}
	}
	return out
}

// AblePairs are the Links of which a rule can check both ends.
func AblePairs(p *rule.Pass[*Mesh]) []*Link {
	return slices.DeleteFunc(AbleLinks(p), func(l *Link) bool { return l.Target == nil || !p.Able(l.Target.Context) })
}

// Able are the clusters that a rule can check.
func Able(p *rule.Pass[*Mesh]) []*Cluster {
	var out []*Cluster
	for _, c := range p.Model.Clusters {
		if p.Able(c.Context) {
			out = append(out, c)
		}
	}
	return out
}

// Cause is the ID of the first finding with one of the codes, in their order, that is about a
// cluster and an object, the zero one for any; "" where there is none. A note causes nothing.
func Cause(p *rule.Pass[*Mesh], context string, object finding.Object, codes ...finding.Code) string {
	for _, f := range p.Found(codes...) {
		if f.Severity != finding.Note && slices.Contains(f.Clusters, context) && (object == finding.Object{} || f.Object == object) {
			return f.ID()
		}
	}
	return ""
}

// distinct are those that are not empty, sorted, each once.
func distinct(names []string) []string { return finding.Distinct(names) }

func key(namespace, name string) string { return namespace + "/" + name }

// byKey compares objects by namespace and name.
func byKey(a, b string) int { return cmp.Compare(a, b) }

// hostPart is the host name of a URL, in lower case.
func hostPart(server string) string {
	_, rest, ok := strings.Cut(server, "://")
	if !ok {
		rest = server
	}
	rest, _, _ = strings.Cut(rest, "/")
	return strings.ToLower(rest)
}
