package controlplane

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/version"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// kubelet is the first release of Kubernetes on which Istio makes native sidecars by itself.
var kubelet = version.MajorMinor(1, 33)

// minimum is the oldest release of Kubernetes that a release of Istio starts on
// (istioctl/pkg/install/k8sversion/version.go, MinK8SVersion).
var minimum = map[uint]string{
	22: "1.26",
	23: "1.26",
	24: "1.28",
	25: "1.28",
	26: "1.29",
	27: "1.29",
	28: "1.29",
	29: "1.30",
	30: "1.32",
	31: "1.32",
}

// tooOld: Kubernetes is older than what the installed release of Istio is made for.
func tooOld(p pass) {
	for _, c := range clusters(p) {
		server := kubernetesOf(c)
		if server == nil {
			continue
		}
		for _, i := range c.Installations() {
			v := i.Istiod.Version
			if v == nil || v.Major() != 1 || minimum[v.Minor()] == "" {
				continue
			}
			least := version.MustParseGeneric(minimum[v.Minor()])
			if server.AtLeast(least) {
				continue
			}
			f := finding.Finding{
				Code:     "CP012",
				Severity: finding.Warning,
				Clusters: []string{c.Context},
				Object:   i.Object(),
				Title: fmt.Sprintf(
					"Kubernetes %d.%d is older than what Istio %d.%d is made for",
					server.Major(),
					server.Minor(),
					v.Major(),
					v.Minor(),
				),
				Evidence: []finding.Evidence{
					{Field: "version of the API server", Value: resources.Version.Of(c.Cluster).Value.GitVersion},
					{Field: fmt.Sprintf("the least that Istio %d.%d is made for", v.Major(), v.Minor()), Value: minimum[v.Minor()]},
				},
				Effect: "istiod may not start after its next upgrade, or miss what it needs of the API server",
				Fix: []finding.Step{
					finding.Say("Upgrade Kubernetes to %s or later before the next upgrade of Istio.", minimum[v.Minor()]),
				},
			}
			if i.Ready() == 0 && i.Used() && isDown(i) {
				f.Severity, f.Effect = finding.Error, "istiod does not start"
			}
			p.Report(f)
		}
	}
}

// kubernetesOf is the release of a cluster's API server; nil where it is not known.
func kubernetesOf(c *model.Cluster) *version.Version {
	read := resources.Version.Of(c.Cluster)
	if read.State != facts.OK || read.Value == nil {
		return nil
	}
	text, _, _ := strings.Cut(strings.TrimPrefix(read.Value.GitVersion, "v"), "+")
	return istio.ParseVersion(text)
}

// skewed is a proxy that is too far from its control plane.
type skewed struct {
	proxy, istiod *version.Version
	pods          []*facts.Pod
}

// ahead reports whether the proxies are of a newer release than their control plane.
func (s skewed) ahead() bool { return s.proxy.Minor() > s.istiod.Minor() }

// skews are the proxies of a cluster that their control planes do not support: they may be as old as
// the release before, and never newer (https://istio.io/latest/docs/releases/supported-releases/).
func skews(c *model.Cluster) []skewed {
	by := map[string]*skewed{}
	for _, pod := range c.ProxyPods() {
		v := c.ProxyVersion(pod)
		if v == nil {
			continue
		}
		var of *version.Version
		bad := false
		for _, cp := range c.ProgrammedBy(pod) {
			i := cp.Istiod.Version
			if i == nil || i.Major() != v.Major() || v.Minor() <= i.Minor() && i.Minor()-v.Minor() < 2 {
				bad = false
				break // it is supported by this one, or that is not known
			}
			of, bad = i, true
		}
		if !bad {
			continue
		}
		key := fmt.Sprintf("%d.%d %s", v.Major(), v.Minor(), of)
		if by[key] == nil {
			by[key] = &skewed{proxy: v, istiod: of}
		}
		by[key].pods = append(by[key].pods, pod)
	}
	var out []skewed
	for _, key := range slices.Sorted(maps.Keys(by)) {
		out = append(out, *by[key])
	}
	return out
}

// unsupported: proxies are of a release that their control plane does not support.
func unsupported(p pass) {
	for _, c := range clusters(p) {
		for _, s := range skews(c) {
			shares := sharesOf(s.pods, c.ProxyPods())
			release := fmt.Sprintf("%d.%d", s.proxy.Major(), s.proxy.Minor())
			f := finding.Finding{
				Code:     "CP010",
				Severity: finding.Warning,
				Clusters: []string{c.Context},
				Object:   finding.Named("proxies of release", release),
				Title: fmt.Sprintf(
					"%s of release %s are too old for istiod %s",
					plural(len(s.pods), "proxy", "proxies"),
					release,
					s.istiod,
				),
				Evidence: evidenceOf(shares),
				Effect:   "they may refuse what istiod sends them, or not connect",
				Fix:      remedy.RestartWorkloads(c.Context, workloadsOf(shares)),
			}
			if len(s.pods) == 1 {
				f.Title = fmt.Sprintf("a proxy of release %s is too old for istiod %s", release, s.istiod)
			}
			if s.ahead() {
				f.Title = strings.Replace(
					strings.Replace(f.Title, "are too old", "are newer than supported", 1),
					"is too old",
					"is newer than supported",
					1,
				)
				f.Title = strings.Replace(f.Title, "supported for istiod", "supported by istiod", 1)
				f.Fix = []finding.Step{finding.Say("Upgrade istiod to %s first. Proxies are upgraded after it.", release)}
			}
			for _, pod := range s.pods {
				if image := pod.Annotations[istio.AnnotationProxyImage]; image != "" {
					f.Evidence = append(f.Evidence, finding.Evidence{
						Field: "pod " + pod.Namespace + "/" + pod.Name + ", annotation " + istio.AnnotationProxyImage, Value: line(image),
					})
					f.Fix = append([]finding.Step{finding.Say("Remove annotation %s from the template of the pods: it keeps their release.",
						istio.AnnotationProxyImage)}, f.Fix...)
					break
				}
			}
			if refusesAny(c, s.pods) {
				f.Severity, f.Effect = finding.Error, "they refuse what istiod sends them"
			}
			p.Report(f)
		}
	}
}

