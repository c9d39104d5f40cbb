package ask

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/fleet"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/endpoints"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/questions"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remotesecrets"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/survey"
)

// between is how long a control plane is given to follow a change before it is
// asked again.
const between = 5 * time.Second

// dumped is why clusters are not asked what was not dumped.
const dumped = "clusters of a dump cannot be asked"

// asked is what one cluster said in the first round.
type asked struct {
	side        facts.Read[facts.RemoteSide]
	credentials *Credentials
	istiods     []facts.IstiodView
}

// OfRemoteSecrets are the questions that RemoteSecrets asks.
var OfRemoteSecrets = []*questions.Question{questions.RemoteSides, questions.Istiods, questions.TokenReviews}

// RemoteSecrets asks what the survey does not tell of remote secrets: the clusters about the
// identities that read them, and every replica of the control planes about what it reads, all side
// by side; then the API servers about the tokens. Where control planes do not have
// what clusters have they are asked again after some seconds. wanted are the questions
// to ask; connect tries the credentials as well.
func RemoteSecrets(ctx context.Context, by survey.Asker, m *model.Mesh, wanted questions.Set, connect bool) facts.Seen {
	out := m.Fleet
	if survey.Mute(by) {
		return facts.Seen{NotAsked: dumped}
	}
	if by.Dumped() { // what pods said then, once; API servers are not asked
		connect, wanted = false, slices.DeleteFunc(slices.Clone(wanted), func(q *questions.Question) bool {
			return q == questions.RemoteSides || q == questions.TokenReviews
		})
	}
	plan := remotesecrets.NewPlan(m)
	seen := facts.Seen{
		Sides:   map[string]facts.Read[facts.RemoteSide]{},
		Reviews: map[facts.SecretKey]facts.Review{},
		Istiods: map[string]facts.Read[[]facts.IstiodView]{},
	}
	pods := map[string][]string{}
	for i := range out.Clusters {
		if c := &out.Clusters[i]; slices.Contains(plan.Primaries, c.Context) {
			if pods[c.Context] = RunningPods(c); !resources.IstiodPods.Of(c).Known() {
				seen.Istiods[c.Context] = facts.Read[[]facts.IstiodView]{
					State:  resources.IstiodPods.Of(c).State,
					Reason: "its pods: " + resources.IstiodPods.Of(c).Why(),
				}
			}
		}
	}
	sets := newAddressSets()
	first := survey.Ask(ctx, by, slices.Sorted(maps.Keys(plan.Users)), func(ctx context.Context, c survey.Cluster) (asked, error) {
		var a asked
		var wait sync.WaitGroup
		if wanted.Has(questions.RemoteSides) {
			wait.Go(func() {
				side, err := ReadSide(ctx, c, plan.Users[c.Context])
				a.side = facts.Read[facts.RemoteSide]{State: facts.OK, Value: side}
				if err != nil {
					a.side = facts.Read[facts.RemoteSide]{State: facts.Failed, Reason: fleet.Classify(err, "").Reason}
				}
			})
		}
		primary := slices.Contains(plan.Primaries, c.Context)
		if primary && (connect || wanted.Has(questions.TokenReviews)) {
			wait.Go(func() { a.credentials, _ = ReadCredentials(ctx, c) }) // without them nothing is reviewed, which is said
		}
		if primary && wanted.Has(questions.Istiods) {
			wait.Go(func() {
				a.istiods = readIstiods(ctx, c, pods[c.Context], furtherOf(c.Context, plan), sets)
			})
		}
		wait.Wait()
		return a, nil
	})
	var credentials []*Credentials
	for name, answer := range first {
		switch {
		case errors.Is(answer.Err, survey.ErrDump):
			seen.Istiods[name] = facts.Read[[]facts.IstiodView]{Reason: dumped}
			continue
		case answer.Err != nil:
			failed := fleet.Classify(answer.Err, "").Reason
			seen.Sides[name] = facts.Read[facts.RemoteSide]{State: facts.Failed, Reason: failed}
			seen.Istiods[name] = facts.Read[[]facts.IstiodView]{State: facts.Failed, Reason: failed}
			continue
		}
		if seen.Sides[name] = answer.Value.side; by.Dumped() {
			seen.Sides[name] = facts.Read[facts.RemoteSide]{Reason: dumped}
		}
		if _, known := seen.Istiods[name]; !known && wanted.Has(questions.Istiods) {
			seen.Istiods[name] = facts.Read[[]facts.IstiodView]{State: facts.OK, Value: answer.Value.istiods}
		}
		if answer.Value.credentials != nil {
			credentials = append(credentials, answer.Value.credentials)
		}
	}
	if connect {
		seen.Connected = try(ctx, by, plan.Primaries, credentials, remotesecrets.Servers(m))
	}
	answered := model.New(out, model.Options{Seen: seen})
	var wait sync.WaitGroup
	// Both are of what the first round told, and neither of the other.
	if wanted.Has(questions.TokenReviews) {
		wait.Go(func() { review(ctx, by, answered, &seen, credentials) })
	}
	contexts, doubtful := remotesecrets.Doubtful(answered)
	unconnected := endpoints.Unconnected(answered)
	refused := wanted.Has(questions.Refusals) &&
		(len(unconnected) > 0 || slices.ContainsFunc(answered.Clusters, func(c *model.Cluster) bool { return len(c.Unconnected()) > 0 }))
	wait.Wait()
	rejected := wanted.Has(questions.Rejections) && answered.Rejecting()
	changing := doubtful || len(unconnected) > 0 || refused || rejected
	if !by.Dumped() && wanted.Has(questions.Istiods) && changing {
		seen.Again = again(ctx, by, out, second{
			plan, contexts, pods, unconnected, refused, remotesecrets.GatewaysDiffer(answered),
		})
	}
	return seen
}

