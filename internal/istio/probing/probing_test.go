//go:build unix

package probing_test

import (
	"crypto/x509"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/certs"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/gateways"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/network"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/primaryremote"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/probing"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/ruletest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/probe"
	"github.com/kubectl-mesh/kubectl-mesh/internal/probetest"
)

const workload = "spiffe://cluster.local/ns/sample/sa/helloworld"

// real is a fleet whose gateways are really there.
func real(t *testing.T, west func(*testing.T, *istiotest.Fleet) netip.AddrPort) *istiotest.Fleet {
	t.Helper()
	f := istiotest.Networked("east", "west").Serve()
	east := f.Get("east")
	east.GatewayAt(probetest.Gateway(t, probetest.Leaf(t, east.Signer, workload), istiotest.ServedName))
	f.Get("west").GatewayAt(west(t, f))
	return f
}

func targets(fleet *facts.Fleet) []probing.Target {
	return probing.Targets(model.New(fleet, model.Options{}))
}

func newTrials(fleet *facts.Fleet, targets []probing.Target, attempts [][]facts.Attempt) probing.Trials {
	return probing.NewTrials(model.New(fleet, model.Options{}), targets, attempts, certs.Roots(fleet), time.Now())
}

// verify is what all rules that read trials find, and those that find what they name as
// causes.
func verify(t *testing.T, fleet *facts.Fleet, trials probing.Trials) finding.Result {
	t.Helper()
	all := ruletest.Area{Rules: slices.Concat(network.Rules(), gateways.Rules(), primaryremote.Rules())}
	return all.Run(t, fleet, model.Options{Given: []any{trials}}, probing.Topic)
}

// targetsOf are those of a fleet, but for pods, which are not there.
func targetsOf(fleet *facts.Fleet) []probing.Target {
	return slices.DeleteFunc(targets(fleet), func(t probing.Target) bool { return t.Purpose == probing.PodToPod })
}

// try is what comes of attempts at all gateways of a fleet from a vantage; that of west can
// be slow.
func try(t *testing.T, fleet *facts.Fleet, from facts.Vantage, slow bool) probing.Trials {
	t.Helper()
	targets := targetsOf(fleet)
	var attempts [][]facts.Attempt
	for _, target := range targets {
		wait := 30 * time.Second
		if slow && target.Cluster == "west" {
			wait = 500 * time.Millisecond
		}
		of := probe.ThisMachine(wait).Try(t.Context(), []facts.Probe{target.Probe})[0]
		for i := range of {
			of[i].From = from
		}
		attempts = append(attempts, of)
	}
	return newTrials(fleet, targets, attempts)
}

// Pods of clusters on different networks.
var (
	pod       = facts.Vantage{Context: "east", Namespace: "sample", Pod: "curl-5d5c8b9f7-00002", Container: istio.ProxyContainer}
	remotePod = facts.Vantage{Context: "west", Namespace: "sample", Pod: "curl-5d5c8b9f7-00002", Container: istio.ProxyContainer}
)

