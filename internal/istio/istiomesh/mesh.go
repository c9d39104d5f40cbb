// Package istiomesh is Istio as the rest of the program knows it: a mesh.Mesh made of
// the rows, rules, questions and the model in the folders beside it.
package istiomesh

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/ambient"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/ask"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/certs"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/controlplane"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/effects"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/endpoints"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/gateways"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/network"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/primaryremote"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/probing"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/questions"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/releases"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remotesecrets"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
	"github.com/kubectl-mesh/kubectl-mesh/internal/simulate"
	"github.com/kubectl-mesh/kubectl-mesh/internal/verdict"
)

// Mesh is Istio.
type Mesh struct{}

var _ mesh.Simulator = Mesh{}

// Name is "Istio".
func (Mesh) Name() string { return "Istio" }

// SystemNamespace is the usual namespace of its control plane.
func (Mesh) SystemNamespace() string { return istio.SystemNamespace }

// Effects are what istiod, its injector and istioctl make of a change.
func (Mesh) Effects() simulate.Mesh { return effects.Istio{} }

// Table are all rows that are read for Istio.
func (Mesh) Table() resource.Set { return resources.All }

// PeerResources are the remote secrets.
func (Mesh) PeerResources() resource.Set { return resource.Set{resources.RemoteSecrets} }

// Resources are the rows that the rules of some areas read. Asking proxies takes a sample
// of them, and probing what tells which Services are behind the gateways.
func (Mesh) Resources(wishes []any, areas ...mesh.Area) resource.Set {
	var out resource.Set
	if _, ok := mesh.Wish[mesh.AskProxies](wishes); ok {
		out = resource.Join(out, resources.Proxies)
	}
	if _, ok := mesh.Wish[mesh.Probing](wishes); ok {
		out = resource.Join(out, resources.Behind)
	}
	for _, area := range areas {
		switch area {
		case mesh.ControlPlane:
			out = resource.Join(out, resources.ControlPlaneRules)
		case mesh.Certs:
			out = resource.Join(out, resources.Trust)
		case mesh.Network:
			out = resource.Join(out, resources.NetworkRules)
		case mesh.Endpoints:
			out = resource.Join(out, resources.EndpointRules)
		}
	}
	return out
}

// Rules are those of an area.
func Rules(area mesh.Area) []*rule.Rule[*model.Mesh] {
	switch area {
	case mesh.ControlPlane:
		return controlplane.Rules()
	case mesh.Certs:
		return certs.Rules()
	case mesh.Network:
		return slices.Concat(network.Rules(), gateways.Rules(), ambient.Rules(), primaryremote.Rules(), releases.NetworkRules())
	case mesh.Endpoints:
		return slices.Concat(remotesecrets.Rules(), endpoints.Rules(), releases.EndpointRules())
	}
	return nil
}

// Codes are the codes that the rules of some areas can find.
func (Mesh) Codes(areas ...mesh.Area) []finding.Code {
	var rules []*rule.Rule[*model.Mesh]
	for _, area := range areas {
		rules = append(rules, Rules(area)...)
	}
	return rule.CodesOf(rules)
}

// declared are the rules of all areas, made once: what is needed is asked for each code in turn.
var declared = sync.OnceValue(func() (out []*rule.Rule[*model.Mesh]) {
	for _, area := range []mesh.Area{mesh.ControlPlane, mesh.Certs, mesh.Network, mesh.Endpoints} {
		out = append(out, Rules(area)...)
	}
	return out
})

// Needs are the rows and questions of the rules that can find some codes, rows first.
func (Mesh) Needs(codes ...finding.Code) []mesh.Need {
	needs := rule.NeedsOf(declared(), codes...)
	var out []mesh.Need
	for _, row := range resources.All {
		if slices.Contains(needs, rule.Need(row)) {
			out = append(out, mesh.Need{Name: row.String(), Grants: []resource.Grant{row.About().Grant()}})
		}
	}
	for _, q := range questions.Of(needs...) {
		out = append(out, mesh.Need{Name: q.String(), Grants: q.Grants(), Instead: q.Instead()})
	}
	return out
}

// Verify asks what the rules of the areas need besides the facts, and runs them.
func (m Mesh) Verify(ctx context.Context, run *mesh.Run) (finding.Result, error) {
	_, result, err := Check(ctx, run)
	if err != nil {
		return finding.Result{}, err
	}
	return result.Of(m.Codes(run.Areas...)), nil
}

// CheckUp is Verify, and what is well besides.
func (m Mesh) CheckUp(ctx context.Context, run *mesh.Run) (finding.Result, verdict.Overview, error) {
	built, result, err := Check(ctx, run)
	if err != nil {
		return finding.Result{}, verdict.Overview{}, err
	}
	return result.Of(m.Codes(run.Areas...)), overview(built, result), nil
}

