package istio

import (
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
)

// AuthenticationGroup and AuthorizationGroup are those of reviews.
const (
	AuthenticationGroup = "authentication.k8s.io"
	AuthorizationGroup  = "authorization.k8s.io"
	mcsGroup            = "multicluster.x-k8s.io"
)

// ReaderRights are what control planes do in the clusters that they read
// (manifests/charts/istio-control/istio-discovery/templates/reader-clusterrole.yaml).
func ReaderRights() []facts.Right {
	var out []facts.Right
	for _, r := range []facts.Right{
		{Resource: "namespaces"}, {Resource: "services"}, {Resource: "pods"}, {Resource: "nodes"},
		{Group: "discovery.k8s.io", Resource: "endpointslices"}, {Resource: "configmaps"}, {Resource: "secrets"},
		{Group: "apiextensions.k8s.io", Resource: "customresourcedefinitions"},
		{Group: "networking.istio.io", Resource: "workloadentries"},
		{Group: "gateway.networking.k8s.io", Resource: "gateways"},
		{Group: "apps", Resource: "replicasets"},
		{Group: mcsGroup, Resource: "serviceexports"}, {Group: mcsGroup, Resource: "serviceimports"},
	} {
		for _, verb := range []string{"list", "watch"} {
			r.Verb = verb
			out = append(out, r)
		}
	}
	return append(out,
		facts.Right{Group: AuthenticationGroup, Resource: "tokenreviews", Verb: "create"},
		facts.Right{Group: AuthorizationGroup, Resource: "subjectaccessreviews", Verb: "create"},
	)
}

// RightNeed is how much a control plane needs a right in a cluster that it reads.
type RightNeed int

// The needs.
const (
	NotNeeded RightNeed = iota
	Useful              // without it something is missing
	Vital               // without it the cluster never becomes synced, for ambient workloads at least, or its proxies are refused
)

// Needs says how much the control plane needs a right in a cluster that it reads, and
// what goes without it. hasPlane says whether that cluster has a control plane of its own.
func (i Istiod) Needs(r facts.Right, hasPlane bool) (RightNeed, string) {
	switch r.Resource {
	case "namespaces", "services", "pods", "nodes", "endpointslices":
		return Vital, "the cluster is never synced"
	case "configmaps":
		if i.Before("1.29.0") {
			return NotNeeded, ""
		}
		return Vital, "the cluster is never synced, as its mesh config is not read"
	case "tokenreviews":
		if hasPlane {
			return NotNeeded, ""
		}
		return Vital, "the cluster's proxies are refused"
	case "subjectaccessreviews":
		if hasPlane {
			return NotNeeded, ""
		}
		return Useful, "its gateways get no certificates from Secrets"
	case "secrets":
		if hasPlane {
			return NotNeeded, ""
		}
		return Useful, "its gateways get no certificates from Secrets"
	case "customresourcedefinitions", "gateways":
		switch {
		case !i.On(EnvAmbient) || !i.On(EnvAmbientMultiNetwork):
			return NotNeeded, ""
		case r.Resource != "gateways":
			return Useful, "its Gateways of the Gateway API are not seen"
		case i.Before("1.30.0"):
			return Vital, "ambient workloads are told nothing of the cluster"
		}
		return Vital, "the cluster is never synced, and ambient workloads are told nothing of it"
	case "serviceexports", "serviceimports":
		if i.On(EnvMCSDiscovery) {
			return Useful, "its exported services are not seen"
		}
	}
	return NotNeeded, ""
}

// ServiceAccount splits the user name of a service account; ok is false for
// that of anybody else.
func ServiceAccount(user string) (namespace, name string, ok bool) {
	rest, ok := strings.CutPrefix(user, "system:serviceaccount:")
	if !ok {
		return "", "", false
	}
	namespace, name, ok = strings.Cut(rest, ":")
	return namespace, name, ok && namespace != "" && name != "" && !strings.ContainsAny(rest, "/%?#")
}
