//go:build unix

package primaryremote_test

import (
	"crypto/x509"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/certs"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/gateways"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/primaryremote"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/probing"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/ruletest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/probe"
	"github.com/kubectl-mesh/kubectl-mesh/internal/probetest"
)

const (
	istiodName = "istiod.istio-system.svc"
	workload   = "spiffe://cluster.local/ns/sample/sa/helloworld"
)

// Pods of the primary east, and of the remote cluster west.
var (
	pod       = facts.Vantage{Context: "east", Namespace: "sample", Pod: "curl-5d5c8b9f7-00002", Container: istio.ProxyContainer}
	remotePod = facts.Vantage{Context: "west", Namespace: "sample", Pod: "curl-5d5c8b9f7-00002", Container: istio.ProxyContainer}
)

// verify is what the rules find of a fleet and of trials, with those of its gateways.
func verify(t *testing.T, fleet *facts.Fleet, trials probing.Trials) finding.Result {
	t.Helper()
	both := ruletest.Area{Rules: slices.Concat(gateways.Rules(), primaryremote.Rules())}
	if trials == nil {
		return both.Run(t, fleet, model.Options{})
	}
	return both.Run(t, fleet, model.Options{Given: []any{trials}}, probing.Topic)
}

// targetsOf are those of a fleet, but for pods, which are not there.
func targetsOf(fleet *facts.Fleet) []probing.Target {
	all := probing.Targets(model.New(fleet, model.Options{}))
	return slices.DeleteFunc(all, func(t probing.Target) bool { return t.Purpose == probing.PodToPod })
}

