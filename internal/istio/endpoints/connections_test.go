package endpoints

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/ruletest"
)

// linked is a fleet whose proxies are connected, each to the control plane of its cluster.
type linked struct {
	*facts.Fleet
	facts.Seen
}

// link connects all pods with a sidecar, as what their control planes call their clusters.
func link(f *istiotest.Fleet) linked {
	l := linked{f.Facts(), facts.Seen{Istiods: map[string]facts.Read[[]facts.IstiodView]{}}}
	for i := range l.Clusters {
		c := &l.Clusters[i]
		if len(istio.Istiods(c)) > 0 {
			l.Istiods[c.Context] = facts.Read[[]facts.IstiodView]{
				State: facts.OK,
				Value: []facts.IstiodView{replicaOf("istiod-0"), replicaOf("istiod-1")},
			}
		}
		for k := range resources.Pods.Of(c).Value {
			resources.Pods.Of(c).Value[k].Started = istiotest.Now.Add(-time.Hour)
		}
	}
	for i := range l.Clusters {
		c := &l.Clusters[i]
		to := c.Context
		if _, own := l.Istiods[to]; !own {
			to = l.Clusters[0].Context
		}
		for k := range resources.Pods.Of(c).Value {
			if p := &resources.Pods.Of(c).Value[k]; model.NeedsConfig(p) {
				l.connect(to, k%2, istio.ClusterID(c), p.Namespace, p.Name)
			}
		}
	}
	return l
}

func replicaOf(name string) facts.IstiodView {
	return facts.IstiodView{
		Pod:      name,
		Clusters: facts.Read[[]facts.ClusterState]{State: facts.OK},
		Proxies:  facts.Read[[]facts.ConnectedProxy]{State: facts.OK},
	}
}

func (l *linked) connect(to string, replica int, id, namespace, pod string) {
	p := &l.Istiods[to].Value[replica].Proxies
	p.Value = append(slices.Clone(p.Value), facts.ConnectedProxy{Cluster: id, Namespace: namespace, Pod: pod})
}

// cut ends all connections of a pod of a cluster.
func (l *linked) cut(id, pod string) {
	for context := range l.Istiods {
		for i := range l.Istiods[context].Value {
			p := &l.Istiods[context].Value[i].Proxies
			p.Value = slices.DeleteFunc(slices.Clone(p.Value), func(c facts.ConnectedProxy) bool { return c.Pod == pod && c.Cluster == id })
		}
	}
}

// again is a second look, in which all is as before.
func (l *linked) again(there bool) {
	l.Again = &facts.Later{Istiods: map[string]facts.Read[[]facts.IstiodView]{}, Pods: map[string]map[string]bool{}}
	for context, views := range l.Istiods {
		views.Value = slices.Clone(views.Value)
		l.Again.Istiods[context] = views
	}
	for context, pods := range Unconnected(model.New(l.Fleet, model.Options{Seen: l.Seen})) {
		l.Again.Pods[context] = map[string]bool{}
		for _, p := range pods {
			l.Again.Pods[context][p] = there
		}
	}
}

// revised makes the second replica of east one of revision canary, and gives a pod that is
// connected to the first the label of a revision.
func revised(l *linked, revision string) {
	label := func(p *facts.Pod, name, value string) {
		template := *p.PodTemplate
		template.Labels = maps.Clone(template.Labels)
		template.Labels[istio.LabelRevision] = value
		p.Name, p.PodTemplate = name, &template
	}
	c := &l.Clusters[0]
	first, second := resources.IstiodPods.Of(c).Value[0], resources.IstiodPods.Of(c).Value[0]
	label(&first, "istiod-0", "default")
	label(&second, "istiod-1", "canary")
	resources.IstiodPods.Edit(c).Value = []facts.Pod{first, second}
	for i := range resources.Pods.Of(c).Value {
		if p := &resources.Pods.Of(c).Value[i]; p.Name == httpbinPod {
			label(p, p.Name, revision)
			l.cut("east", p.Name)
			l.connect("east", 0, "east", p.Namespace, p.Name)
		}
	}
}

// podNames are those of the pods that stand for sources, and of another one.
const (
	sourcePod  = "curl-5d5c8b9f7-00002"
	httpbinPod = "httpbin-5d5c8b9f7-00003"
)