// refusesAny reports whether one of some proxies does not accept what it is sent.
func refusesAny(c *model.Cluster, pods []*facts.Pod) bool {
	return slices.ContainsFunc(pods, func(pod *facts.Pod) bool {
		return slices.ContainsFunc(c.Connections(pod), func(k model.Connection) bool { return len(k.Rejects) > 0 })
	})
}

// inUse is the release of the installation of a cluster that most proxies are of; nil where it is not known.
func inUse(c *model.Cluster) *version.Version {
	var out *version.Version
	largest := -1
	for _, i := range c.Installations() {
		if n := len(i.Proxies()); n > largest {
			largest, out = n, i.Istiod.Version
		}
	}
	return out
}

// apart: the control planes of clusters that are one mesh are several releases apart.
func apart(p pass) {
	var oldest, newest *model.Cluster
	var low, high *version.Version
	for _, c := range clusters(p) {
		v := inUse(c)
		if v == nil || c.Membership.State == model.Outside {
			continue
		}
		if low == nil || v.LessThan(low) {
			oldest, low = c, v
		}
		if high == nil || v.GreaterThan(high) {
			newest, high = c, v
		}
	}
	if low == nil || low.Major() != high.Major() || high.Minor()-low.Minor() < 2 || !oldest.WatchedWith(newest) {
		return
	}
	p.Report(finding.Finding{
		Code:     "CP015",
		Severity: finding.Warning,
		Clusters: []string{oldest.Context, newest.Context},
		Object:   finding.Kind("istiod"),
		Title: fmt.Sprintf(
			"the control planes of one mesh are of releases %d.%d and %d.%d",
			low.Major(),
			low.Minor(),
			high.Major(),
			high.Minor(),
		),
		Evidence: []finding.Evidence{
			{Cluster: oldest.Context, Field: "istiod that most proxies use", Value: low.String()},
			{Cluster: newest.Context, Field: "istiod that most proxies use", Value: high.String()},
		},
		Effect: "nobody tests such releases together: what one of them writes or expects the other may not know",
		Fix:    []finding.Step{finding.Say("Upgrade istiod in %s, one release after the other.", oldest.Context)},
	})
}

// agents: istio-cni and ztunnel do not fit one another, or istiod. ztunnel works with istiod of its
// release and of the next; the two agents of a node are of one release.
func agents(p pass) {
	for _, c := range clusters(p) {
		istiod := inUse(c)
		of := map[string]map[uint][]*facts.Pod{"ztunnel": {}, "istio-cni-node": {}}
		for _, pod := range podsOf(c) {
			name, container := "", ""
			switch {
			case model.IsZtunnel(pod):
				name, container = "ztunnel", istio.ProxyContainer
			case pod.Labels["k8s-app"] == "istio-cni-node" && model.Runs(pod):
				name, container = "istio-cni-node", "install-cni"
			default:
				continue
			}
			if k := pod.Container(container); k != nil {
				if v := istio.ImageVersion(k.Image); v != nil && v.Major() == 1 {
					of[name][v.Minor()] = append(of[name][v.Minor()], pod)
				}
			}
		}
		f := finding.Finding{
			Code: "CP055", Severity: finding.Warning, Clusters: []string{c.Context}, Object: finding.Kind("daemonsets"),
			Title:  "ztunnel, istio-cni and istiod are of releases that do not fit together",
			Effect: "new pods may not start on some nodes, or traffic of ambient pods stop",
			Fix:    []finding.Step{finding.Say("Upgrade istiod first, then istio-cni, then ztunnel, to one release.")},
		}
		zs, cs := slices.Sorted(maps.Keys(of["ztunnel"])), slices.Sorted(maps.Keys(of["istio-cni-node"]))
		wrong := false
		if istiod != nil {
			f.Evidence = append(f.Evidence, finding.Evidence{Field: "istiod that most proxies use", Value: istiod.String()})
			for _, z := range zs {
				wrong = wrong || z > istiod.Minor() || istiod.Minor()-z > 1
			}
		}
		// While one of them is rolled out there are two releases of it.
		wrong = wrong || len(zs) == 1 && len(cs) == 1 && zs[0] != cs[0]
		if !wrong {
			continue
		}
		for _, name := range []string{"ztunnel", "istio-cni-node"} {
			for _, minor := range slices.Sorted(maps.Keys(of[name])) {
				f.Evidence = append(
					f.Evidence,
					finding.Evidence{
						Field: name + " of release 1." + fmt.Sprint(minor),
						Value: finding.Plural(len(of[name][minor]), "pod"),
					},
				)
			}
		}
		p.Report(f)
	}
}