func newTrials(fleet *facts.Fleet, targets []probing.Target, attempts [][]facts.Attempt) probing.Trials {
	return probing.NewTrials(model.New(fleet, model.Options{}), targets, attempts, certs.Roots(fleet), time.Now())
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

// primary is a primary and a remote cluster whose gateways are really there.
func primary(t *testing.T) *istiotest.Fleet {
	t.Helper()
	f := istiotest.PrimaryAndRemote("east", "west").Serve()
	for _, c := range f.Clusters {
		c.GatewayAt(probetest.Gateway(t, probetest.Leaf(t, f.Get("east").Signer, workload), istiotest.ServedName))
	}
	return f
}

// tryPlane is try, with the attempts that a vantage is for.
func tryPlane(t *testing.T, fleet *facts.Fleet, from facts.Vantage, slow bool) probing.Trials {
	t.Helper()
	targets := targetsOf(fleet)
	attempts := make([][]facts.Attempt, len(targets))
	for i, target := range targets {
		if !target.TriedFrom(from) {
			continue
		}
		wait := 30 * time.Second
		if slow && target.For != "" {
			wait = 500 * time.Millisecond
		}
		attempts[i] = probe.ThisMachine(wait).Try(t.Context(), []facts.Probe{target.Probe})[0]
		for k := range attempts[i] {
			attempts[i][k].From = from
		}
	}
	return newTrials(fleet, targets, attempts)
}

// forPlane are those trials that are about a control plane.
func forPlane(trials probing.Trials) probing.Trials {
	return slices.DeleteFunc(slices.Clone(trials), func(t probing.Trial) bool { return t.For == "" })
}

func TestControlPlaneTrials(t *testing.T) {
	type server = func(*testing.T, *istiotest.Fleet) netip.AddrPort
	signed := func(signer func(*istiotest.Fleet) *istiotest.Authority, name string, notAfter ...time.Time) server {
		return func(t *testing.T, f *istiotest.Fleet) netip.AddrPort {
			return probetest.Istiod(t, probetest.Leaf(t, signer(f), name, notAfter...))
		}
	}
	own := func(f *istiotest.Fleet) *istiotest.Authority { return f.Get("east").Signer }
	other := func(*istiotest.Fleet) *istiotest.Authority { return istiotest.Root(istiotest.Spec{Name: "Other"}) }
	simple := func(start func(testing.TB) netip.AddrPort) func(*testing.T, *istiotest.Fleet) netip.AddrPort {
		return func(t *testing.T, _ *istiotest.Fleet) netip.AddrPort { return start(t) }
	}
	both := func(code string) func(string) []string {
		return func(severity string) []string { return []string{code + " " + severity + " east,west"} }
	}
	for name, c := range map[string]struct {
		at      func(*testing.T, *istiotest.Fleet) netip.AddrPort
		verdict probing.Verdict
		says    string // the beginning, for proxies
		want    func(severity string) []string
	}{
		"istiod": {signed(own, istiodName), probing.Trusted, "reachable and trusted by proxies of west", nil},
		"another name": {
			signed(own, "istiod-canary.istio-system.svc"), probing.OtherName,
			"reachable, but for another name: its certificate is for istiod-canary.istio-system.svc, and not for " + istiodName,
			func(string) []string { return []string{"PR013 error west"} },
		},
		"a workload": {
			signed(own, workload), probing.OtherName,
			"reachable, but for another name: its certificate is for " + workload + ", and not for " + istiodName,
			func(string) []string { return []string{"PR013 error west"} },
		},
		"another root": {
			signed(other, istiodName), probing.OtherRoot,
			"reachable, but other root: configmap istio-system/istio-ca-root-cert has no root for " + istiodName + ", issued by CN=Other,O=Istio",
			func(severity string) []string {
				return []string{"PR004 " + severity + " west < PR008", "PR008 " + severity + " west"}
			},
		},
		"expired": {
			signed(own, istiodName, time.Now().Add(-time.Minute)), probing.OtherRoot,
			"reachable, but other root: a certificate of its chain has expired or is not valid yet: istiod",
			func(severity string) []string {
				return []string{"PR004 " + severity + " west < PR008", "PR008 " + severity + " west"}
			},
		},
		"web server": {
			signed(other, "www.example.com"), probing.NotControlPlane,
			"reachable, but not istiod: its certificate is www.example.com, issued by CN=Other,O=Istio, and not for " + istiodName, both("PR006"),
		},
		"web server without TLS": {
			simple(probetest.HTTP), probing.NotControlPlane,
			"reachable, but not istiod: it answers in plain text: HTTP/1.1 400 Bad Request", both("PR006"),
		},
		"closed":   {simple(probetest.Closed), probing.Refused, "refused", both("GW013")},
		"firewall": {simple(probetest.Unanswering), probing.TimedOut, "timed out: nothing answers: a firewall?", both("GW013")},
		"silent":   {simple(probetest.Silent), probing.TimedOut, "timed out: it accepts connections, and does not answer to TLS", both("GW013")},
		"resets": {
			simple(probetest.Resets), probing.Reset, "reset: it accepts connections, and closes them without an answer to TLS", both("PR006"),
		},
		"name unknown": {
			func(t *testing.T, f *istiotest.Fleet) netip.AddrPort {
				return probetest.Gateway(t, probetest.Leaf(t, own(f), istiodName), "istiod-canary.istio-system.svc")
			}, probing.Reset, "reset: it accepts", both("PR006"),
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := primary(t)
			f.Get("west").IstiodAt(c.at(t, f), c.at(t, f))
			fleet := f.Facts()
			for _, v := range []struct {
				from     facts.Vantage
				severity string
			}{{facts.ThisMachine, "warning"}, {remotePod, "error"}} {
				trials := tryPlane(t, fleet, v.from, c.verdict == probing.TimedOut)
				got := forPlane(trials)
				if len(trials) != 4 || len(got) != 2 || got[0].Purpose != probing.Discovery || got[1].Purpose != probing.Injection {
					t.Fatalf("%+v", trials)
				}
				if got[0].Result != c.verdict || got[1].Result != c.verdict || !strings.HasPrefix(got[0].Says(), c.says) {
					t.Errorf("%s, %s: %s", got[0].Result, got[1].Result, got[0].Says())
				}
				for _, g := range got {
					if g.ServerName != istiodName || g.Protocol != "h2" || g.For != "west" || g.Cluster != "east" ||
						g.Object != finding.In("service", "istio-system", "istio-eastwestgateway") || g.Network != "network1" {
						t.Errorf("%+v", g)
					}
				}
				r := verify(t, fleet, trials)
				var want []string
				if c.want != nil {
					want = c.want(v.severity)
				}
				if diff := cmp.Diff(want, istiotest.Summarize(r)); diff != "" {
					t.Errorf("findings from %s (-want +got):\n%s", v.from, diff)
				}
				for _, f := range r.Findings {
					if f.Title == "" || f.Effect == "" || len(lines(f.Fix)) < 2 || len(f.Evidence) < 2 ||
						!strings.Contains(f.Evidence[0].Field, ", from "+v.from.String()) {
						t.Errorf("incomplete: %+v", f)
					}
					if suggests := strings.Contains(strings.Join(lines(f.Fix), "\n"), " --from-pod=west/"); suggests != (f.Severity == finding.Warning) {
						t.Errorf("fix from %s: %+v", v.from, f.Fix)
					}
				}
				if len(r.Unknowns) > 0 {
					t.Errorf("not checked: %+v", r.Unknowns)
				}
			}
			if got := forPlane(tryPlane(t, fleet, pod, true)); len(got) > 0 { // a pod of the primary
				t.Errorf("%+v", got)
			}
		})
	}
}

