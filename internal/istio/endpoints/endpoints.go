// Package endpoints holds the rules behind mesh-endpoints diagnose: why requests
// for a service get from each cluster to each other one, or do not. Everything in it
// is pure. What a source is given is what package istio predicts.
package endpoints

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// Options are what the caller knows and wants beside the facts.
type Options struct {
	// Namespace narrows Verify to one; "" for all.
	Namespace string
	// Selects narrows Verify to services by their labels; nil for all.
	Selects func(labels map[string]string) bool
	// Hosts are the addresses of host names of gateways, as they were resolved.
	Hosts map[string][]string
	// Live is what proxies have; Diagnose alone looks at it.
	Live Live
	// Known is what other rules found: remote secrets, networks and gateways. What of
	// it stops requests is named as the cause, and is part of the result.
	Known finding.Result
	// Seen is what control planes say of themselves; nil where nobody wants it judged.
	Seen *facts.Seen
	// Unsure says, by the contexts of a control plane and of a cluster, why it is not known
	// whether the one has a remote secret for the other; where it says nothing that is known.
	Unsure map[[2]string]string
}

func (o Options) wants(s *corev1.Service) bool {
	return (o.Namespace == "" || s.Namespace == o.Namespace) && (o.Selects == nil || o.Selects(s.Labels))
}

// codes are all that the rules can find.
var codes = []finding.Code{
	"EP001", "EP002", "EP003", "EP004", "EP005", "EP006", "EP007", "EP008", "EP009", "EP010", "EP011", "EP012", "EP013", "EP014", "EP015",
	"EP016", "EP017", "EP018", "EP019", "EP020", "EP021", "EP022", "EP023", "EP024", "EP030", "EP031", "EP032", "EP033", "EP034",
}

// Sources are the proxies that have a pod, of the paths that reach.
func (d *Diagnosis) Sources() []Source {
	var out []Source
	for _, p := range d.Paths {
		if (p.Verdict == Reaches || p.Verdict == Partial) && p.From.Pod != "" && !slices.Contains(out, p.From) {
			out = append(out, p.From)
		}
	}
	return out
}

// Codes are all codes that Verify and Diagnose can find.
func Codes() []finding.Code { return slices.Clone(codes) }

// Diagnose judges the paths of one service; the result is what is wrong or worth
// knowing about them. An error means that no cluster that was reached has it.
func Diagnose(fleet *facts.Fleet, namespace, name string, options Options) (*Diagnosis, finding.Result, error) {
	j := newJudgement(fleet, options)
	j.asked = true
	k := key(namespace, name)
	if !slices.ContainsFunc(j.clusters, func(c *cluster) bool { return c.services[k] != nil }) {
		return nil, finding.Result{}, j.noSuchService(namespace, name)
	}
	d := j.diagnose(namespace, name)
	j.compare(service{namespace, name, k})
	j.unreached()
	return d, j.result(), nil
}

// noSuchService says what there is instead.
func (j *judgement) noSuchService(namespace, name string) error {
	var elsewhere, unread []string
	for _, c := range j.clusters {
		for _, s := range c.services {
			if s.Name == name {
				elsewhere = append(elsewhere, s.Name+"."+s.Namespace)
			}
		}
		if !resources.Services.Of(c.Cluster).Known() {
			unread = append(unread, c.Context+" ("+resources.Services.Of(c.Cluster).Why()+")")
		}
	}
	text := fmt.Sprintf("no cluster that was read has a Service %s in namespace %s", name, namespace)
	if len(unread) > 0 {
		text += "; its Services could not be read of " + strings.Join(unread, ", ")
	}
	if elsewhere = finding.Distinct(elsewhere); len(elsewhere) > 0 {
		text += "; there is " + finding.List(elsewhere)
	}
	return fmt.Errorf("%s", text)
}

// Verify judges all services that more than one cluster has. What stops many of
// them is one finding.
func Verify(fleet *facts.Fleet, options Options) finding.Result {
	j := newJudgement(fleet, options)
	services := j.shared(options)
	j.beside(len(services), func(j *judgement, i int) {
		namespace, name := cut(services[i])
		j.diagnose(namespace, name)
	})
	compared := ""
	for _, k := range services {
		if namespace, name := cut(k); namespace != compared {
			j.compare(service{namespace, name, k})
			compared = namespace
		}
	}
	j.judgeConnections()
	j.unreached()
	return j.result()
}

