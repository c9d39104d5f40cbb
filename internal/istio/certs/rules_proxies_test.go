package certs

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/ruletest"
)

// Workloads that have certificates and roots of before a change.
func TestProxies(t *testing.T) {
	later := istiotest.Now.Add(12 * time.Hour)
	material := func(ca *istiotest.Authority, roots ...*istiotest.Authority) facts.Read[facts.Material] {
		m := facts.Material{Chain: []byte(ca.Leaf(later) + ca.Chain())}
		for _, r := range roots {
			m.Roots = append(m.Roots, r.PEM()...)
		}
		return facts.Read[facts.Material]{State: facts.OK, Value: m}
	}
	other := istiotest.Root(istiotest.Spec{Name: "Other root"})
	for name, c := range map[string]struct {
		// change is what was done to the cluster after the proxies were given what they have.
		change  func(east *istiotest.Cluster)
		proxy   func(east *istiotest.Cluster) facts.Read[facts.Material]
		want    []string
		unknown string
		text    string
	}{
		"of now": {proxy: func(east *istiotest.Cluster) facts.Read[facts.Material] {
			return material(east.Signer, east.Signer.Top())
		}},
		"of an intermediate of before": {proxy: func(east *istiotest.Cluster) facts.Read[facts.Material] {
			return material(east.Signer.Top().Sub(istiotest.Spec{Name: "before"}), east.Signer.Top())
		}},
		"with a further root": {proxy: func(east *istiotest.Cluster) facts.Read[facts.Material] {
			return material(east.Signer, east.Signer.Top(), other)
		}},
		"of another root": {proxy: func(*istiotest.Cluster) facts.Read[facts.Material] {
			return material(other.Sub(istiotest.Spec{}), other)
		},
			want: []string{"CERT015 error east"}, text: "present a certificate that no root published there signs"},
		"trusting another root": {proxy: func(east *istiotest.Cluster) facts.Read[facts.Material] { return material(east.Signer, other) },
			want: []string{"CERT015 error east"}, text: "trust none of the roots"},
		"without the second root": {
			change: func(east *istiotest.Cluster) {
				east.CACerts["root-cert.pem"] += other.PEM()
				east.Published += other.PEM()
			},
			proxy: func(east *istiotest.Cluster) facts.Read[facts.Material] {
				return material(east.Signer, east.Signer.Top())
			},
			want: []string{"CERT015 warning east"}, text: "do not trust all roots",
		},
		"expired": {proxy: func(east *istiotest.Cluster) facts.Read[facts.Material] {
			m := material(east.Signer, east.Signer.Top())
			m.Value.Chain = []byte(east.Signer.Leaf(istiotest.Now.Add(-time.Minute)) + east.Signer.Chain())
			return m
		}, want: []string{"CERT015 error east"}, text: "has expired"},
		"of now, with a chain that lacks the CA": {proxy: func(east *istiotest.Cluster) facts.Read[facts.Material] {
			m := material(east.Signer, east.Signer.Top()) // CERT011 tells of it
			m.Value.Chain = []byte(east.Signer.Leaf(later))
			return m
		}},
		"of another system": {proxy: func(east *istiotest.Cluster) facts.Read[facts.Material] {
			m := material(east.Signer, east.Signer.Top())
			m.Value.Chain = []byte(other.Sub(istiotest.Spec{NotCA: true}).PEM())
			return m
		}, unknown: "istiod did not issue its certificate"},
		"none yet": {proxy: func(*istiotest.Cluster) facts.Read[facts.Material] {
			return facts.Read[facts.Material]{State: facts.OK}
		}, unknown: "no certificate of the mesh yet"},
		"gone": {proxy: func(*istiotest.Cluster) facts.Read[facts.Material] {
			return facts.Read[facts.Material]{State: facts.Absent}
		}, unknown: "gone meanwhile"},
		"forbidden": {proxy: func(*istiotest.Cluster) facts.Read[facts.Material] {
			return facts.Read[facts.Material]{State: facts.Forbidden}
		}, unknown: "forbidden"},
		"an external CA": {change: func(east *istiotest.Cluster) { east.Env[istio.EnvEnableCAServer] = "false" },
			proxy: func(*istiotest.Cluster) facts.Read[facts.Material] {
				return material(other.Sub(istiotest.Spec{}), other)
			}, unknown: "something other than istiod signs"},
	} {
		t.Run(name, func(t *testing.T) {
			f := istiotest.Healthy("east")
			east := f.Get("east")
			answer := c.proxy(east)
			if c.change != nil {
				c.change(east)
			}
			template := &facts.PodTemplate{
				Labels: map[string]string{"pod-template-hash": "5d5c8b9f7"}, Owner: facts.Owner{Kind: "ReplicaSet", Name: "curl-5d5c8b9f7"},
			}
			pod := &facts.Pod{Namespace: "sample", Name: "curl-5d5c8b9f7-00002", PodTemplate: template}
			options := Options{ExpiryWarn: DefaultExpiryWarn, Proxies: map[string]facts.Read[[]facts.ProxyMaterial]{
				"east": {State: facts.OK, Value: []facts.ProxyMaterial{{Pod: pod, Read: answer}}},
			}}
			result := run(t, f.Facts(), options)
			if diff := cmp.Diff(c.want, istiotest.Summarize(result)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			ruletest.Complete(t, result)
			for _, found := range result.Findings {
				if !strings.Contains(found.Title, c.text) || !strings.HasSuffix(lastCommand(found), "-n sample rollout restart deployment/curl") {
					t.Errorf("%+v", found)
				}
			}
			if n := len(result.Unknowns); (n == 0) != (c.unknown == "") || n > 0 && !strings.Contains(result.Unknowns[0].Reason.Text, c.unknown) {
				t.Errorf("unknowns: %+v", result.Unknowns)
			}
		})
	}
}

// Where pods may not be listed, or nothing is published, it is not checked.
func TestProxiesUnknown(t *testing.T) {
	f := istiotest.Healthy("east").Facts()
	forbidden := map[string]facts.Read[[]facts.ProxyMaterial]{"east": {State: facts.Forbidden, Reason: "forbidden"}}
	result := run(t, f, Options{ExpiryWarn: DefaultExpiryWarn, Proxies: forbidden})
	if len(result.Findings) > 0 || len(result.Unknowns) != 1 || result.Unknowns[0].Codes[0] != finding.Code("CERT015") {
		t.Errorf("%+v", result)
	}
}

// lastCommand is the last command of a finding's fix, as it is pasted.
func lastCommand(f finding.Finding) string {
	commands := finding.Commands(f.Fix)
	if len(commands) == 0 {
		return ""
	}
	return commands[len(commands)-1].String()
}