func TestTrials(t *testing.T) {
	type server = func(*testing.T, *istiotest.Fleet) netip.AddrPort
	gateway := func(signer func(*istiotest.Fleet) *istiotest.Authority, name string, notAfter ...time.Time) server {
		return func(t *testing.T, f *istiotest.Fleet) netip.AddrPort {
			return probetest.Gateway(t, probetest.Leaf(t, signer(f), name, notAfter...), istiotest.ServedName)
		}
	}
	own := func(f *istiotest.Fleet) *istiotest.Authority { return f.Get("west").Signer }
	other := func(*istiotest.Fleet) *istiotest.Authority { return istiotest.Root(istiotest.Spec{Name: "Other"}) }
	simple := func(start func(testing.TB) netip.AddrPort) func(*testing.T, *istiotest.Fleet) netip.AddrPort {
		return func(t *testing.T, _ *istiotest.Fleet) netip.AddrPort { return start(t) }
	}
	for name, c := range map[string]struct {
		west    func(*testing.T, *istiotest.Fleet) netip.AddrPort
		verdict probing.Verdict
		says    string // the beginning
		code    string // of the finding
	}{
		"gateway": {gateway(own, workload), probing.Trusted, "reachable and trusted by east", ""},
		"other root": {
			gateway(other, workload), probing.OtherRoot,
			"reachable, but other root: east has no root for spiffe://cluster.local/ns/sample/sa/helloworld, issued by CN=Other,O=Istio", "GW036",
		},
		"expired": {
			gateway(own, workload, time.Now().Add(-time.Minute)), probing.OtherRoot,
			"reachable, but other root: a certificate of its chain has expired or is not valid yet: spiffe", "GW036",
		},
		"no workload": {
			gateway(own, "istiod.istio-system.svc"), probing.NotMesh,
			"reachable, but not a mesh gateway: its certificate is istiod.istio-system.svc, " +
				"issued by CN=Intermediate CA west,O=Istio, and not that of a workload", "GW037",
		},
		"web server": {
			func(t *testing.T, _ *istiotest.Fleet) netip.AddrPort {
				return probetest.HTTPS(t, probetest.Leaf(t, istiotest.Root(istiotest.Spec{Name: "Web CA"}), "www.example.com"))
			}, probing.NotMesh,
			"reachable, but not a mesh gateway: it refuses TLS: no application protocol; " +
				"its certificate is www.example.com, issued by CN=Web CA,O=Istio", "GW037",
		},
		"web server without TLS": {
			simple(probetest.HTTP), probing.NotMesh,
			"reachable, but not a mesh gateway: it answers in plain text: HTTP/1.1 400 Bad Request", "GW037",
		},
		"closed":   {simple(probetest.Closed), probing.Refused, "refused", "GW013"},
		"firewall": {simple(probetest.Unanswering), probing.TimedOut, "timed out: nothing answers: a firewall?", "GW013"},
		"silent":   {simple(probetest.Silent), probing.TimedOut, "timed out: it accepts connections, and does not answer to TLS", "GW013"},
		"resets":   {simple(probetest.Resets), probing.Reset, "reset: it accepts connections, and closes them without an answer to TLS", "GW013"},
		"service unknown": {
			func(t *testing.T, f *istiotest.Fleet) netip.AddrPort {
				return probetest.Gateway(t, probetest.Leaf(t, f.Get("west").Signer, workload), "another")
			}, probing.Reset, "reset: it accepts", "GW013",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fleet := real(t, c.west).Facts()
			for _, v := range []struct {
				from     facts.Vantage
				severity string
			}{{facts.ThisMachine, "warning"}, {pod, "error"}} {
				trials := try(t, fleet, v.from, c.verdict == probing.TimedOut)
				if len(trials) != 2 || trials[0].Result != probing.Trusted || trials[0].Cluster != "east" {
					t.Fatalf("%+v", trials)
				}
				got := trials[1]
				if got.Result != c.verdict || !strings.HasPrefix(got.Says(), c.says) {
					t.Errorf("%s: %s", got.Result, got.Says())
				}
				// A connection on one machine can be too fast to measure, and so can its refusal.
				measured := got.Milliseconds.Connect > 0 || got.Milliseconds.TLS > 0 || c.verdict == probing.Refused
				if got.ServerName != istiotest.ServedName || got.From != v.from.String() || !measured {
					t.Errorf("%+v", got)
				}
				r := verify(t, fleet, trials)
				var want []string
				if c.code != "" {
					want = []string{c.code + " " + v.severity + " west"}
				}
				if diff := cmp.Diff(want, istiotest.Summarize(r)); diff != "" {
					t.Errorf("findings from %s (-want +got):\n%s", v.from, diff)
				}
				for _, f := range r.Findings {
					if f.Title == "" || f.Effect == "" || len(f.Evidence) == 0 || len(lines(f.Fix)) < 2 {
						t.Errorf("incomplete: %+v", f)
					}
					if !strings.Contains(f.Evidence[0].Field, "from "+v.from.String()) {
						t.Errorf("evidence does not name the vantage: %+v", f.Evidence)
					}
					if suggests := strings.Contains(strings.Join(lines(f.Fix), "\n"), " --from-pod=east/"); suggests != (v.from == facts.ThisMachine) {
						t.Errorf("fix from %s: %+v", v.from, f.Fix)
					}
				}
				if len(r.Unknowns) > 0 {
					t.Errorf("not checked: %+v", r.Unknowns)
				}
			}
		})
	}
}

