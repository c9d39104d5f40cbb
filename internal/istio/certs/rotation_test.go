package certs

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/view"
)

// During a rotation some proxies have what they got before it, and others what they got after it.
func TestRotation(t *testing.T) {
	type spec = istiotest.Spec
	old, other := istiotest.Root(spec{Name: "Root 1"}), istiotest.Root(spec{Name: "Root 2"})
	one, two := istiotest.Root(spec{Name: "Root CA"}), istiotest.Root(spec{Name: "Root CA"})
	for name, c := range map[string]struct {
		from *istiotest.Authority
		// to is the new CA of the clusters that change, and roots its root-cert.pem.
		to     *istiotest.Authority
		roots  []*istiotest.Authority
		change []string
		want   string
	}{
		"the same CA":                       {old.Sub(spec{}), nil, nil, []string{"west"}, ""},
		"a new intermediate of the root":    {old.Sub(spec{}), old.Sub(spec{}), []*istiotest.Authority{old}, []string{"west"}, "west"},
		"both roots first, the CA as it is": {old.Sub(spec{}), nil, []*istiotest.Authority{old, other}, []string{"east", "west"}, "east west"},
		"both roots first, in one cluster":  {old.Sub(spec{}), nil, []*istiotest.Authority{old, other}, []string{"west"}, "west"},
		"a new root, which trusts the old, too": {old.Sub(spec{}), other.Sub(spec{}), []*istiotest.Authority{old, other}, []string{"west"}, "west" + `
			west/before refuses west/after
			east/unchanged refuses west/after for good`},
		"a new root alone": {old.Sub(spec{}), other.Sub(spec{}), []*istiotest.Authority{other}, []string{"west"}, "west" + `
			west/before refuses west/after
			west/after refuses west/before
			east/unchanged refuses west/after for good
			west/after refuses east/unchanged for good`},
		"a new root alone, everywhere": {old.Sub(spec{}), other.Sub(spec{}), []*istiotest.Authority{other}, []string{"east", "west"}, "east west" + `
			east/before refuses east/after
			east/after refuses east/before
			east/before refuses west/after
			east/after refuses west/before
			west/before refuses west/after
			west/after refuses west/before
			west/before refuses east/after
			west/after refuses east/before`},
		"two roots of one name, which key identifiers tell apart": {one.Sub(spec{}), nil,
			[]*istiotest.Authority{one, two}, []string{"west"}, "west"},
		"two roots of one name, and nothing tells them apart": {one.Sub(spec{NoKeyID: true}), nil,
			[]*istiotest.Authority{one, two}, []string{"west"}, "west" + `
			west/after refuses west/before, Envoy alone
			west/after refuses east/unchanged, Envoy alone for good`},
		"two roots of one name in the other order": {one.Sub(spec{NoKeyID: true}), nil,
			[]*istiotest.Authority{two, one}, []string{"west"}, "west"},
	} {
		t.Run(name, func(t *testing.T) {
			f := istiotest.Healthy("east", "west")
			for _, cluster := range f.Clusters {
				cluster.Plug(c.from)
			}
			before, after := f.Facts(), f.Facts()
			for i := range after.Clusters {
				for _, changes := range c.change {
					if after.Clusters[i].Context == changes {
						replug(&after.Clusters[i], c.to, c.roots)
					}
				}
			}
			r := Rotation(model.New(before, model.Options{}), model.New(after, model.Options{}))
			if diff := cmp.Diff(lines(c.want), lines(said(r))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// replug puts another CA and other roots into the Secret of a cluster, as kubectl apply would.
func replug(c *facts.Cluster, ca *istiotest.Authority, roots []*istiotest.Authority) {
	secret := resources.CACerts.Of(c).Value.DeepCopy()
	if ca != nil {
		f := istiotest.Healthy("other")
		f.Clusters[0].Plug(ca)
		secret = resources.CACerts.Of(&f.Facts().Clusters[0]).Value.DeepCopy()
	}
	if roots != nil {
		var text strings.Builder
		for _, r := range roots {
			text.WriteString(r.PEM())
		}
		secret.Data[istio.RootCertKey] = []byte(text.String())
	}
	read := resources.CACerts.Of(c)
	read.Value = secret
	resources.CACerts.Set(c, read)
}

// said is a rotation in a line for each refusal.
func said(r view.Rotation) string {
	out := strings.Join(r.Clusters, " ")
	for _, f := range r.Refusals {
		out += fmt.Sprintf("\n%s/%s refuses %s/%s", f.Refusing, f.RefusingHas, f.Refused, f.RefusedHas)
		if f.EnvoyOnly {
			out += ", Envoy alone"
		}
		if f.Lasting {
			out += " for good"
		}
	}
	for _, u := range r.Unknown {
		out += "\n" + u.Cluster + ": " + u.Reason
	}
	return out
}

func lines(text string) map[string]bool {
	out := map[string]bool{}
	for line := range strings.Lines(text) {
		out[strings.TrimSpace(line)] = true
	}
	return out
}
