package endpoints

import (
	"cmp"
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
)

// causes are what other rules found: some of it stops requests.
type causes struct {
	// errors are by code; what is no error stops nothing.
	errors map[finding.Code][]finding.Finding
	// warnings are too, for what the model knows to stop requests.
	warnings map[finding.Code][]finding.Finding
	byID     map[string]finding.Finding
	// unknowns are what they could not check, except what nobody can ask of a dump.
	unknowns []finding.Unknown
}

func newCauses(r finding.Result) *causes {
	sorted := finding.Result{Findings: slices.Clone(r.Findings)}
	sorted.Sort()
	k := &causes{
		errors: map[finding.Code][]finding.Finding{}, warnings: map[finding.Code][]finding.Finding{}, byID: map[string]finding.Finding{},
	}
	for _, f := range sorted.Findings {
		k.byID[f.ID()] = f
		switch f.Severity {
		case finding.Error:
			k.errors[f.Code] = append(k.errors[f.Code], f)
		case finding.Warning:
			k.warnings[f.Code] = append(k.warnings[f.Code], f)
		case finding.Note: // no cause
		}
	}
	for _, u := range r.Unknowns {
		if u.Reason.Kind != finding.NotAsked {
			k.unknowns = append(k.unknowns, u)
		}
	}
	return k
}

// about is the ID of an error with one of the codes, in their order, about all of the
// clusters, and about the object where one is given; "" where there is none.
func (k *causes) about(object finding.Object, contexts []string, codes ...finding.Code) string {
	for _, code := range codes {
		for _, f := range k.errors[code] {
			if object != (finding.Object{}) && f.Object != object {
				continue
			}
			if !slices.ContainsFunc(contexts, func(c string) bool { return !slices.Contains(f.Clusters, c) }) {
				return f.ID()
			}
		}
	}
	return ""
}

// ofGateway is the ID of what is wrong with a gateway that does not work. Where the model says
// that it does not, that is what was found of the same object, an error first, and else an
// error of the gateway itself that rules alone know; "" where there is none.
func (k *causes) ofGateway(h model.Hop) string {
	codes := slices.Concat(gatewayFaults, addressFaults, ambientCodes)
	if len(h.Blocked) > 0 {
		return cmp.Or(k.ofBlocked(h, k.errors, codes), k.ofBlocked(h, k.warnings, codes))
	}
	for _, code := range codes {
		for _, f := range k.errors[code] {
			if h.IsOwnError(f) && !slices.Contains(elsewhere, code) {
				return f.ID()
			}
		}
	}
	return ""
}

// ofBlocked is the ID of the first of some findings that is about what the model says of a
// gateway that does not work.
func (k *causes) ofBlocked(h model.Hop, found map[finding.Code][]finding.Finding, codes []finding.Code) string {
	for _, code := range codes {
		for _, f := range found[code] {
			about := func(b model.Blocker) bool { return slices.Contains(b.Objects, f.Object) }
			if slices.Contains(f.Clusters, h.In.Context) && slices.ContainsFunc(h.Blocked, about) {
				return f.ID()
			}
		}
	}
	return ""
}

// ofWatching is the ID of an error with one of the codes about what a control plane makes
// of a cluster: such findings name its own cluster first. "" where there is none.
func (k *causes) ofWatching(primary, cluster string, codes ...finding.Code) string {
	for _, code := range codes {
		for _, f := range k.errors[code] {
			if len(f.Clusters) > 1 && f.Clusters[0] == primary && slices.Contains(f.Clusters[1:], cluster) {
				return f.ID()
			}
		}
	}
	return ""
}

// warningOfWatching is ofWatching for warnings.
func (k *causes) warningOfWatching(primary, cluster string, code finding.Code) string {
	for _, f := range k.warnings[code] {
		if len(f.Clusters) > 1 && f.Clusters[0] == primary && slices.Contains(f.Clusters[1:], cluster) {
			return f.ID()
		}
	}
	return ""
}

// anyAbout is the ID of an error or a warning with one of the codes about an object of a cluster; ""
// where there is none.
func (k *causes) anyAbout(object finding.Object, context string, codes ...finding.Code) string {
	for _, found := range []map[finding.Code][]finding.Finding{k.errors, k.warnings} {
		for _, code := range codes {
			for _, f := range found[code] {
				if f.Object == object && slices.Contains(f.Clusters, context) {
					return f.ID()
				}
			}
		}
	}
	return ""
}

// doubts are why it is not known in a cluster whether one of the codes holds.
func (k *causes) doubts(context string, codes ...finding.Code) []finding.Reason {
	var out []finding.Reason
	for _, u := range k.unknowns {
		if u.Cluster == context && slices.ContainsFunc(u.Codes, func(c finding.Code) bool { return slices.Contains(codes, c) }) {
			out = append(out, u.Reason)
		}
	}
	return out
}