// review has tokens reviewed by the API servers that they are for.
func review(ctx context.Context, by survey.Asker, m *model.Mesh, seen *facts.Seen, credentials []*Credentials) {
	tokens := remotesecrets.Tokens(m)
	reviewed := survey.Ask(
		ctx,
		by,
		slices.Sorted(maps.Keys(tokens)),
		func(ctx context.Context, c survey.Cluster) (map[facts.SecretKey]facts.Review, error) {
			return ReviewTokens(ctx, c, credentials, tokens[c.Context])
		},
	)
	for _, answer := range reviewed {
		maps.Copy(seen.Reviews, answer.Value)
	}
}

// try uses the credentials themselves, from this machine.
func try(
	ctx context.Context,
	by survey.Asker,
	primaries []string,
	credentials []*Credentials,
	servers []string,
) map[facts.SecretKey]facts.Connected {
	out := map[facts.SecretKey]facts.Connected{}
	answers := survey.Ask(ctx, by, primaries, func(ctx context.Context, c survey.Cluster) (map[facts.SecretKey]facts.Connected, error) {
		tried := map[facts.SecretKey]facts.Connected{}
		var mu sync.Mutex
		var wait sync.WaitGroup
		for _, set := range credentials {
			for _, key := range set.Keys() {
				if key.Context != c.Context {
					continue
				}
				wait.Go(func() {
					connected := set.Try(ctx, key, servers)
					mu.Lock()
					defer mu.Unlock()
					tried[key] = connected
				})
			}
		}
		wait.Wait()
		return tried, nil
	})
	for _, answer := range answers {
		maps.Copy(out, answer.Value)
	}
	return out
}

// second is what there is to ask a second time: the istiods of primaries, by the names of
// their pods (of some also what they tell ambient workloads), the EndpointSlices of contexts, and pods whose proxies are connected nowhere.
type second struct {
	plan     remotesecrets.Plan
	contexts []string
	istiods  map[string][]string
	pods     map[string][]string
	// refusals: how often istiods refuse proxies matters.
	refusals bool
	// gateways: what makes gateways has to be read again.
	gateways bool
}

