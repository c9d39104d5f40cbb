package network

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// Listing is what is meant to be a gateway between networks.
type Listing struct {
	Gateways []Gateway `json:"gateways"`
	Gaps     []Gap     `json:"gaps"`
}

// Gateway is one of them, as the control planes see it.
type Gateway struct {
	// Cluster is the context of the cluster in which it is; of an entry of mesh
	// networks, that of the control plane which has it.
	Cluster string `json:"cluster"`
	Network string `json:"network"`
	// NetworkFrom says what makes it the gateway of that network.
	NetworkFrom string `json:"networkFrom"`
	// Object is what it is: a service, a gateway of the Gateway API, or a configmap.
	Object finding.Object `json:"object"`
	// Type is that of the Service, or the class of the Gateway.
	Type      string    `json:"type,omitempty"`
	Addresses []Address `json:"addresses"`
	// Port is for sidecars, HBONEPort for ambient proxies; 0 for none.
	Port      uint32 `json:"port"`
	HBONEPort uint32 `json:"hbonePort"`
	PortFrom  string `json:"portFrom,omitempty"`
	// Pods run behind it, and so many of them are ready; only of Services.
	Pods  *int `json:"pods,omitempty"`
	Ready *int `json:"ready,omitempty"`
	// Created is when the object was made.
	Created *time.Time `json:"created,omitempty"`
	// KnownTo are the contexts of the control planes that announce it.
	KnownTo []string `json:"knownTo"`
	// Status is "ok" or a few words on what is wrong; Codes are of the findings about it.
	Status string         `json:"status"`
	Codes  []finding.Code `json:"codes"`

	// same are the IDs of the entries of other mesh networks that are this one, on a map.
	same []string
}

// Address is an address of a gateway.
type Address struct {
	Address string `json:"address"`
	// From is the field that has it, and Node whose it is.
	From string `json:"from"`
	Node string `json:"node,omitempty"`
	// Resolved are the addresses of a host name, where it was resolved.
	Resolved []string `json:"resolved,omitempty"`
}

// Gap is what could not be listed.
type Gap struct {
	Cluster string `json:"cluster"`
	Reason  string `json:"reason"`
}

// statuses are what findings about a gateway come to in a few words, what is worst first.
var statuses = []struct {
	code   finding.Code
	status string
}{
	{"GW017", "hidden"}, {"NET013", "wrong network"}, {"GW034", "wrong network"}, {"GW002", "pending"}, {"GW004", "no node selector"},
	{"GW006", "no node selected"}, {"GW005", "no ExternalIP"}, {"GW030", "no address outside"}, {"GW007", "port missing"}, {"GW008", "port not counted"},
	{"GW003", "host name unresolved"}, {"GW016", "ignored"}, {"GW031", "address of two networks"}, {"GW012", "no ready pod"}, {"GW010", "no listener"},
	{"GW011", "listeners overlap"}, {"GW009", "no HBONE"}, {"GW020", "address of no gateway"}, {"GW032", "nodes without pod"}, {"GW015", "mixed ranges"}, {"NET012", "forwards to all networks"},
}

// statusStray is the status of what is labelled as a gateway by accident.
const statusStray = "no gateway"

// StatusOK is the status of a gateway about which nothing was found.
const StatusOK = "ok"

// List lists what is meant to be a gateway, whether or not the fleet has several
// networks.
func List(fleet *facts.Fleet, options Options) Listing {
	w := newWorld(fleet, options)
	return w.list(fleet, verify(w, fleet, options), options)
}

// Gaps is what of the gateways of a fleet cannot be listed.
func Gaps(fleet *facts.Fleet) []Gap {
	return newWorld(fleet, Options{}).list(fleet, finding.Result{}, Options{}).Gaps
}

// list lists what is meant to be a gateway, with what the rules found.
func (w *world) list(fleet *facts.Fleet, result finding.Result, options Options) Listing {
	out := Listing{Gateways: []Gateway{}, Gaps: []Gap{}}
	for _, c := range fleet.Clusters {
		if c.Unreached != nil {
			out.Gaps = append(out.Gaps, Gap{c.Context, finding.ClusterUnreached.Text})
		}
	}
	for _, m := range w.members {
		for _, n := range []need{services, kubernetesGateways, istiods} {
			if why := m.lacks(n); why != nothing {
				out.Gaps = append(out.Gaps, Gap{m.Context, why.Text})
			}
		}
		for _, g := range m.gateways {
			out.Gateways = append(out.Gateways, w.row(g, result, options))
		}
		for i := range resources.KubernetesGateways.Of(m.Cluster).Value {
			if k := &resources.KubernetesGateways.Of(m.Cluster).Value[i]; k.Labels[istio.LabelNetwork] != "" && (k.Spec.GatewayClassName == api.ClassRemote || len(k.Spec.Addresses) > 0) {
				out.Gateways = append(out.Gateways, w.kubernetesRow(m, k, result, options))
			}
		}
	}
	for _, v := range w.views {
		for _, c := range v.candidates {
			if c.Kind != "MeshNetworks" {
				continue
			}
			r := newRow(v.Context, c, options)
			r.Object, r.KnownTo = v.configMap(), []string{v.Context}
			w.judge(&r, result, options)
			out.Gateways = append(out.Gateways, r)
		}
	}
	return out
}

