package endpoints

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// sharedAddresses (EP050): two services of different names have the same address and port for the
// proxies of a cluster. A service that the cluster lacks is known by the address that it has
// elsewhere (pilot/pkg/model/service.go, GetAddressForProxy). Of two that are not HTTP the older
// one gets the connections (pilot/pkg/networking/core/listener.go, buildSidecarOutboundListener).
func sharedAddresses(p *rule.Pass[*model.Mesh]) {
	options, _ := model.Given[Options](p.Model)
	var found []finding.Finding
	for _, c := range model.Able(p) {
		if cp := c.ManagedBy(); cp != nil && !p.Able(cp.Cluster.Context) {
			continue
		}
		for _, s := range sharedAddressesOf(c) {
			if options.wants(s.loser.service) || options.wants(s.winner.service) {
				found = append(found, s.finding())
			}
		}
	}
	// Clients of several clusters may meet the same: the worst is said.
	slices.SortStableFunc(found, func(a, b finding.Finding) int {
		return slices.Index(finding.Severities, a.Severity) - slices.Index(finding.Severities, b.Severity)
	})
	for _, f := range found {
		p.Gather(f)
	}
}

// address is where proxies of a cluster look for a service.
type address struct {
	ip   string
	port int32
}

// addressed is a service at an address.
type addressed struct {
	service *corev1.Service
	in      *model.Cluster
	port    corev1.ServicePort
}

func (a addressed) key() string { return key(a.service.Namespace, a.service.Name) }

// shared is an address of two services for the proxies of a cluster.
type shared struct {
	at            address
	clients       *model.Cluster
	winner, loser addressed
}

// sharedAddressesOf are the addresses for which proxies of a cluster have two services, where that
// does harm: the service that loses is one of the cluster, or its name resolves there.
func sharedAddressesOf(c *model.Cluster) []shared {
	cp := c.ManagedBy()
	if cp == nil || !slices.ContainsFunc(c.ProxyPods(), model.IsClient) {
		return nil
	}
	resolves := slices.ContainsFunc(
		c.ProxyPods(),
		func(p *facts.Pod) bool { return model.IsClient(p) && istio.CapturesDNS(istio.ProxyEnvOf(p)) },
	)
	all, seen := map[address][]addressed{}, map[istio.ObjectName]bool{}
	add := func(k *model.Cluster, id string) {
		for name, s := range k.ServicesByName() {
			exported := s.Annotations[istio.AnnotationExportTo]
			if seen[name] || !cp.Sees(id, s.Namespace) || exported != "" && exported != "*" ||
				s.Spec.Type == corev1.ServiceTypeExternalName || s.Spec.ClusterIP == "" || s.Spec.ClusterIP == corev1.ClusterIPNone {
				continue
			}
			seen[name] = true
			for _, port := range s.Spec.Ports {
				if (port.Protocol == "" || port.Protocol == corev1.ProtocolTCP) && !isHTTP(port) {
					at := address{s.Spec.ClusterIP, port.Port}
					all[at] = append(all[at], addressed{s, k, port})
				}
			}
		}
	}
	add(c, cp.IDOf(c)) // its own addresses come before those that services have elsewhere
	for _, w := range cp.Watches {
		if w.Cluster != nil && w.Cluster != c {
			add(w.Cluster, w.ID)
		}
	}
	var out []shared
	for at, services := range all {
		slices.SortFunc(services, byAge)
		for _, loser := range services[1:] {
			if loser.service != services[0].service && (loser.in == c || resolves) {
				out = append(out, shared{at, c, services[0], loser})
			}
		}
	}
	slices.SortFunc(out, func(a, b shared) int { return strings.Compare(a.loser.key()+a.at.ip, b.loser.key()+b.at.ip) })
	return slices.CompactFunc(out, func(a, b shared) bool {
		return a.loser.service == b.loser.service && a.winner.service == b.winner.service
	})
}

// byAge is the order in which istiod takes services (pilot/pkg/model/push_context.go,
// SortServicesByCreationTime).
func byAge(a, b addressed) int {
	if c := a.service.CreationTimestamp.Compare(b.service.CreationTimestamp.Time); c != 0 {
		return c
	}
	host := func(x addressed) string { return istio.Host(x.service.Namespace, x.service.Name) }
	return strings.Compare(host(a), host(b))
}

// isHTTP reports whether istiod takes a port for HTTP, which it tells apart by host names.
func isHTTP(p corev1.ServicePort) bool {
	switch istio.ProtocolOf(p) {
	case "http", "http2", "grpc", "grpc-web":
		return true
	}
	return false
}

func (s shared) finding() finding.Finding {
	at := fmt.Sprintf("%s:%d", s.at.ip, s.at.port)
	said := func(a addressed) finding.Evidence {
		return finding.Evidence{
			Cluster: a.in.Context, Field: kindService + " " + a.key(),
			Value: fmt.Sprintf("%s, %s, created %s", at, appProtocol(a.port), a.service.CreationTimestamp.UTC().Format("2006-01-02")),
		}
	}
	winner := service{namespace: s.winner.service.Namespace, name: s.winner.service.Name}
	loser := service{namespace: s.loser.service.Namespace, name: s.loser.service.Name}
	f := finding.Finding{
		Code:     "EP050",
		Severity: finding.Error,
		Clusters: finding.Distinct([]string{s.clients.Context, s.winner.in.Context, s.loser.in.Context}),
		Object:   loser.object(),
		ObjectIn: s.loser.in.Context,
		Title: fmt.Sprintf(
			"in %s, connections for %s get to %s of %s: both are at %s",
			s.clients.Context,
			loser,
			winner,
			s.winner.in.Context,
			at,
		),
		Evidence: []finding.Evidence{said(s.winner), said(s.loser)},
		Effect:   fmt.Sprintf("proxies of %s know one service at an address, and take the older one", s.clients.Context),
		Fix: []finding.Step{
			finding.Say("If only clients of namespace %s call %s, keep it from all others:", winner.namespace, winner).
				By(winner.annotate(s.winner.in.Context, istio.AnnotationExportTo+"=.", "--overwrite")),
			finding.Say("Careful: clients do not reach %s until it is back. Else give the younger Service another address, and delete it:", loser).
				By(finding.Kubectl(s.loser.in.Context, "-n", loser.namespace, "delete", kindService+"/"+loser.name)),
			finding.Say(
				"Then apply its manifest again, without clusterIP. " +
					"Ranges of service addresses that differ between clusters keep this from happening again.",
			),
		},
	}
	if s.loser.in != s.clients {
		f.Severity = finding.Warning
	}
	return f
}

// addressRows are what sharedAddresses looks at besides Services.
func addressRows() []rule.Need {
	return []rule.Need{
		resources.Istiods,
		resources.Namespaces,
		resources.MeshConfigs,
		resources.RemoteSecrets,
		resources.Webhooks,
		resources.Pods,
	}
}