// beside judges so many things on all processors. What is found is gathered in their
// order, as if one had been judged after another.
func (j *judgement) beside(n int, judge func(j *judgement, i int)) {
	parts := make([]judgement, min(n, runtime.GOMAXPROCS(0)))
	var wait sync.WaitGroup
	for at := range parts {
		part := &parts[at]
		*part = *j
		part.found, part.at, part.unknown = nil, map[string]*found{}, finding.Result{}
		wait.Go(func() {
			for i := at * n / len(parts); i < (at+1)*n/len(parts); i++ {
				judge(part, i)
			}
		})
	}
	wait.Wait()
	for _, part := range parts {
		for _, f := range part.found {
			j.at[j.add("", f.Finding)].name(f.services...)
		}
		j.unknown.Merge(part.unknown)
	}
}

// judgement is one run of the rules.
type judgement struct {
	Options
	*world
	asked bool // somebody asked for this one service
	known map[string]finding.Finding
	found []*found
	at    map[string]*found // by ID
	// unknown are the reasons for which paths of a cluster were not checked.
	unknown finding.Result
	// last is what control planes said of themselves last, and connections the proxies that
	// are connected to them; before are those of an earlier look.
	last                map[string]facts.Read[[]facts.IstiodView]
	connections, before *connections
	// answers are what proxies get for the service that is being judged, and views what control
	// planes have of it.
	views   map[*view]*istio.ServiceView
	answers map[question]istio.Endpoints
}

// found is a finding with the services that it concerns.
type found struct {
	finding.Finding
	services []string
}

func newJudgement(fleet *facts.Fleet, options Options) *judgement {
	j := &judgement{
		Options: options, world: newWorld(fleet, options), known: map[string]finding.Finding{}, at: map[string]*found{},
	}
	if options.Seen != nil {
		j.last = options.Seen.Last()
		j.connections = newConnections(fleet, j.last)
		if j.before = j.connections; options.Seen.Again != nil {
			j.before = newConnections(fleet, options.Seen.Istiods)
		}
	}
	for _, f := range options.Known.Findings {
		j.known[f.ID()] = f
	}
	return j
}

// unreached notes the clusters of which nothing is known.
func (j *judgement) unreached() {
	for i := range j.fleet.Clusters {
		if c := &j.fleet.Clusters[i]; c.Unreached != nil {
			j.unknown.NotChecked(c.Context, finding.ClusterUnreached, codes...)
		}
	}
	j.unnamed()
}

// add notes a finding about a service, in one finding with those of the same name,
// and returns its ID.
func (j *judgement) add(service string, f finding.Finding) string {
	id := f.ID()
	at := j.at[id]
	if at == nil {
		at = &found{Finding: f}
		j.at[id] = at
		j.found = append(j.found, at)
	}
	for _, e := range f.Evidence {
		if len(at.Evidence) < mostEvidence && !slices.Contains(at.Evidence, e) {
			at.Evidence = append(at.Evidence, e)
		}
	}
	if f.Severity.AtLeast(at.Severity) {
		at.Severity = f.Severity
	}
	if service != "" {
		at.name(service)
	}
	return id
}

// name adds services to those that the finding concerns. The same one comes again only
// at once.
func (f *found) name(services ...string) {
	for _, s := range services {
		if n := len(f.services); n == 0 || f.services[n-1] != s {
			f.services = append(f.services, s)
		}
	}
}

// mostEvidence is how many things one finding rests on.
const mostEvidence = 24

// mostExamples is how many services a finding about many of them names.
const mostExamples = 3

// result is what was found, with what other rules know to cause it.
func (j *judgement) result() finding.Result {
	out := j.unknown
	causes := map[string]bool{}
	for _, f := range j.found {
		if n := len(f.services); n > 0 && f.Object.Kind != kindService && !j.asked {
			names := f.services[:min(n, mostExamples)]
			text := fmt.Sprintf("%d: %s", n, strings.Join(names, ", "))
			if n > mostExamples {
				text += fmt.Sprintf(" and %d more", n-mostExamples)
			}
			f.Evidence = append(f.Evidence, finding.Evidence{Field: "services concerned", Value: text})
			if n > 1 {
				f.Title += fmt.Sprintf(" (%d services)", n)
			}
		}
		out.Add(f.Finding)
		for id := f.CausedBy; id != "" && !causes[id]; id = j.known[id].CausedBy {
			causes[id] = true
		}
	}
	for _, f := range j.Known.Findings {
		if causes[f.ID()] && j.at[f.ID()] == nil {
			out.Add(f)
		}
	}
	out.Sort()
	return out
}