// Every cluster on another network is asked; roots that are not known are not taken
// for missing.
func TestTrialsByRoots(t *testing.T) {
	f := istiotest.Networked("east", "north", "west").Serve()
	for _, c := range f.Clusters {
		c.GatewayAt(probetest.Gateway(t, probetest.Leaf(t, c.Signer, workload), istiotest.ServedName))
	}
	stranger := istiotest.Root(istiotest.Spec{Name: "Stranger"})
	f.Get("north").Plug(stranger)
	fleet := f.Facts()
	resources.RootCert.Edit(&fleet.Clusters[0]).State = facts.Forbidden
	var got []string
	for _, r := range try(t, fleet, facts.ThisMachine, false) {
		got = append(got, r.Cluster+": "+r.Says())
	}
	want := []string{
		"east: reachable, but other root: north has no root for " + workload + ", issued by CN=Intermediate CA east,O=Istio",
		"north: reachable and trusted by west; the roots of east are not known", // its workloads' certificates are of before
		"west: reachable, but other root: north has no root for " + workload + ", issued by CN=Intermediate CA west,O=Istio",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWhatCannotBeSeen(t *testing.T) {
	seen := func(t *testing.T, fleet *facts.Fleet, a facts.Attempt) (probing.Trial, []string) {
		t.Helper()
		targets := targetsOf(fleet)
		attempts := make([][]facts.Attempt, len(targets))
		for i := range attempts {
			attempts[i] = []facts.Attempt{a}
		}
		trials := newTrials(fleet, targets, attempts)
		r := verify(t, fleet, trials)
		if found := istiotest.Summarize(r); found != nil {
			t.Errorf("findings %v", found)
		}
		var codes []string
		for _, u := range r.Unknowns {
			for _, c := range u.Codes {
				codes = append(codes, string(c))
			}
		}
		slices.Sort(codes)
		return trials[0], slices.Compact(codes)
	}
	proxied := pod
	proxied.Proxied = true
	healthy := istiotest.Networked("east", "west").Serve()
	noSlices := healthy.Facts()
	for i := range noSlices.Clusters {
		resources.EndpointSlices.Set(&noSlices.Clusters[i], facts.Read[[]discoveryv1.EndpointSlice]{State: facts.Forbidden})
	}
	for name, c := range map[string]struct {
		fleet *facts.Fleet
		a     facts.Attempt
		says  string
		want  []string
	}{
		"no service": {
			istiotest.Networked("east", "west").Facts(), facts.Attempt{Outcome: facts.Opened},
			"reachable: TLS was not tried: no service with a ready sidecar on network network1 is known", []string{"GW036", "GW037"},
		},
		"no endpoints": {
			noSlices, facts.Attempt{Outcome: facts.Opened},
			"reachable: TLS was not tried: endpointslices: forbidden in east", []string{"GW036", "GW037"},
		},
		"a tool that only connects": {
			healthy.Facts(), facts.Attempt{Outcome: facts.Opened, Detail: "the tool only connects", From: pod},
			"reachable: what it is was not seen: the tool only connects", []string{"GW036", "GW037"},
		},
		"connected through a sidecar": {
			healthy.Facts(), facts.Attempt{Outcome: facts.Opened, From: proxied},
			"not tried: the pod's own proxy accepts every connection of that container", []string{"GW013", "GW036", "GW037"},
		},
		"reset through a sidecar": {
			healthy.Facts(), facts.Attempt{Outcome: facts.Reset, From: proxied},
			"reset: through the pod's own proxy, which does not tell why", []string{"GW013", "GW036", "GW037"},
		},
		"no tool": {
			healthy.Facts(), facts.Attempt{Outcome: facts.NotTried, Detail: "no tool", From: pod},
			"not tried: no tool", []string{"GW013", "GW036", "GW037"},
		},
		"no name": {
			healthy.Facts(), facts.Attempt{Outcome: facts.Unresolved, Detail: "there is no such name"},
			"name not resolved: there is no such name", []string{"GW013"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			trial, codes := seen(t, c.fleet, c.a)
			if trial.Says() != c.says {
				t.Errorf("says %q", trial.Says())
			}
			if diff := cmp.Diff(c.want, codes); diff != "" {
				t.Errorf("not checked (-want +got):\n%s", diff)
			}
		})
	}
}

// lines are the sentences and the commands of a fix.
func lines(fix []finding.Step) []string {
	var out []string
	for _, s := range fix {
		if s.Say != "" {
			out = append(out, s.Say)
		}
		for _, c := range s.Run {
			out = append(out, c.String())
		}
	}
	return out
}

// What is tried, for each way in which a network can have a gateway.
func TestTargets(t *testing.T) {
	type target struct{ Where, Network, Cluster, Object, Protocol, Name, Clients string }
	describe := func(fleet *facts.Fleet) []target {
		var out []target
		for _, x := range targetsOf(fleet) {
			out = append(out, target{x.String(), x.Network, x.Cluster, x.Object.String(), x.Protocol, x.ServerName, strings.Join(x.Clients, ",")})
		}
		return out
	}
	fleet := func(name string) *facts.Fleet {
		for _, c := range istiotest.NetworkHealthy {
			if c.Name == name {
				f := c.Fleet()
				for _, c := range f.Clusters {
					if c.Network == nil {
						return f.Facts()
					}
				}
				return f.Serve().Facts()
			}
		}
		t.Fatalf("there is no fleet %q", name)
		return nil
	}
	const gateway = "service istio-system/istio-eastwestgateway"
	for name, want := range map[string][]target{
		"two networks": {
			{"203.0.113.10:15443", "network1", "east", gateway, "istio", istiotest.ServedName, "west"},
			{"203.0.113.11:15443", "network2", "west", gateway, "istio", istiotest.ServedName, "east"},
		},
		"mesh networks instead of labels": {
			{"203.0.113.10:15443", "network1", "east", gateway, "istio", istiotest.ServedName, "west"},
			{"203.0.113.11:15443", "network2", "east", "configmap istio-system/istio", "istio", istiotest.ServedName, "east"},
		},
		"NodePort gateways": {
			{"198.51.100.1:31001", "network1", "east", gateway, "istio", istiotest.ServedName, "west"},
			{"198.51.100.2:31001", "network1", "east", gateway, "istio", istiotest.ServedName, "west"},
			{"198.51.100.9:31011", "network2", "west", gateway, "istio", istiotest.ServedName, "east"},
		},
		"ambient gateways": {
			{"203.0.113.10:15008", "network1", "east", gateway, "h2", "", "west"},
			{"203.0.113.11:15008", "network2", "west", gateway, "h2", "", "east"},
		},
		"a gateway elsewhere, by the Gateway API": {
			{"203.0.113.10:15443", "network1", "east", gateway, "istio", istiotest.ServedName, "west"},
			{"203.0.113.11:15443", "network2", "east", "gateway istio-system/to-network2", "istio", istiotest.ServedName, "east"},
		},
		"a primary and a remote cluster on another network": {
			{"203.0.113.10:15443", "network1", "east", gateway, "istio", istiotest.ServedName, "west"},
			{"203.0.113.11:15443", "network2", "west", gateway, "istio", istiotest.ServedName, "east"},
		},
		"one network without a name": nil,
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(want, describe(fleet(name))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Where gateways are reached nothing is found, in whichever way a fleet has them.
func TestTrialsOfHealthyFleets(t *testing.T) {
	for _, c := range istiotest.NetworkHealthy {
		t.Run(c.Name, func(t *testing.T) {
			f := c.Fleet()
			fleet := f.Facts()
			targets := targetsOf(fleet)
			attempts := make([][]facts.Attempt, len(targets))
			for i := range targets {
				signer, name, from := f.Clusters[0].Signer, workload, pod // all have one root
				if targets[i].For != "" {
					name, from = targets[i].Host, remotePod
				}
				if strings.HasPrefix(c.Name, "a remote cluster that calls istiod by a name with") && targets[i].Purpose == probing.Injection {
					continue // by a CA that the test has not
				}
				leaf, err := x509.ParseCertificate(probetest.Leaf(t, signer, name).Certificate[0])
				if err != nil {
					t.Fatal(err)
				}
				chain := []*x509.Certificate{leaf, signer.Cert}
				attempts[i] = []facts.Attempt{{Probe: targets[i].Probe, From: from, Outcome: facts.Answered, Certificates: chain}}
			}
			trials := newTrials(fleet, targets, attempts)
			for _, r := range trials {
				if r.Result != probing.Trusted {
					t.Errorf("%s: %s", r.ID(), r.Says())
				}
			}
			r := verify(t, fleet, trials)
			if len(r.Findings) > 0 || len(r.Unknowns) > 0 {
				t.Errorf("%+v", r)
			}
		})
	}
}

// The Service that is asked for is one that the gateway knows.
func TestServerName(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(*istiotest.Cluster)
		want string
	}{
		"as it is":               {func(*istiotest.Cluster) {}, istiotest.ServedName},
		"no pod has a sidecar":   {func(c *istiotest.Cluster) { eachPod(c, func(p *corev1.Pod) { delete(p.Labels, istio.LabelTLSMode) }) }, ""},
		"its pods are elsewhere": {func(c *istiotest.Cluster) { eachPod(c, func(p *corev1.Pod) { p.Labels[istio.LabelNetwork] = "other" }) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := istiotest.Networked("east", "west").Serve()
			c.do(f.Get("west"))
			targets := targetsOf(f.Facts())
			if got := targets[len(targets)-1]; got.Cluster != "west" || got.ServerName != c.want ||
				(got.Blind == "") != (c.want != "") || (got.Protocol == "") != (c.want == "") {
				t.Errorf("%+v", got)
			}
		})
	}
}

func eachPod(c *istiotest.Cluster, do func(*corev1.Pod)) {
	for _, p := range c.Network.Pods {
		do(p)
	}
}

func TestVantage(t *testing.T) {
	f := istiotest.Networked("east", "west")
	f.Get("east").Namespaces["ambient"] = map[string]string{"istio.io/dataplane-mode": "ambient"}
	in := func(namespace, container string) *corev1.Pod {
		p := f.Get("east").Network.Pods[0].DeepCopy()
		p.Namespace, p.Name, p.Spec.Containers[0].Name = namespace, "plain", container
		return p
	}
	ended := in("sample", istio.ProxyContainer)
	ended.Name, ended.Status.Phase = "ended", corev1.PodSucceeded
	f.Get("east").Network.More = append(f.Get("east").Network.More, in("ambient", "app"), in("default", "app"), ended)
	fleet := f.Facts()
	app, ambient, outside := pod, pod, pod
	app.Container, app.Proxied = "app", true
	ambient.Namespace, ambient.Pod, ambient.Container, ambient.Proxied = "ambient", "plain", "", true
	outside.Namespace, outside.Pod, outside.Container = "default", "plain", "app"
	missing := func(pod, context string) string {
		return fmt.Sprintf("there is no pod %s in namespace sample of %s; ", pod, context) +
			fmt.Sprintf(`"kubectl --context=%s get pods -n sample" lists those that there are`, context)
	}
	for name, c := range map[string]struct {
		context, namespace, pod, container string
		want                               facts.Vantage
		fails                              string
	}{
		"sidecar":        {"east", "sample", "curl-5d5c8b9f7-00002", "", pod, ""},
		"application":    {"east", "sample", "curl-5d5c8b9f7-00002", "app", app, ""},
		"ambient":        {"east", "ambient", "plain", "", ambient, ""},
		"outside":        {"east", "default", "plain", "app", outside, ""},
		"ended":          {"east", "sample", "ended", "", facts.Vantage{}, "pod sample/ended of east has ended"},
		"missing":        {"east", "sample", "none", "", facts.Vantage{}, missing("none", "east")},
		"not in facts":   {"north", "sample", "any", "", facts.Vantage{Context: "north", Namespace: "sample", Pod: "any"}, ""},
		"ends elsewhere": {"west", "sample", "ended", "", facts.Vantage{}, missing("ended", "west")},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := probing.Vantage(model.New(fleet, model.Options{}), c.context, c.namespace, c.pod, c.container)
			if c.fails != "" {
				if err == nil || err.Error() != c.fails {
					t.Errorf("error %v", err)
				}
				return
			}
			if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}