func TestConnections(t *testing.T) {
	two := func() *istiotest.Fleet { return istiotest.Serving(istiotest.Networked("east", "west")) }
	remote := func() *istiotest.Fleet {
		f := two()
		f.Get("west").NoControlPlane(f.Get("east"))
		return f
	}
	unreadable := func(l *linked) {
		l.Istiods["west"].Value[1].Proxies = facts.Read[[]facts.ConnectedProxy]{
			State:  facts.Forbidden,
			Reason: "port-forward to istiod is forbidden",
		}
	}
	all := func(l *linked, id string) {
		for i := range l.Clusters {
			for _, p := range resources.Pods.Of(&l.Clusters[i]).Value {
				l.cut(id, p.Name)
			}
		}
	}
	for name, c := range map[string]struct {
		fleet   func() *istiotest.Fleet
		do      func(*linked)
		want    []string
		unknown string // in a reason; "" for none
		text    string // in the title
	}{
		"all is well":      {fleet: two},
		"a remote cluster": {fleet: remote},
		"one network without a name": {
			fleet: func() *istiotest.Fleet { return istiotest.Serving(istiotest.OneNetwork("", "east", "west")) },
		},
		"connected to two replicas":                  {fleet: two, do: func(l *linked) { l.connect("east", 1, "east", "sample", httpbinPod) }},
		"one that is none of a pod":                  {fleet: two, do: func(l *linked) { l.connect("east", 1, "east", "sample", "gone") }},
		"one of a cluster that is none of the fleet": {fleet: two, do: func(l *linked) { l.connect("east", 1, "far", "sample", httpbinPod) }},
		"one that is connected nowhere": {
			fleet: two,
			do:    func(l *linked) { l.cut("east", httpbinPod); l.again(true) },
			want:  []string{"EP020 error east"},
			text:  "1 of 5 proxies of east",
		},
		"one that is connected nowhere and gone": {fleet: two, do: func(l *linked) { l.cut("east", httpbinPod); l.again(false) }},
		"one that connected meanwhile": {fleet: two, do: func(l *linked) {
			l.cut("east", httpbinPod)
			l.again(true)
			l.Again.Istiods["east"].Value[0].Proxies.Value = []facts.ConnectedProxy{
				{Cluster: "east", Namespace: "sample", Pod: httpbinPod},
				{Cluster: "east", Namespace: "sample", Pod: sourcePod},
				{Cluster: "east", Namespace: "sample", Pod: "helloworld-5d5c8b9f7-00000"},
			}
		}},
		"asked once": {
			fleet:   two,
			do:      func(l *linked) { l.cut("east", httpbinPod) },
			unknown: "only asked once",
		},
		"a replica that does not say": {
			fleet:   two,
			do:      func(l *linked) { l.cut("east", httpbinPod); unreadable(l); l.again(true) },
			unknown: "port-forward to istiod is forbidden",
		},
		"a replica that does not say, and all is well": {fleet: two, do: unreadable, unknown: "port-forward to istiod is forbidden"},
		"one that has just started": {fleet: two, do: func(l *linked) {
			l.cut("east", httpbinPod)
			for i := range resources.Pods.Of(&l.Clusters[0]).Value {
				resources.Pods.Of(&l.Clusters[0]).Value[i].Started = istiotest.Now.Add(-time.Minute)
			}
			l.again(true)
		}},
		"a native sidecar that was restarted": {fleet: func() *istiotest.Fleet {
			f := two()
			for _, p := range f.Get("east").Network.Pods {
				istiotest.Native(p)
				p.Status.InitContainerStatuses[0].State.Running.StartedAt = metav1.NewTime(istiotest.Now.Add(-time.Minute))
			}
			return f
		}, do: func(l *linked) { l.cut("east", httpbinPod); l.again(true) }},
		"a native sidecar that is connected nowhere": {fleet: func() *istiotest.Fleet {
			f := two()
			for _, p := range f.Get("east").Network.Pods {
				istiotest.Native(p)
			}
			return f
		}, do: func(l *linked) { l.cut("east", httpbinPod); l.again(true) }, want: []string{"EP020 error east"}, text: "1 of 5"},
		"an istiod that has just started": {fleet: two, do: func(l *linked) {
			l.cut("east", httpbinPod)
			l.again(true)
			l.Again.Pods["east"] = map[string]bool{"sample/" + httpbinPod: true}
			resources.IstiodPods.Edit(&l.Clusters[1]).Value = slices.Clone(resources.IstiodPods.Of(&l.Clusters[1]).Value)
			for i := range resources.IstiodPods.Of(&l.Clusters[1]).Value {
				resources.IstiodPods.Of(&l.Clusters[1]).Value[i].Statuses = nil
				resources.IstiodPods.Of(&l.Clusters[1]).Value[i].Started = istiotest.Now.Add(-time.Minute)
			}
		}, unknown: "has just started"},
		"none of a cluster": {
			fleet: two,
			do:    func(l *linked) { all(l, "east"); l.again(true) },
			want:  []string{"EP020 error east"},
			text:  "5 of 5",
		},
		"none of a remote cluster": {
			fleet:   remote,
			do:      func(l *linked) { all(l, "west"); l.again(true) },
			unknown: "one outside of it may configure them",
		},
		"one of a remote cluster": {
			fleet: remote,
			do:    func(l *linked) { l.cut("west", httpbinPod); l.again(true) },
			want:  []string{"EP020 error west"},
			text:  "1 of 5",
		},
		"connected to the other": {fleet: two, do: func(l *linked) {
			l.cut("west", httpbinPod)
			l.connect("east", 0, "west", "sample", httpbinPod)
		}, want: []string{"EP020 warning east,west"}, text: "proxies of west are connected to istiod of east, and not to that of west"},
		"connected to both": {fleet: two, do: func(l *linked) { l.connect("east", 0, "west", "sample", httpbinPod) },
			want: []string{"EP020 warning east,west"}, text: "several clusters"},
		"under the ID of the other": {fleet: func() *istiotest.Fleet {
			f := two()
			for _, p := range f.Get("west").Network.Pods {
				if p.Name == httpbinPod {
					p.Name = "httpbin-other"
					istiotest.SetEnv(p, istio.EnvProxyClusterID, "east")
				}
			}
			return f
		}, do: func(l *linked) {
			l.cut("west", "httpbin-other")
			l.connect("east", 0, "east", "sample", "httpbin-other")
		}, want: []string{"EP020 error east,west"}, text: "as proxies of cluster east"},
		"one that was told of another namespace": {fleet: func() *istiotest.Fleet {
			f := two()
			for _, p := range f.Get("east").Network.Pods {
				istiotest.SetEnv(p, istio.EnvProxyConfig, `{"discoveryAddress":"istiod.istio-two.svc:15012"}`)
			}
			return f
		}, do: func(l *linked) { l.cut("east", httpbinPod); l.again(true) }},
		"one that was told of the system namespace": {fleet: func() *istiotest.Fleet {
			f := two()
			for _, p := range f.Get("east").Network.Pods {
				istiotest.SetEnv(p, istio.EnvProxyConfig, `{"discoveryAddress":"istiod-canary.istio-system.svc.cluster.local:15012"}`)
			}
			return f
		}, do: func(l *linked) { l.cut("east", httpbinPod); l.again(true) }, want: []string{"EP020 error east"}},
		"an istiod in another namespace": {fleet: two, do: func(l *linked) {
			l.cut("east", httpbinPod)
			other := *resources.Istiods.Of(&l.Clusters[0]).Value[0].DeepCopy()
			other.Namespace = "istio-two"
			resources.Istiods.Edit(&l.Clusters[0]).Value = append(slices.Clone(resources.Istiods.Of(&l.Clusters[0]).Value), other)
			l.again(true)
		}, unknown: "is in namespace istio-two"},
		"to another revision than that of its injection": {fleet: two, do: func(l *linked) { revised(l, "canary") },
			want: []string{"EP020 warning east"},
			text: "proxies of east that were injected for revision canary are connected to istiod of revision default"},
		"an agent without Envoy": {fleet: func() *istiotest.Fleet {
			f := two()
			for _, p := range f.Get("east").Network.Pods {
				if p.Name == httpbinPod {
					istiotest.SetEnv(p, istio.EnvDisableEnvoy, "true")
				}
			}
			return f
		}, do: func(l *linked) { l.cut("east", httpbinPod); l.again(true) }},
		"injected by the name of a tag": {fleet: two, do: func(l *linked) { revised(l, "stable") }},
		"one of that name in both":      {fleet: two, do: func(l *linked) { l.connect("west", 0, "east", "sample", "cart-0") }},
		"pods are not known": {fleet: two, do: func(l *linked) {
			resources.Pods.Set(&l.Clusters[1], facts.Read[[]facts.Pod]{State: facts.Forbidden})
		}, unknown: "pods: forbidden"},
	} {
		t.Run(name, func(t *testing.T) {
			l := link(c.fleet())
			if c.do != nil {
				c.do(&l)
			}
			result := area().Run(t, l.Fleet, model.Options{Seen: l.Seen})
			if diff := cmp.Diff(c.want, istiotest.Summarize(result)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			for _, f := range result.Findings {
				if !strings.Contains(f.Title, c.text) {
					t.Errorf("title %q", f.Title)
				}
			}
			ruletest.Complete(t, result)
			reasons := fmt.Sprint(result.Unknowns)
			if (c.unknown == "") != (len(result.Unknowns) == 0) || !strings.Contains(reasons, c.unknown) {
				t.Errorf("unknowns %s", reasons)
			}
		})
	}
}

// Nobody is asked where the clusters are those of a dump, which is said.
func TestConnectionsOfADump(t *testing.T) {
	l := link(istiotest.Serving(istiotest.Networked("east", "west")))
	result := area().Run(t, l.Fleet, model.Options{Seen: facts.Seen{NotAsked: "clusters of a dump cannot be asked"}})
	if len(result.Findings) > 0 || len(result.Unknowns) != 2 || !slices.Equal(result.Unknowns[0].Codes, []finding.Code{"EP020"}) ||
		result.Unknowns[0].Reason.Kind != finding.NotAsked {
		t.Errorf("%+v", result)
	}
}

// What one asks for is told of the proxy that stands for the source: where it obeys
// another control plane it is not known what it is given.
func TestConnectionOfASource(t *testing.T) {
	for name, c := range map[string]struct {
		do      func(*linked, string)
		verdict Verdict
		want    []string
		step    string
	}{
		"well": {verdict: Reaches, step: "is connected to istiod-"},
		"to the other": {
			func(l *linked, pod string) { l.cut("east", pod); l.connect("west", 0, "east", "sample", pod) },
			Unknown,
			[]string{"EP020 warning east,west"},
			"not to that of east",
		},
		"nowhere": {
			func(l *linked, pod string) { l.cut("east", pod); l.again(true) },
			Reaches,
			[]string{"EP020 error east"},
			"connected to no istiod",
		},
		"another one": {
			func(l *linked, _ string) { l.cut("east", "helloworld-5d5c8b9f7-00001"); l.again(true) },
			Reaches,
			nil,
			"is connected to istiod-",
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := link(istiotest.Serving(istiotest.Networked("east", "west")))
			d, _ := diagnose(t, l.Fleet, finding.Result{}, facts.Seen{}, Options{})
			_, pod, _ := strings.Cut(d.Paths[0].From.Pod, "/")
			if c.do != nil {
				c.do(&l, pod)
			}
			d, result := diagnose(t, l.Fleet, finding.Result{}, l.Seen, Options{})
			if diff := cmp.Diff(c.want, istiotest.Summarize(result)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			p := d.Paths[0]
			at := slices.IndexFunc(p.Steps, func(s Step) bool { return s.Name == stepConnected })
			if p.Verdict != c.verdict || at < 0 || !strings.Contains(p.Steps[at].Detail, c.step) {
				t.Errorf("%+v", p)
			}
			if d.Paths[1].Verdict != Reaches {
				t.Errorf("the other way: %+v", d.Paths[1])
			}
			ruletest.Complete(t, result)
		})
	}
}

// A remote cluster whose own istiod only injects has its proxies connected elsewhere.
func TestLocalInjector(t *testing.T) {
	l := link(istiotest.Serving(istiotest.Networked("east", "west")))
	for _, p := range resources.Pods.Of(&l.Clusters[1]).Value {
		if model.NeedsConfig(&p) {
			l.cut("west", p.Name)
			l.connect("east", 0, "west", p.Namespace, p.Name)
		}
	}
	resources.Services.Edit(&l.Clusters[1]).Value = append(slices.Clone(resources.Services.Of(&l.Clusters[1]).Value), corev1.Service{})
	s := &resources.Services.Of(&l.Clusters[1]).Value[len(resources.Services.Of(&l.Clusters[1]).Value)-1]
	s.Name, s.Namespace = "istiod-remote", istiotest.System
	if result := area().Run(t, l.Fleet, model.Options{Seen: l.Seen}); len(result.Findings) > 0 {
		t.Errorf("%+v", result.Findings)
	}
}
