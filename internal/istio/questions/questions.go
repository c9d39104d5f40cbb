// Package questions are the live questions of Istio: what running clusters, control
// planes and proxies are asked, and no read of an object tells. A rule that uses an
// answer declares the question, as it does a row of the resource table. How they are
// asked is in package ask.
package questions

import (
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// Question is one of them.
type Question struct {
	name    string
	grants  []resource.Grant
	instead []resource.Grant
}

var _ rule.Need = (*Question)(nil)

// String is what people call what is asked, in the plural.
func (q *Question) String() string { return q.name }

// State is OK: a question has one answer for each replica, proxy or secret. The rules
// that use them say of each what is unknown.
func (q *Question) State(*facts.Cluster) (facts.State, string) { return facts.OK, "" }

// Grants are the rights that asking takes; none where this machine asks nobody but name servers.
func (q *Question) Grants() []resource.Grant { return q.grants }

// Instead are the rights by which the question can be asked where Grants are not given.
func (q *Question) Instead() []resource.Grant { return q.instead }

func grant(verb, group, name string) resource.Grant {
	return resource.Grant{Right: resource.Right{Verb: verb, Group: group, Resource: name}}
}

func inSystem(g resource.Grant) resource.Grant {
	g.Scope = resource.System
	return g
}

var (
	forward = grant("create", "", "pods/portforward")
	exec    = grant("create", "", "pods/exec")
)

// The questions.
var (
	// Hostnames are the addresses of the host names of gateways, as this machine resolves them.
	Hostnames = &Question{name: "host names of gateways"}
	// RemoteSides are the other ends of remote secrets: what a cluster knows of the service
	// accounts that they speak for. Where reviews are forbidden, roles tell what an account may do.
	RemoteSides = &Question{
		name: "service accounts of remote secrets",
		grants: []resource.Grant{
			inSystem(grant("get", "", "serviceaccounts")), inSystem(grant("get", "", "secrets")),
			grant("create", authorizationv1.GroupName, "subjectaccessreviews"),
		},
		instead: []resource.Grant{
			grant("list", rbacv1.GroupName, "clusterroles"), grant("list", rbacv1.GroupName, "clusterrolebindings"),
		},
	}
	// Istiods are the debug ports of all replicas of istiod.
	Istiods = &Question{name: "debug ports of istiod", grants: []resource.Grant{inSystem(forward)}}
	// Rejections are what proxies do not accept of what istiod sends them, as the same ports say it: they
	// are asked a second time where there are any.
	Rejections = &Question{name: "what proxies refuse", grants: []resource.Grant{inSystem(forward)}}
	// Refusals are how often istiod refuses proxies, in its metrics: it is asked twice where proxies are
	// connected to no istiod.
	Refusals = &Question{name: "what istiod refuses", grants: []resource.Grant{inSystem(forward)}}
	// TokenReviews are what API servers say of the tokens in remote secrets, which are read
	// once more for that.
	TokenReviews = &Question{
		name: "reviews of tokens",
		grants: []resource.Grant{
			inSystem(grant("list", "", "secrets")), grant("create", authenticationv1.GroupName, "tokenreviews"),
		},
	}
	// ProxyCertificates are the certificates that some proxies have.
	ProxyCertificates = &Question{
		name: "certificates of proxies", grants: []resource.Grant{forward}, instead: []resource.Grant{exec},
	}
	// ProxyEndpoints are the endpoints that proxies have of one service. No rule uses them:
	// commands ask for them that are about that service.
	ProxyEndpoints = &Question{
		name: "endpoints of proxies", grants: []resource.Grant{forward}, instead: []resource.Grant{exec},
	}
	// Trials are tries of the addresses of gateways and control planes: from this machine, or
	// by a command in the pods that the user names.
	Trials = &Question{name: "trials of addresses", grants: []resource.Grant{exec}}
)

// All are all questions.
var All = Set{Hostnames, RemoteSides, Istiods, Rejections, Refusals, TokenReviews, ProxyCertificates, ProxyEndpoints, Trials}

// Set are some questions.
type Set []*Question

// Has reports whether one of some questions is in the set.
func (s Set) Has(questions ...*Question) bool {
	for _, in := range s {
		for _, q := range questions {
			if in == q {
				return true
			}
		}
	}
	return false
}

// Of are the questions among needs.
func Of(needs ...rule.Need) Set {
	var out Set
	for _, need := range needs {
		if q, ok := need.(*Question); ok && !out.Has(q) {
			out = append(out, q)
		}
	}
	return out
}