// Where the injector alone is not reached, a pod does not see what the API server sees.
func TestInjectorFromPods(t *testing.T) {
	f := primary(t)
	f.Get("west").IstiodAt(probetest.Istiod(t, probetest.Leaf(t, f.Get("east").Signer, istiodName)), probetest.Closed(t))
	fleet := f.Facts()
	r := verify(t, fleet, tryPlane(t, fleet, remotePod, false))
	if diff := cmp.Diff([]string{"GW013 warning east,west"}, istiotest.Summarize(r)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if f := r.Findings[0]; !strings.HasPrefix(f.Effect, "if west sees the same, pods with a sidecar are not created in west") {
		t.Errorf("%+v", f)
	}
}

// One of two addresses that does not answer costs a share.
func TestSomeOfTheAddresses(t *testing.T) {
	f := primary(t)
	at := probetest.Istiod(t, probetest.Leaf(t, f.Get("east").Signer, istiodName))
	f.Get("west").IstiodAt(at, at)
	closed := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.2"), probetest.Closed(t).Port())
	for _, o := range f.Get("west").Network.More {
		if s, ok := o.(*discoveryv1.EndpointSlice); ok && strings.HasPrefix(s.Name, "istiod") {
			more := s.DeepCopy()
			more.Name += "-2"
			port := int32(closed.Port())
			more.Ports[0].Port, more.Endpoints[0].Addresses = &port, []string{closed.Addr().String()}
			f.Get("west").Network.More = append(f.Get("west").Network.More, more)
		}
	}
	fleet := f.Facts()
	r := verify(t, fleet, tryPlane(t, fleet, remotePod, false))
	if len(r.Findings) != 1 || r.Findings[0].Code != "GW013" ||
		r.Findings[0].Effect != "proxies of west lose a share of their connections to istiod" {
		t.Errorf("%+v", r.Findings)
	}
}

// A private address may lead this machine elsewhere.
func TestOtherNameAtAPrivateAddress(t *testing.T) {
	f := istiotest.PrimaryAndRemote("east", "west")
	f.Get("west").IstiodAt(netip.MustParseAddrPort("10.200.0.5:15012"), netip.MustParseAddrPort("10.200.0.5:15017"))
	f.Get("east").Network.Gateway.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: "10.200.0.5"}}
	fleet := f.Facts()
	for from, severity := range map[facts.Vantage]string{facts.ThisMachine: "warning", remotePod: "error"} {
		targets := targetsOf(fleet)
		attempts := make([][]facts.Attempt, len(targets))
		for i, target := range targets {
			if target.For == "" {
				continue
			}
			leaf, err := x509.ParseCertificate(probetest.Leaf(t, f.Get("east").Signer, "istiod-canary.istio-system.svc").Certificate[0])
			if err != nil {
				t.Fatal(err)
			}
			chain := []*x509.Certificate{leaf, f.Get("east").Signer.Cert}
			attempts[i] = []facts.Attempt{{Probe: target.Probe, IP: target.Address, From: from, Outcome: facts.Answered, Certificates: chain}}
		}
		r := verify(t, fleet, newTrials(fleet, targets, attempts))
		if diff := cmp.Diff([]string{"PR013 " + severity + " west"}, istiotest.Summarize(r)); diff != "" {
			t.Errorf("from %s (-want +got):\n%s", from, diff)
		}
	}
}