// rows are what is read of a cluster again, of what makes gateways.
func (s second) rows(context string) []resource.Rows {
	switch {
	case s.gateways && (slices.Contains(s.contexts, context) || slices.Contains(s.plan.Primaries, context)):
		return []resource.Rows{resources.Services, resources.Namespaces, resources.Nodes, resources.KubernetesGateways}
	case len(s.plan.Ambient) > 0 && slices.Contains(s.contexts, context):
		return []resource.Rows{resources.KubernetesGateways}
	}
	return nil
}

// again asks the control planes and the clusters a second time, after a while. In
// ambient mode it costs a cluster one request more, for its gateways, and four where those differ
// that istiod has.
func again(ctx context.Context, by survey.Asker, out *facts.Fleet, s second) *facts.Later {
	before := s.refused(ctx, by)
	select {
	case <-time.After(between):
	case <-ctx.Done():
		return nil
	}
	type all struct {
		istiods  []facts.IstiodView
		slices   facts.Read[facts.Addresses]
		gateways facts.Cluster
		pods     map[string]bool
		refused  map[string]facts.Read[facts.RefusalCount]
	}
	later := &facts.Later{
		Istiods: map[string]facts.Read[[]facts.IstiodView]{}, Slices: map[string]facts.Read[facts.Addresses]{},
		Gateways: map[string]facts.Cluster{}, Pods: map[string]map[string]bool{},
	}
	sets := newAddressSets()
	if s.refusals {
		later.Refusals = map[string]facts.Read[[]facts.Refusals]{}
	}
	wanted := slices.Compact(slices.Sorted(slices.Values(slices.Concat(s.plan.Primaries, s.contexts, slices.Collect(maps.Keys(s.pods))))))
	answers := survey.Ask(ctx, by, wanted, func(ctx context.Context, c survey.Cluster) (all, error) {
		var a all
		var wait sync.WaitGroup
		if slices.Contains(s.contexts, c.Context) {
			wait.Go(func() {
				if addresses, err := ReadSlices(ctx, c); err == nil {
					a.slices = facts.Read[facts.Addresses]{State: facts.OK, Value: addresses}
				}
			})
		}
		if rows := s.rows(c.Context); len(rows) > 0 {
			wait.Go(func() {
				if read, err := survey.Read(ctx, c, rows...); err == nil {
					a.gateways = read
				}
			})
		}
		if slices.Contains(s.plan.Primaries, c.Context) {
			wait.Go(func() {
				a.istiods = readIstiods(ctx, c, s.istiods[c.Context], furtherOf(c.Context, s.plan), sets)
			})
			if s.refusals {
				wait.Go(func() { a.refused = ReadRefusals(ctx, c, s.istiods[c.Context]) })
			}
		}
		if pods := s.pods[c.Context]; len(pods) > 0 {
			wait.Go(func() { a.pods, _ = StillThere(ctx, c, pods, out.At) }) // else it is not checked
		}
		wait.Wait()
		return a, nil
	})
	for name, answer := range answers {
		if answer.Err != nil {
			continue
		}
		later.Istiods[name] = facts.Read[[]facts.IstiodView]{State: facts.OK, Value: answer.Value.istiods}
		later.Slices[name], later.Gateways[name] = answer.Value.slices, answer.Value.gateways
		if answer.Value.pods != nil {
			later.Pods[name] = answer.Value.pods
		}
		if s.refusals && slices.Contains(s.plan.Primaries, name) {
			later.Refusals[name] = refusals(s.istiods[name], before[name], answer.Value.refused)
		}
	}
	return later
}

// refused asks the control planes a first time how often they refuse proxies, where that matters.
func (s second) refused(ctx context.Context, by survey.Asker) map[string]map[string]facts.Read[facts.RefusalCount] {
	type counts = map[string]facts.Read[facts.RefusalCount]
	out := map[string]counts{}
	if !s.refusals {
		return out
	}
	answers := survey.Ask(ctx, by, s.plan.Primaries, func(ctx context.Context, c survey.Cluster) (counts, error) {
		return ReadRefusals(ctx, c, s.istiods[c.Context]), nil
	})
	for name, answer := range answers {
		out[name] = answer.Value
	}
	return out
}