// resolveTime is how long name servers have to answer where the user does not say.
const resolveTime = 5 * time.Second

// Check makes the model of a run's fleet, with what was asked besides, and runs the
// rules of the areas, and those that name causes of what they find. It is for views too: they read
// the model, and name what the rules found.
func Check(ctx context.Context, run *mesh.Run) (*model.Mesh, finding.Result, error) {
	m, topics, err := Look(ctx, run)
	if err != nil {
		return nil, finding.Result{}, err
	}
	return m, Judge(m, rule.Options{Topics: topics}, run.Areas...), nil
}

// Judge runs the rules of areas on a model, and those that name causes of what they find.
func Judge(m *model.Mesh, options rule.Options, areas ...mesh.Area) finding.Result {
	return rule.Run(m, inForce(areas), options)
}

// inForce are the rules of areas, and those whose findings they name as causes.
func inForce(areas []mesh.Area) []*rule.Rule[*model.Mesh] {
	var out []*rule.Rule[*model.Mesh]
	if slices.Contains(areas, mesh.Endpoints) && !slices.Contains(areas, mesh.Network) {
		out = Rules(mesh.Network)
	}
	for _, area := range areas {
		out = append(out, Rules(area)...)
	}
	return out
}

// Look makes the model of a run's fleet, with the answers to the questions that its rules
// and wishes lead to. Topics are those of the rules that were asked for.
func Look(ctx context.Context, run *mesh.Run) (*model.Mesh, []rule.Topic, error) {
	topics := topicsOf(run.Wishes)
	asked := Asked(run.Wishes, run.Areas...)
	probes, probed := mesh.Wish[mesh.Probing](run.Wishes)
	bare := sync.OnceValue(func() *model.Mesh { return model.New(run.Fleet, model.Options{}) })
	var options model.Options
	if asked.Has(questions.Hostnames) && (!run.By.Dumped() || probed) {
		wait := resolveTime
		if probed {
			wait = probes.Wait
		}
		names := ask.Hostnames(ctx, bare(), wait, run.Say)
		options.Hosts, options.HostFailures = names.Addresses, names.Failed
	}
	if asked.Has(ask.OfRemoteSecrets...) {
		options.Seen = ask.RemoteSecrets(ctx, run.By, bare(), asked, false)
	}
	if asked.Has(questions.Trials) {
		trials, err := ask.Gateways(ctx, run.By, bare(), probes)
		if err != nil {
			return nil, nil, err
		}
		options.Given = append(options.Given, trials)
	}
	wish := certs.Options{ExpiryWarn: certs.DefaultExpiryWarn}
	if warn, ok := mesh.Wish[mesh.ExpiryWarn](run.Wishes); ok {
		wish.ExpiryWarn = time.Duration(warn)
	}
	if asked.Has(questions.ProxyCertificates) {
		wish.Proxies = ask.Certificates(ctx, run.By, run.Fleet)
	}
	options.Given = append(options.Given, wish)
	if since, ok := mesh.Wish[mesh.Since](run.Wishes); ok {
		options.Given = append(options.Given, controlplane.Options{Since: time.Duration(since)})
	}
	if services, ok := mesh.Wish[mesh.Services](run.Wishes); ok {
		options.Given = append(options.Given, endpoints.Options{Namespace: services.Namespace, Selects: services.Selects})
	}
	return model.New(run.Fleet, options), topics, nil
}

// topicsOf are the topics that wishes are about.
func topicsOf(wishes []any) []rule.Topic {
	var out []rule.Topic
	if _, ok := mesh.Wish[mesh.Probing](wishes); ok {
		out = append(out, probing.Topic)
	}
	if _, ok := mesh.Wish[mesh.AskProxies](wishes); ok {
		out = append(out, certs.TopicProxies)
	}
	return out
}

// Asked are the questions that a run of some areas asks: those whose answers a rule in force
// uses. Addresses are tried only where the user wishes it, whatever rules could make of that.
func Asked(wishes []any, areas ...mesh.Area) questions.Set {
	topics := topicsOf(wishes)
	return slices.DeleteFunc(used(inForce(areas), topics), func(q *questions.Question) bool {
		return q == questions.Trials && !slices.Contains(topics, probing.Topic)
	})
}

// used are the questions whose answers the rules in force use.
func used(rules []*rule.Rule[*model.Mesh], topics []rule.Topic) questions.Set {
	var needs []rule.Need
	for _, r := range rules {
		if r.When == "" || slices.Contains(topics, r.When) {
			needs = slices.Concat(needs, r.Needs, r.Uses)
		}
	}
	return questions.Of(needs...)
}