// A gateway that nobody reaches is one cause.
func TestOneCauseOfSeveralPorts(t *testing.T) {
	f := primary(t)
	f.Get("west").IstiodAt(probetest.Closed(t), probetest.Closed(t))
	f.Get("east").GatewayAt(probetest.Closed(t))
	fleet := f.Facts()
	got := istiotest.Summarize(verify(t, fleet, tryPlane(t, fleet, remotePod, false)))
	if diff := cmp.Diff([]string{"GW013 error east", "GW013 error east,west < GW013"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What was read and what is seen are one finding; and what is seen to work is not
// reported for how it reads.
func TestReadAndSeen(t *testing.T) {
	serving := func(t *testing.T, f *istiotest.Fleet, names ...string) [2]netip.AddrPort {
		t.Helper()
		var out [2]netip.AddrPort
		for i := range out {
			out[i] = probetest.Istiod(t, probetest.Leaf(t, f.Get("east").Signer, names[min(i, len(names)-1)]))
		}
		return out
	}
	const custom = "istiod.example.com"
	for name, c := range map[string]struct {
		do   func(*testing.T, *istiotest.Fleet)
		read []string // from the facts alone
		want []string // when tried as well
	}{
		"an address that the primary does not have forwards to it": {func(t *testing.T, f *istiotest.Fleet) {
			at := serving(t, f, istiodName)
			f.Get("west").IstiodAt(at[0], at[1])
			f.Get("east").Network.Gateway.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: "203.0.113.10"}}
			f.Get("east").Network.Gateway.Labels = nil // and is not tried
		}, []string{"GW001 error east", "PR001 error west"}, []string{"GW001 error east"}},
		"a name that is not there for all that was read": {func(t *testing.T, f *istiotest.Fleet) {
			at := serving(t, f, custom)
			f.Get("west").InjectsBy = byURL(f, fmt.Sprintf("https://localhost:%d/inject/cluster/west/net/network2", at[1].Port()))
			f.Get("west").IstiodAt(serving(t, f, istiodName)[0], at[1])
		}, []string{"PR013 error west"}, []string{"PR013 error west"}},
		"a name that is there for all that was read": {func(t *testing.T, f *istiotest.Fleet) {
			at := serving(t, f, istiodName, "localhost")
			f.Get("west").InjectsBy = byURL(f, fmt.Sprintf("https://localhost:%d/inject/cluster/west/net/network2", at[1].Port()))
			f.Get("west").IstiodAt(at[0], at[1])
		}, []string{"PR013 error west"}, nil},
		"an address of somebody else": {func(t *testing.T, f *istiotest.Fleet) {
			f.Get("west").IstiodAt(probetest.Closed(t), probetest.Closed(t))
			f.Get("east").Network.Gateway.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: "127.0.0.2"}}
		}, []string{"PR001 error west"}, []string{"GW013 warning east", "GW013 warning east,west < PR001", "PR001 error west"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := primary(t)
			c.do(t, f)
			fleet := f.Facts()
			slices.Sort(c.read)
			slices.Sort(c.want)
			if diff := cmp.Diff(c.read, istiotest.Summarize(verify(t, fleet, nil))); diff != "" {
				t.Errorf("as read (-want +got):\n%s", diff)
			}
			var trials probing.Trials
			for _, r := range tryPlane(t, fleet, facts.ThisMachine, false) {
				if r.IP != "::1" { // localhost can have it
					trials = append(trials, r)
				}
			}
			r := verify(t, fleet, trials)
			if diff := cmp.Diff(c.want, istiotest.Summarize(r)); diff != "" {
				t.Errorf("as tried (-want +got):\n%s", diff)
			}
			if len(r.Unknowns) > 0 {
				t.Errorf("%+v", r.Unknowns)
			}
		})
	}
}

