package effects

import (
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/kubeconfig"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/simulate"
)

// What link-gen goes by where no flag says otherwise (multicluster/cmd/link-gen.go).
const (
	extensionNamespace = "linkerd-multicluster"
	gatewayName        = "linkerd-gateway"
	remoteAccount      = "linkerd-service-mirror-remote-access-default"
	probePath          = "mirror.linkerd.io/probe-path"
	probePeriod        = "mirror.linkerd.io/probe-period"
)

// linkGen is what link-gen prints of a cluster: the Link, and both Secrets with credentials.
func linkGen(w *simulate.World, flags map[string]string) ([]byte, simulate.Outcome) {
	context, name := flags["--context"], flags["--cluster-name"]
	if w.Cluster(context) == nil {
		return nil, simulate.NotRead.Because("cluster " + context + " was not read")
	}
	target := model.New(w.Fleet(), model.Options{}).Cluster(context)
	if target == nil || name == "" || !target.ValuesKnown {
		return nil, simulate.NotRead.Because("the installation of Linkerd in " + context + " was not read")
	}
	link := &api.Link{
		TypeMeta:   metav1.TypeMeta{APIVersion: api.MulticlusterGroup + "/v1alpha3", Kind: "Link"},
		ObjectMeta: metav1.ObjectMeta{Namespace: extensionNamespace, Name: name},
		Spec: api.LinkSpec{
			TargetClusterName: name, TargetClusterDomain: target.Values.Domain(), TargetClusterLinkerdNamespace: target.Namespace,
			ClusterCredentialsSecret: resources.PrefixCredentials + name,
			Selector:                 selecting(resources.LabelExported, "true"),
			RemoteDiscoverySelector:  selecting(resources.LabelExported, "remote-discovery"),
			FederatedServiceSelector: selecting(resources.LabelFederated, "member"),
		},
	}
	if flags["--gateway"] != "false" {
		if result := throughGateway(link, target); result.Kind != simulate.Done {
			return nil, result
		}
	}
	access, ok := accessTo(w, target)
	if !ok {
		return nil, simulate.Uncertain.Because("there is no account for other clusters in " + context)
	}
	items := []any{link}
	for _, namespace := range []string{extensionNamespace, target.Namespace} {
		s := &corev1.Secret{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: resources.PrefixCredentials + name},
			Type:       resources.TypeCredentials,
		}
		if namespace != extensionNamespace {
			s.Labels = map[string]string{resources.LabelCredentials: name}
			s.Annotations = map[string]string{
				resources.AnnotationTrustDomain: target.Values.TrustDomain(), resources.AnnotationClusterDomain: target.Values.Domain(),
			}
		}
		kubeconfig.Note(s, access)
		items = append(items, s)
	}
	text, err := json.Marshal(map[string]any{"apiVersion": "v1", "kind": "List", "items": items})
	if err != nil {
		return nil, simulate.Uncertain.Because(err.Error())
	}
	return text, simulate.Outcome{Kind: simulate.Reads}
}

func selecting(label, value string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: map[string]string{label: value}}
}

// throughGateway gives a Link what the gateway of its target has now.
func throughGateway(link *api.Link, target *model.Cluster) simulate.Outcome {
	i := slices.IndexFunc(target.Gateways, func(g *model.Gateway) bool { return g.Namespace == extensionNamespace && g.Name == gatewayName })
	if i < 0 {
		return simulate.Uncertain.Because("the gateway has another name")
	}
	g := target.Gateways[i]
	if len(g.Balanced()) == 0 {
		return simulate.Uncertain.Because("the gateway has no address yet")
	}
	s := &link.Spec
	s.GatewayAddress, s.GatewayIdentity = strings.Join(g.Balanced(), ","), g.Annotations[resources.AnnotationGatewayIdentity]
	s.GatewayPort = fmt.Sprint(g.Port(resources.PortGateway))
	s.ProbeSpec = api.ProbeSpec{
		Path: g.Annotations[probePath], Port: fmt.Sprint(g.Port(resources.PortProbe)), Period: g.Annotations[probePeriod] + "s",
		FailureThreshold: "3", Timeout: "30s", // by the definition
	}
	return simulate.Outcome{Kind: simulate.Done}
}

