package endpoints

import (
	"cmp"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// walk follows requests from one source to one cluster, from what has to be right first to
// what comes last. Each step is a question with a verdict: goesOn, or that of the path.
type walk struct {
	*evaluation
	from   source
	source *model.Cluster
	to     *model.Cluster
	cp     *model.ControlPlane // the one that manages the source; nil for none
	id     string              // its name for the cluster; "" where it does not watch it
	path   Path
	// ports are those that are still reached, kept those that are meant not to be.
	ports []*port
	kept  []int
	// stale is set where the control plane does not watch the cluster any more.
	stale *staleEndpoints
}

// goesOn is the verdict of a step that does not stop the requests.
const goesOn Verdict = ""

// The names of the steps.
const (
	stepReads     = "control plane"
	stepConnected = "connection"
	stepSees      = "discovery selectors"
	stepService   = "service"
	stepKind      = "kind of service"
	stepEndpoints = "endpoints"
	stepPorts     = "ports"
	stepSubsets   = "routes"
	stepScope     = "scope"
	stepNetwork   = "network"
	stepMTLS      = "mutual TLS"
	stepGateway   = "gateway"
	stepLocality  = "locality"
	stepPolicy    = "authorization"
	stepProxy     = "proxy"
)

// sidecarSteps are what has to be right for sidecars and gateways.
func sidecarSteps() []func(*walk) Verdict {
	return []func(*walk) Verdict{
		(*walk).hasService, (*walk).isWatched, (*walk).isConnected, (*walk).seesNamespace, (*walk).resolvesName,
		(*walk).sameKind, (*walk).gets, (*walk).isOfMesh, (*walk).hasEndpoints, (*walk).hasCurrentEndpoints, (*walk).subsets, (*walk).samePorts,
		(*walk).inScope, (*walk).networks, (*walk).mutualTLS, (*walk).throughGateways, (*walk).nearest, (*walk).hasRules,
		(*walk).keepsGateways, (*walk).oneState, (*walk).admits, (*walk).letsGatewaysIn, (*walk).notEjected,
	}
}

// run goes on until something stops the requests.
func (w *walk) run() Path {
	w.path = Path{From: w.from.Source, To: w.to.Context, Steps: []Step{}, Ports: []Port{}, Findings: []string{}}
	steps := sidecarSteps()
	if w.from.Ambient {
		steps = ambientSteps()
	}
	for _, step := range steps {
		if w.path.Verdict = step(w); w.path.Verdict != goesOn {
			w.path.StoppedAt = w.path.Steps[len(w.path.Steps)-1].Name
			break
		}
	}
	switch {
	case w.path.HasFault() && w.path.Verdict != Broken:
		w.path.Verdict = Partial
	case w.path.Verdict == goesOn && w.asked:
		w.path.Verdict, w.path.Summary = Reaches, w.way()
		if w.from.Ambient {
			w.path.Summary = w.ambientPath()
		}
		if len(w.kept) > 0 {
			w.path.Summary += fmt.Sprintf(", except for port %d", w.kept[0])
		}
		if w.stale != nil {
			w.path.Code, w.path.Cause = w.stale.cause.Code, w.stale.cause.ID()
			w.path.Summary += fmt.Sprintf(", until istiod of %s restarts: %s", w.cp.Context, w.stale.cause.Title)
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
			gateways = append(gateways, fmt.Sprintf("%s:%d", w.mesh.HostOf(g.Address), g.Port))
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

// ok goes on, and says so to those who ask for the service.
func (w *walk) ok(step, format string, args ...any) Verdict {
	if w.asked {
		w.path.Steps = append(w.path.Steps, Step{Name: step, Outcome: Passed, Detail: fmt.Sprintf(format, args...)})
	}
	return goesOn
}

// unclear ends the walk: what decides could not be read of a cluster.
func (w *walk) unclear(step, context string, reason finding.Reason) Verdict {
	w.path.Summary = "not known of " + context + ": " + reason.Text
	w.path.Steps = append(w.path.Steps, Step{Name: step, Outcome: Unclear, Detail: w.path.Summary})
	w.unknown.NotChecked(context, reason, pathCodes()...)
	return Unknown
}

// nothing ends the walk: the cluster has nothing of the service.
func (w *walk) nothing(step, text string) Verdict {
	w.path.Summary = text
	w.path.Steps = append(w.path.Steps, Step{Name: step, Outcome: Answer, Detail: text})
	return Nothing
}

// answer ends the walk: requests stay away because somebody set it so. It is worth
// saying to those who ask.
func (w *walk) answer(step string, f finding.Finding) Verdict {
	f.Severity = finding.Note
	if !w.path.HasFault() {
		w.path.Summary, w.path.Code = f.Title, f.Code
	}
	w.path.Steps = append(w.path.Steps, Step{Name: step, Outcome: Answer, Detail: f.Title, Code: f.Code})
	if w.asked {
		id := w.add(w.service.String(), f)
		w.path.Findings = append(w.path.Findings, id)
		w.path.Cause = cmp.Or(w.path.Cause, id)
	}
	return Local
}

// fault ends the walk: nothing gets there.
func (w *walk) fault(step string, f finding.Finding) Verdict {
	w.blame(step, f)
	return Broken
}

// blame notes a fault. What other rules know to be the cause is named instead of its
// consequence.
func (w *walk) blame(step string, f finding.Finding) {
	id := w.add(w.service.String(), f)
	title, code := f.Title, f.Code
	for cause, ok := w.known.byID[f.CausedBy]; ok; cause, ok = w.known.byID[cause.CausedBy] {
		title, code, id = cause.Title, cause.Code, cause.ID()
	}
	w.path.Steps = append(w.path.Steps, Step{Name: step, Outcome: Fault, Detail: title, Code: code})
	w.about(f.ID())
	w.about(id)
	if w.path.Code == "" {
		w.path.Code, w.path.Cause, w.path.Summary = code, id, title
	}
}

// warn notes what does not stop requests.
func (w *walk) warn(f finding.Finding) { w.about(w.add(w.service.String(), f)) }

// about notes that a finding is about the path.
func (w *walk) about(id string) {
	if !slices.Contains(w.path.Findings, id) {
		w.path.Findings = append(w.path.Findings, id)
	}
}

// when is the severity of what only matters to those who want this service here: it is
// asked for, or it is one of many.
func (w *walk) when(otherwise finding.Severity) finding.Severity {
	if w.asked {
		return finding.Error
	}
	return otherwise
}

// read reports whether something was read of a cluster; where it was not, codes are not
// checked there.
func (w *walk) read(c *model.Cluster, need rule.Need, codes ...finding.Code) bool {
	reason, lacks := rule.Lacks(c.Cluster, need)
	if lacks {
		w.unknown.NotChecked(c.Context, reason, codes...)
	}
	return !lacks
}

// doubt says that a code is not checked in a cluster where it is not known whether one of
// the codes of other rules holds that would be its cause.
func (w *walk) doubt(context string, code finding.Code, causes ...finding.Code) {
	for _, reason := range w.known.doubts(context, causes...) {
		w.unknown.NotChecked(context, reason, code)
	}
}

// definition is the Service that istiod uses for the source: that of the first of the
// clusters that it watches.
func (w *walk) definition() *corev1.Service {
	for _, watched := range w.cp.Watches {
		if watched.Cluster == nil || !w.cp.Sees(watched.ID, w.service.namespace) {
			continue
		}
		if s := w.service.in(watched.Cluster); s != nil {
			return s
		}
	}
	return nil
}

// contextOf is the context of a cluster by the control plane's name for it.
func (w *walk) contextOf(id string) string {
	if c := w.cp.ClusterOf(id); c != nil {
		return c.Context
	}
	return id
}

// istiodOf names a control plane.
func istiodOf(cp *model.ControlPlane) string { return "istiod of " + cp.Context }