// A gateway that passes on to istiod does, whatever its configuration looks like.
func TestExposureThatIsSeen(t *testing.T) {
	f := istiotest.PrimaryAndRemote("east", "west").Serve()
	address := fmt.Sprintf("127.%d.%d.%d", 2+rand.IntN(250), rand.IntN(250), 1+rand.IntN(250))
	for _, port := range []string{"15012", "15017"} {
		l, err := net.Listen("tcp", net.JoinHostPort(address, port))
		if err != nil {
			t.Skip(err) // not every system has more than 127.0.0.1
		}
		probetest.IstiodOn(t, l, probetest.Leaf(t, f.Get("east").Signer, istiodName))
	}
	f.Get("west").IstiodAt(netip.MustParseAddrPort(address+":15012"), netip.MustParseAddrPort(address+":15017"))
	f.Get("east").Network.Gateway.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: address}}
	f.Get("east").Network.Gateway.Spec.Ports = f.Get("east").Network.Gateway.Spec.Ports[:2]
	fleet := f.Facts()
	if diff := cmp.Diff([]string{"PR006 error east,west"}, istiotest.Summarize(verify(t, fleet, nil))); diff != "" {
		t.Errorf("as read (-want +got):\n%s", diff)
	}
	trials := forPlane(tryPlane(t, fleet, facts.ThisMachine, false))
	if got := verify(t, fleet, trials); len(got.Findings) > 0 {
		t.Errorf("as tried: %+v", got.Findings)
	}
}

// byURL has the webhook of west call a URL, and trust the mesh's root.
func byURL(f *istiotest.Fleet, url string) func(*admissionv1.WebhookClientConfig) {
	return func(w *admissionv1.WebhookClientConfig) {
		w.Service, w.URL, w.CABundle = nil, &url, []byte(f.Get("east").Published)
	}
}

// What proxies check istiod by is not always the published root; then nothing is said
// of it.
func TestRootsThatAreNotKnown(t *testing.T) {
	for name, do := range map[string]func(*istiotest.Fleet){
		"another provider":       func(f *istiotest.Fleet) { f.Get("east").Env[istio.EnvCertProvider] = "kubernetes" },
		"another configmap":      func(f *istiotest.Fleet) { f.Get("east").Env[istio.EnvRootCertConfigMap] = "roots" },
		"no certificate in it":   func(f *istiotest.Fleet) { f.Get("west").Published = "none" },
		"a cluster trust bundle": func(f *istiotest.Fleet) { f.Get("east").Env[istio.EnvClusterTrustBundles] = "true" },
	} {
		t.Run(name, func(t *testing.T) {
			f := primary(t)
			stranger := istiotest.Root(istiotest.Spec{Name: "Stranger"})
			at := probetest.Istiod(t, probetest.Leaf(t, stranger, istiodName))
			f.Get("west").IstiodAt(at, at)
			do(f)
			fleet := f.Facts()
			trials := forPlane(tryPlane(t, fleet, remotePod, false))
			says := "as " + istiodName + "; whether its certificate is trusted is not known: "
			if got := trials[0]; got.Result != probing.Reachable || !strings.HasPrefix(got.Detail, says) {
				t.Errorf("%s", got.Says())
			}
			r := verify(t, fleet, trials)
			if !slices.ContainsFunc(r.Unknowns, func(u finding.Unknown) bool { return u.Cluster == "west" && slices.Contains(u.Codes, "PR008") }) {
				t.Errorf("%+v", r.Unknowns)
			}
		})
	}
}