// accessTo is the kubeconfig that link-gen makes for a cluster: with the token of the account for others. It
// is the same as one that was made before, where the account is.
func accessTo(w *simulate.World, target *model.Cluster) (kubeconfig.Kubeconfig, bool) {
	for _, a := range resources.Accounts.Of(target.Cluster).Value {
		if a.Namespace != extensionNamespace || a.Name != remoteAccount {
			continue
		}
		made := time.Time{} // the token
		for _, token := range resources.Tokens.Of(target.Cluster).Value {
			if token.Namespace == a.Namespace && token.Annotations[corev1.ServiceAccountNameKey] == a.Name {
				made = token.CreationTimestamp.Time
			}
		}
		for _, c := range w.Fleet().Clusters {
			for i := range resources.Credentials.Of(&c).Value {
				s := &resources.Credentials.Of(&c).Value[i]
				if resources.WrittenAt(s).Before(made) {
					continue // it has another token
				}
				k := kubeconfig.Of(s)
				same := k.Token == nil || k.Token.Expires.IsZero() && (k.Token.AccountUID == "" || k.Token.AccountUID == string(a.UID))
				if k.Problem == "" && same && slices.ContainsFunc(k.CA, func(ca string) bool { return slices.Contains(target.APICertificates(), ca) }) {
					return k, true
				}
			}
		}
		return kubeconfig.Kubeconfig{Server: target.Server, Access: facts.Access{
			CA: target.APICertificates(), Kind: "token", Token: &facts.TokenClaims{
				Subject: "system:serviceaccount:" + a.Namespace + ":" + a.Name, AccountUID: string(a.UID),
			},
		}}, true
	}
	return kubeconfig.Kubeconfig{}, false
}

// Settle is Settle of the package: it makes Linkerd a simulate.Settler.
func (Linkerd) Settle(w *simulate.World, before *facts.Fleet) { Settle(w, before) }

// Settle has the service mirrors of all clusters do their work, as they do within ten minutes of a change:
// mirrors that are missing are made, and the others get the addresses, the identity and the ports that their
// Link and the exported service have (multicluster/service-mirror/cluster_watcher.go). What they do not do
// by themselves stays as it is: mirrors of what is gone, and Services of a person. before is the fleet as it
// was: credentials that are others now were written now.
func Settle(w *simulate.World, before *facts.Fleet) {
	m := model.New(w.Fleet(), model.Options{})
	for i := range before.Clusters {
		if c := w.Cluster(before.Clusters[i].Context); c != nil {
			written(c, &before.Clusters[i], w.Fleet().At)
		}
	}
	for _, c := range m.Clusters {
		to := w.Cluster(c.Context)
		for _, l := range c.Links {
			if l.Target == nil || !l.Available() || l.Credentials == nil || l.Credentials.Kubeconfig.Problem != "" {
				continue
			}
			for _, mirror := range l.Mirrors {
				refresh(to, l, mirror)
			}
			for _, e := range l.Exports() {
				if _, known := l.Known(e); !known {
					mirrorAnew(to, l, e)
				}
			}
			if name := l.ProbeService(); name != "" {
				addressed(to, l, l.Namespace, name, l.Spec.ProbeSpec.Port)
			}
		}
	}
}

// written notes in the credentials of a cluster that differ from those before that they were written.
func written(c, before *facts.Cluster, at time.Time) {
	was := map[string]string{}
	for i := range resources.Credentials.Of(before).Value {
		s := &resources.Credentials.Of(before).Value[i]
		was[s.Namespace+"/"+s.Name] = said(s)
	}
	read := resources.Credentials.Of(c)
	all := slices.Clone(read.Value)
	for i := range all {
		if text, there := was[all[i].Namespace+"/"+all[i].Name]; there && text != said(&all[i]) {
			s := all[i].DeepCopy()
			resources.MarkWritten(s, at)
			all[i] = *s
		}
	}
	if read.State == facts.OK {
		resources.Credentials.Edit(c).Value = all
	}
}

