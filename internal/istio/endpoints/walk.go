package endpoints

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// service is what is asked for.
type service struct {
	namespace, name, key string
}

// String is name.namespace.
func (s service) String() string { return s.name + "." + s.namespace }

// object is the Service as a finding names it.
func (s service) object() finding.Object { return finding.In(kindService, s.namespace, s.name) }

// text is the Service as evidence names it.
func (s service) text() string { return s.object().String() }

// kindService is the kind of the object of findings about one service.
const kindService = "service"

// diagnose judges the paths of one service between all clusters.
func (j *judgement) diagnose(namespace, name string) *Diagnosis {
	s := service{namespace, name, key(namespace, name)}
	j.answers, j.views = map[question]istio.Endpoints{}, map[*view]*istio.ServiceView{}
	d := &Diagnosis{Namespace: namespace, Name: name, Host: istio.Host(namespace, name), Clusters: []Presence{}, Paths: []Path{}}
	for _, c := range j.clusters {
		p := Presence{Cluster: c.Context, Service: c.services[s.key] != nil}
		for _, slice := range c.slices[s.key] {
			for _, e := range slice.Endpoints {
				if e.Conditions.Ready == nil || *e.Conditions.Ready {
					p.Ready++
				} else {
					p.NotReady++
				}
			}
		}
		if p.Service || p.Ready+p.NotReady > 0 {
			d.Clusters = append(d.Clusters, p)
		}
	}
	for _, from := range j.clusters {
		if j.skips(from, s) {
			continue
		}
		for _, to := range j.clusters {
			if from == to || j.skips(to, s) || to.services[s.key] == nil && len(to.slices[s.key]) == 0 && resources.Services.Of(to.Cluster).Known() && !j.asked {
				continue
			}
			for _, src := range j.sourcesOf(from, namespace) {
				w := &walk{judgement: j, service: s, from: src, source: from, to: to, v: from.view}
				if path := w.run(); j.asked {
					d.Paths = append(d.Paths, path)
				}
			}
		}
	}
	return d
}

// skips reports whether a cluster has nothing to do with the others. One that has a
// control plane and the service may only lack its remote secrets, which those want to
// know who ask for the service.
func (j *judgement) skips(c *cluster, s service) bool {
	return c.apart && (!j.asked || c.view == nil || c.services[s.key] == nil)
}

// question is what is asked of a control plane: a proxy by its cluster and name.
type question struct {
	view    *view
	context string
	proxy   string
	network string
	port    int
}

// ask is what a proxy is given for a port of the service.
func (w *walk) ask(q question, proxy istio.Source) istio.Endpoints {
	answer, ok := w.answers[q]
	if !ok {
		if w.views[q.view] == nil {
			w.views[q.view] = q.view.ServiceView(w.service.namespace, w.service.name)
		}
		answer = w.views[q.view].Endpoints(proxy, q.port, "")
		w.answers[q] = answer
	}
	return answer
}

// walk is the way from one source to one cluster.
type walk struct {
	*judgement
	service service
	from    source
	source  *cluster
	to      *cluster
	v       *view  // the control plane of the source
	id      string // the cluster's name for it
	path    Path
	ports   []*port
	// lost: a port is not reached, or not all endpoints are, and the walk goes on with the rest.
	lost bool
	// frozen is set where the cluster is one that the control plane follows no more.
	frozen *frozen
}

// port is what the source is given of the cluster for one port.
type port struct {
	number int
	name   string
	given  istio.Endpoints
	direct []istio.Endpoint // of the cluster
	via    []istio.Endpoint // gateways for endpoints of the cluster
	// dropped are the endpoints of the cluster that the source is not given, those of
	// other ports excepted where there are any of this one.
	dropped []istio.Dropped
}

// run goes on until something stops the requests.
func (w *walk) run() Path {
	w.path = Path{From: w.from.Source, To: w.to.Context, Steps: []Step{}, Ports: []Port{}, Findings: []string{}}
	for _, step := range []func() bool{w.has, w.reads, w.judged, w.connected, w.sees, w.exists, w.sameKind, w.gets, w.hasEndpoints, w.keeps, w.samePorts, w.scope, w.networks, w.mutualTLS, w.receives, w.near, w.admits, w.ejected} {
		if !step() {
			break
		}
	}
	switch {
	case w.lost && w.path.Verdict != Broken:
		w.path.Verdict = Partial
	case w.path.Verdict == "" && w.asked:
		w.path.Verdict, w.path.Summary = Reaches, w.way()
		if w.frozen != nil {
			w.path.Code, w.path.Cause = w.frozen.cause.Code, w.frozen.cause.ID()
			w.path.Summary += fmt.Sprintf(", until istiod of %s restarts: %s", w.v.Context, w.frozen.cause.Title)
		}
	}
	return w.path
}

// way says how requests get there.
func (w *walk) way() string {
	var gateways []string
	direct := 0
	for _, p := range w.ports {
		for _, g := range p.via {
			gateways = append(gateways, fmt.Sprintf("%s:%d", w.address(g.Address), g.Port))
		}
		direct = max(direct, len(p.direct))
	}
	if gateways = finding.Distinct(gateways); len(gateways) > 0 {
		if direct > 0 {
			return fmt.Sprintf("directly to %s, and through %s", finding.Plural(direct, "pod"), finding.List(gateways))
		}
		return "through " + finding.List(gateways)
	}
	return "directly to " + finding.Plural(direct, "pod")
}