// newRow is what a candidate says of itself.
func newRow(context string, c istio.Candidate, options Options) Gateway {
	r := Gateway{
		Cluster: context, Network: c.Network, NetworkFrom: c.NetworkFrom, Addresses: []Address{},
		Port: c.Port, HBONEPort: c.HBONEPort, PortFrom: c.PortFrom, KnownTo: []string{}, Codes: []finding.Code{},
	}
	for _, a := range c.Addresses {
		r.Addresses = append(r.Addresses, Address{Address: a.Address, From: a.From, Node: a.Node, Resolved: options.Hosts[a.Address]})
	}
	return r
}

// row is what the control planes make of the Service of a gateway.
func (w *world) row(g *gateway, result finding.Result, options Options) Gateway {
	m := g.member
	c := istio.Candidate{Network: g.network, NetworkFrom: "label " + istio.LabelNetwork}
	var known []string
	problem := "not read by any control plane"
	for _, v := range m.viewers {
		seen, ok := g.seen[v]
		if !ok {
			continue
		}
		if c.PortFrom == "" || seen.Problem == "" {
			c = seen
		}
		if problem = seen.Problem; problem == "" {
			known = append(known, v.Context)
		}
	}
	r := newRow(m.Context, c, options)
	created := g.service.CreationTimestamp.UTC()
	r.Object, r.Type, r.Created = g.object(), string(g.service.Spec.Type), &created
	r.KnownTo = append(r.KnownTo, finding.Distinct(known)...)
	if resources.Pods.Of(m.Cluster).Known() {
		pods, ready := len(g.pods), g.ready()
		r.Pods, r.Ready = &pods, &ready
	}
	if g.stray {
		r.Status, r.Codes = statusStray, []finding.Code{"NET014"}
		return r
	}
	w.judge(&r, result, options)
	if r.Status == StatusOK && len(known) == 0 {
		r.Status = problem // nothing is found of gateways that nobody needs
	}
	return r
}

// kubernetesRow is what they make of a Gateway of the Gateway API.
func (w *world) kubernetesRow(m *member, k *api.KubernetesGateway, result finding.Result, options Options) Gateway {
	c := istio.Candidate{Network: k.Labels[istio.LabelNetwork], NetworkFrom: "label " + istio.LabelNetwork, Problem: "ignored"}
	var known []string
	for _, v := range m.viewers {
		for _, seen := range v.candidates {
			if seen.Kind != "Gateway" || seen.Cluster != v.ids[m] || seen.Namespace != k.Namespace || seen.Name != k.Name {
				continue
			}
			if c.Problem != "" {
				c = seen
			}
			if seen.Problem == "" {
				known = append(known, v.Context)
			}
		}
	}
	r := newRow(m.Context, c, options)
	created := k.CreationTimestamp.UTC()
	r.Object, r.Type, r.Created = kubernetesObject(k), k.Spec.GatewayClassName, &created
	r.KnownTo = append(r.KnownTo, finding.Distinct(known)...)
	w.judge(&r, result, options)
	if r.Status == StatusOK && len(known) == 0 {
		r.Status = c.Problem
	}
	return r
}

// judge takes the status from the findings.
func (w *world) judge(r *Gateway, result finding.Result, options Options) {
	noted := false // of the host name there is nothing but a note
	for _, f := range result.Findings {
		if w.isAbout(r, f) {
			r.Codes = append(r.Codes, f.Code)
			noted = noted || f.Code == "GW003" && f.Severity == finding.Note
		}
	}
	slices.Sort(r.Codes)
	r.Codes = slices.Compact(r.Codes)
	r.Status = StatusOK
	for _, s := range statuses {
		if slices.Contains(r.Codes, s.code) && (s.code != "GW003" || !noted) {
			r.Status = s.status
			if s.code == "GW003" && slices.ContainsFunc(r.Addresses, func(a Address) bool { return len(a.Resolved) > 0 }) {
				r.Status = "host name misleads"
			}
			return
		}
	}
	for _, a := range r.Addresses {
		if !strings.ContainsFunc(a.Address, isLetter) || strings.Contains(a.Address, ":") {
			continue
		}
		if options.Hosts == nil {
			r.Status = "host name not tried"
		} else if _, answered := options.Hosts[a.Address]; !answered {
			r.Status = "host name not answered"
		}
	}
}

func isLetter(c rune) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

// isAbout reports whether a finding is about the gateway: it is the object, or
// one of those that have an address which is there twice.
func (w *world) isAbout(r *Gateway, f finding.Finding) bool {
	if !slices.Contains(f.Clusters, r.Cluster) || f.ObjectIn != "" && f.ObjectIn != r.Cluster {
		return false
	}
	if f.Object == r.Object && !r.IsStatic() {
		return true
	}
	return slices.ContainsFunc(w.subjects[f.ID()], func(s subject) bool {
		if s.cluster != r.Cluster || s.object != r.Object {
			return false
		}
		// Of the mesh networks of one control plane every entry has the same object.
		return !r.IsStatic() || slices.ContainsFunc(r.Addresses, func(a Address) bool {
			return a.Address == s.address || slices.Contains(a.Resolved, s.address)
		})
	})
}

// IsStatic reports whether it is an address of the mesh networks.
func (r *Gateway) IsStatic() bool { return r.Object.Kind == "configmap" }

// Where joins the addresses of a gateway.
func (r Gateway) Where() string {
	var out []string
	for _, a := range r.Addresses {
		text := a.Address
		if len(a.Resolved) > 0 {
			text += " (" + strings.Join(a.Resolved, ", ") + ")"
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

// ID names a gateway for scripts.
func (r Gateway) ID() string {
	return fmt.Sprintf("%s/%s", r.Cluster, strings.ReplaceAll(r.Object.String(), " ", "/"))
}