// said is what clients go by in a Secret with credentials.
func said(s *corev1.Secret) string {
	text, err := json.Marshal([]any{
		kubeconfig.Of(s), s.Labels[resources.LabelCredentials], s.Annotations[resources.AnnotationTrustDomain],
		s.Annotations[resources.AnnotationClusterDomain],
	})
	if err != nil {
		return ""
	}
	return string(text)
}

// refresh gives a mirror what its Link and the exported service have now.
func refresh(c *facts.Cluster, l *model.Link, m *model.Mirror) {
	exported := l.Target.Service(m.RemoteNamespace, m.RemoteName)
	if exported == nil || m.Kind != model.Through {
		return
	}
	edit(resources.Services.Edit(c), m.Service.Namespace, m.Service.Name, func(s *corev1.Service) *corev1.Service {
		out := s.DeepCopy()
		out.Spec.Ports = slices.Clone(exported.Spec.Ports)
		return out
	})
	addressed(c, l, m.Service.Namespace, m.Service.Name, l.Spec.GatewayPort)
}

// edit changes the Service of a name.
func edit(read *facts.Read[[]corev1.Service], namespace, name string, to func(*corev1.Service) *corev1.Service) {
	read.Value = slices.Clone(read.Value)
	for i := range read.Value {
		if s := &read.Value[i]; s.Namespace == namespace && s.Name == name {
			read.Value[i] = *to(s)
		}
	}
}

// addressed gives the Endpoints of a mirror, and the slices that Kubernetes makes of them, the addresses of
// the gateway; those of mirrors are not ready while the gateway is dead.
func addressed(c *facts.Cluster, l *model.Link, namespace, name, port string) {
	number, err := strconv.ParseInt(port, 10, 32)
	addresses := l.GatewayAddresses()
	if err != nil || len(addresses) == 0 || !allIPs(addresses) {
		return // its names are resolved elsewhere
	}
	read := resources.MirrorEndpoints.Edit(c)
	read.Value = slices.Clone(read.Value)
	for i := range read.Value {
		e := &read.Value[i]
		if e.Namespace != namespace || e.Name != name {
			continue
		}
		e = e.DeepCopy()
		var list []corev1.EndpointAddress
		for _, a := range addresses {
			list = append(list, corev1.EndpointAddress{IP: a})
		}
		for k := range e.Subsets {
			s := &e.Subsets[k]
			if len(s.Addresses) > 0 {
				s.Addresses = list
			} else {
				s.NotReadyAddresses = list
			}
			for n := range s.Ports {
				s.Ports[n].Port = int32(number)
			}
		}
		if l.Spec.GatewayIdentity != "" && e.Annotations[resources.AnnotationRemoteName] != "" {
			metav1.SetMetaDataAnnotation(&e.ObjectMeta, resources.AnnotationRemoteIdentity, l.Spec.GatewayIdentity)
		}
		read.Value[i] = *e
	}
	sliced(c, namespace, name, addresses, int32(number))
}

func allIPs(addresses []string) bool {
	return !slices.ContainsFunc(addresses, func(a string) bool { return net.ParseIP(a) == nil })
}

// sliced gives the slices of a mirror the addresses of its Endpoints.
func sliced(c *facts.Cluster, namespace, name string, addresses []string, port int32) {
	read := resources.EndpointSlices.Of(c)
	if read.State != facts.OK {
		return
	}
	all := slices.Clone(read.Value)
	for i := range all {
		if all[i].Namespace != namespace || all[i].Labels[discoveryv1.LabelServiceName] != name || len(all[i].Endpoints) == 0 {
			continue
		}
		s := all[i].DeepCopy()
		one := s.Endpoints[0]
		s.Endpoints = nil
		for _, a := range addresses {
			e := *one.DeepCopy()
			e.Addresses = []string{a}
			s.Endpoints = append(s.Endpoints, e)
		}
		for k := range s.Ports {
			s.Ports[k].Port = &port
		}
		all[i] = *s
	}
	resources.EndpointSlices.Edit(c).Value = all
}