func (w *walk) ok(step, format string, args ...any) bool {
	if !w.asked {
		return true // nobody is told of it
	}
	w.path.Steps = append(w.path.Steps, Step{Name: step, Outcome: Passed, Detail: fmt.Sprintf(format, args...)})
	return true
}

// unclear ends the walk: what decides could not be read of a cluster.
func (w *walk) unclear(step, context string, reason finding.Reason) bool {
	w.path.Verdict, w.path.Summary = Unknown, "not known of "+context+": "+reason.Text
	w.path.Steps = append(w.path.Steps, Step{Name: step, Outcome: Unclear, Detail: w.path.Summary})
	w.unknown.NotChecked(context, reason, codes...)
	return false
}

// nothing ends the walk: the cluster has nothing of the service.
func (w *walk) nothing(step, text string) bool {
	w.path.Verdict, w.path.Summary = Nothing, text
	w.path.Steps = append(w.path.Steps, Step{Name: step, Outcome: Answer, Detail: text})
	return false
}

// answer ends the walk: requests stay away because somebody set it so. It is worth
// saying to those who ask.
func (w *walk) answer(step string, f finding.Finding) bool {
	f.Severity = finding.Note
	w.path.Verdict = Local
	if !w.lost {
		w.path.Summary, w.path.Code = f.Title, f.Code
	}
	w.path.Steps = append(w.path.Steps, Step{Name: step, Outcome: Answer, Detail: f.Title, Code: f.Code})
	if w.asked {
		id := w.add(w.service.String(), f)
		w.path.Findings = append(w.path.Findings, id)
		w.path.Cause = cmp.Or(w.path.Cause, id)
	}
	return false
}

// fault ends the walk: nothing gets there. What other rules know to be the cause is named
// instead of its consequence.
func (w *walk) fault(step string, f finding.Finding) bool {
	w.path.Verdict = Broken
	w.blame(step, f)
	return false
}

// blame notes a fault and goes on.
func (w *walk) blame(step string, f finding.Finding) {
	id := w.add(w.service.String(), f)
	title, code := f.Title, f.Code
	for cause, ok := w.known[f.CausedBy]; ok; cause, ok = w.known[cause.CausedBy] {
		title, code, id = cause.Title, cause.Code, cause.ID()
	}
	if at := w.at[f.CausedBy]; at != nil {
		title, code, id = at.Title, at.Code, at.ID()
	}
	w.path.Steps = append(w.path.Steps, Step{Name: step, Outcome: Fault, Detail: title, Code: code})
	if !slices.Contains(w.path.Findings, f.ID()) {
		w.path.Findings = append(w.path.Findings, f.ID())
	}
	if id != f.ID() && !slices.Contains(w.path.Findings, id) {
		w.path.Findings = append(w.path.Findings, id)
	}
	if w.path.Code == "" {
		w.path.Code, w.path.Cause, w.path.Summary = code, id, title
	}
}

// warn notes what does not stop requests.
func (w *walk) warn(f finding.Finding) {
	if id := w.add(w.service.String(), f); !slices.Contains(w.path.Findings, id) {
		w.path.Findings = append(w.path.Findings, id)
	}
}

// when is the severity of what matters only to those who want this service here:
// it is asked for, or it is one of many.
func (w *walk) when(otherwise finding.Severity) finding.Severity {
	if w.asked {
		return finding.Error
	}
	return otherwise
}

// istiod names the control plane of the source.
func (v *view) name() string { return "istiod of " + v.Context }

// known finds what other rules know: an error with one of the codes about all of the
// clusters, and about the object where one is given.
func (j *judgement) knows(object finding.Object, contexts []string, codes ...string) string {
	for _, code := range codes {
		for _, f := range j.Known.Findings {
			if f.Severity != finding.Error || !strings.HasPrefix(string(f.Code), code) || object != (finding.Object{}) && f.Object != object {
				continue
			}
			if !slices.ContainsFunc(contexts, func(c string) bool { return !slices.Contains(f.Clusters, c) }) {
				return f.ID()
			}
		}
	}
	return ""
}

// knowsOf is knows for what a control plane has of a cluster: such findings name it first.
func (j *judgement) knowsOf(primary, cluster string, codes ...string) string {
	for _, code := range codes {
		for _, f := range j.Known.Findings {
			if f.Severity == finding.Error && strings.HasPrefix(string(f.Code), code) && len(f.Clusters) > 1 && f.Clusters[0] == primary && slices.Contains(f.Clusters[1:], cluster) {
				return f.ID()
			}
		}
	}
	return ""
}

// definition is the Service that counts for the source.
func (w *walk) definition() *corev1.Service {
	for _, c := range w.ordered() {
		if s := c.services[w.service.key]; s != nil && w.v.Sees(w.v.ids[c.Context], w.service.namespace) {
			return s
		}
	}
	return nil
}

// ordered are the clusters in the order in which their Services count.
func (w *walk) ordered() []*cluster {
	var out []*cluster
	watched, _ := w.v.Clusters()
	for _, c := range watched {
		if m := w.by[c.Context]; m != nil {
			out = append(out, m)
		}
	}
	return out
}