// mirrorAnew makes the mirror of a service, where its namespace is there and no Service has its name: one
// through the gateway, or one of which the destination controller asks the other cluster.
func mirrorAnew(c *facts.Cluster, l *model.Link, e model.Export) {
	name := l.Mirror(e)
	number, err := strconv.ParseInt(l.Spec.GatewayPort, 10, 32)
	through := e.Mode == model.ByGateway && err == nil && allIPs(l.GatewayAddresses())
	namespaced := slices.ContainsFunc(resources.Namespaces.Of(c).Value, func(n corev1.Namespace) bool { return n.Name == e.Namespace })
	switch {
	case len(validation.IsDNS1035Label(name)) > 0, !namespaced, l.Source.Service(e.Namespace, name) != nil:
		return
	case e.Spec.ClusterIP == corev1.ClusterIPNone, !through && e.Mode != model.RemoteDiscovery:
		return // of these the controllers make more than one object
	}
	labels := map[string]string{resources.LabelMirrored: "true", resources.LabelCluster: l.TargetName()}
	s := corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: e.Namespace, Name: name, Labels: labels, Annotations: map[string]string{
			resources.AnnotationRemoteName: e.Name + "." + e.Namespace + ".svc." + l.Spec.TargetClusterDomain,
		}},
		Spec: corev1.ServiceSpec{Ports: slices.Clone(e.Spec.Ports), ClusterIP: "10.96.255.250"},
	}
	for k, v := range e.Labels {
		if !strings.HasPrefix(k, "mirror.linkerd.io/") {
			s.Labels[k] = v
		}
	}
	if !through {
		s.Labels[resources.LabelRemoteDiscovery], s.Labels[resources.LabelRemoteService] = l.TargetName(), e.Name
		resources.Services.Edit(c).Value = append(slices.Clone(resources.Services.Of(c).Value), s)
		return
	}
	endpoints := corev1.Endpoints{ObjectMeta: metav1.ObjectMeta{Namespace: e.Namespace, Name: name, Labels: labels}}
	endpoints.Annotations = map[string]string{
		resources.AnnotationRemoteName:     s.Annotations[resources.AnnotationRemoteName],
		resources.AnnotationRemoteIdentity: l.Spec.GatewayIdentity,
	}
	subset := corev1.EndpointSubset{}
	slice := discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Namespace: e.Namespace, Name: name + "-x7k2p"},
		AddressType: discoveryv1.AddressTypeIPv4,
	}
	slice.Labels = map[string]string{discoveryv1.LabelServiceName: name}
	ready, port := true, int32(number)
	for _, a := range l.GatewayAddresses() {
		subset.Addresses = append(subset.Addresses, corev1.EndpointAddress{IP: a})
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{
			Addresses: []string{a}, Conditions: discoveryv1.EndpointConditions{Ready: &ready},
		})
	}
	for _, p := range e.Spec.Ports {
		subset.Ports = append(subset.Ports, corev1.EndpointPort{Name: p.Name, Port: port, Protocol: p.Protocol})
		slice.Ports = append(slice.Ports, discoveryv1.EndpointPort{Name: &p.Name, Port: &port, Protocol: &p.Protocol})
	}
	endpoints.Subsets = []corev1.EndpointSubset{subset}
	resources.Services.Edit(c).Value = append(slices.Clone(resources.Services.Of(c).Value), s)
	resources.MirrorEndpoints.Edit(c).Value = append(slices.Clone(resources.MirrorEndpoints.Of(c).Value), endpoints)
	resources.EndpointSlices.Edit(c).Value = append(slices.Clone(resources.EndpointSlices.Of(c).Value), slice)
}
