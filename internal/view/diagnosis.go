package view

import (
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
)

// Verdict is whether requests of a source get to a cluster.
type Verdict string

// The verdicts, the worst first.
const (
	Broken  Verdict = "broken"  // they do not, and something is wrong
	Partial Verdict = "partial" // broken in part: some of its endpoints or ports are not reached
	Unknown Verdict = "unknown" // not all that decides could be read
	Local   Verdict = "local"   // they do not as long as all is well, as somebody set it
	Nothing Verdict = "nothing" // there is nothing to reach
	Reaches Verdict = "ok"      // they do
)

// Verdicts lists all verdicts, the worst first.
var Verdicts = []Verdict{Broken, Partial, Unknown, Local, Nothing, Reaches}

// Failed reports whether the verdict is that something does not get through.
func (v Verdict) Failed() bool { return v == Broken || v == Partial }

// Diagnosis is why requests for one service get from each cluster to each other
// one, or do not.
type Diagnosis struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Host      string `json:"host"`
	// Clusters are those that have the Service or endpoints of it.
	Clusters []Presence `json:"clusters"`
	// Paths are in the order of the clusters.
	Paths []Path `json:"paths"`
}

// Verdict is the worst of the paths.
func (d *Diagnosis) Verdict() Verdict {
	for _, v := range Verdicts {
		for _, p := range d.Paths {
			if p.Verdict == v {
				return v
			}
		}
	}
	return Nothing
}

// Sources are the proxies that have a pod, of the paths that reach.
func (d *Diagnosis) Sources() []Source {
	var out []Source
	for _, p := range d.Paths {
		if (p.Verdict == Reaches || p.Verdict == Partial) && p.From.Pod != "" && !p.From.Ambient && !slices.Contains(out, p.From) {
			out = append(out, p.From)
		}
	}
	return out
}

// Presence is what one cluster has of a service.
type Presence struct {
	Cluster string `json:"cluster"`
	Service bool   `json:"service"`
	// Ready and NotReady count the endpoints in its EndpointSlices.
	Ready    int `json:"ready"`
	NotReady int `json:"notReady"`
}

// Source is the proxy for which a path is evaluated: one for each cluster and network.
type Source struct {
	Cluster string `json:"cluster"`
	// Network is the one that it was told to be on; "" for none, and in a mesh without networks.
	Network string `json:"network"`
	// Pod is namespace/name; "" where the cluster has no pod with a sidecar, and one is assumed.
	Pod string `json:"pod,omitempty"`
	// Gateway: the proxy is that of a gateway, and no sidecar.
	Gateway bool `json:"gateway,omitempty"`
	// Ambient: it is a workload without proxy, for which ztunnel speaks.
	Ambient bool `json:"ambient,omitempty"`
}

// Path is what becomes of requests from a source to the endpoints of one cluster.
type Path struct {
	From    Source  `json:"from"`
	To      string  `json:"to"`
	Verdict Verdict `json:"verdict"`
	// StoppedAt is the name of the step that stops the requests; "" where none does.
	StoppedAt string `json:"-"`
	// Code and Cause are those of the finding that decides; "" where none does.
	Code  finding.Code `json:"code,omitempty"`
	Cause string       `json:"cause,omitempty"`
	// Summary is the verdict in a few words.
	Summary string `json:"summary"`
	// Steps are what was looked at, in order, to the first that stops the requests.
	Steps []Step `json:"steps"`
	// Ports are what the source gets for each port.
	Ports []Port `json:"ports"`
	// Findings are the IDs of all findings about the path.
	Findings []string `json:"findings"`

	// Instead: it is of a mesh that drives another one, which has no way of its own between these
	// clusters by design.
	Instead bool `json:"-"`
}

// Merge adds what another mesh says of the service. found is what was found of this diagnosis: what only paths are about
// that another one stands in for is taken out of it.
func (d *Diagnosis) Merge(with *Diagnosis, found *finding.Result) {
	for _, c := range with.Clusters {
		if !slices.ContainsFunc(d.Clusters, func(o Presence) bool { return o.Cluster == c.Cluster }) {
			d.Clusters = append(d.Clusters, c)
		}
	}
	isReplaced := func(p Path) bool {
		return slices.ContainsFunc(with.Paths, func(o Path) bool { return o.Instead && o.From.Cluster == p.From.Cluster && o.To == p.To })
	}
	dropped, kept := map[string]bool{}, map[string]bool{}
	for _, p := range d.Paths {
		of := kept
		if isReplaced(p) {
			of = dropped
		}
		of[p.Cause] = true
		for _, id := range p.Findings {
			of[id] = true
		}
	}
	d.Paths = append(slices.DeleteFunc(d.Paths, isReplaced), with.Paths...)
	found.Findings = slices.DeleteFunc(found.Findings, func(f finding.Finding) bool { return dropped[f.ID()] && !kept[f.ID()] })
}

// HasFault reports whether some of the requests fail, by one of the steps.
func (p *Path) HasFault() bool {
	return slices.ContainsFunc(p.Steps, func(s Step) bool { return s.Outcome == Fault })
}

// Outcome is what one step of a path came to.
type Outcome string

// The outcomes.
const (
	Passed  Outcome = "ok"
	Fault   Outcome = "fault"
	Answer  Outcome = "answer"  // it stops the requests on purpose
	Unclear Outcome = "unknown" // it could not be checked
)

// Step is one thing that has to be right for requests to get to a cluster.
type Step struct {
	Name    string       `json:"name"`
	Outcome Outcome      `json:"outcome"`
	Detail  string       `json:"detail"`
	Code    finding.Code `json:"code,omitempty"`
}

// Port is what a source gets of a cluster for one port of the service.
type Port struct {
	Port int    `json:"port"`
	Name string `json:"name"`
	// Subset is the one to which a VirtualService sends requests; "" where there is none.
	Subset string `json:"subset,omitempty"`
	// Endpoints are the addresses that it is given.
	Endpoints []Address `json:"endpoints"`
	// Dropped are the endpoints that the cluster has and that it is not given.
	Dropped []DroppedEndpoint `json:"dropped"`
}

// Address is one that a source may send to.
type Address struct {
	Address string `json:"address"`
	Port    uint32 `json:"port"`
	// Pod is namespace/name; "" for a gateway, and for what is no pod.
	Pod      string `json:"pod,omitempty"`
	Network  string `json:"network"`
	Route    string `json:"route"`
	Priority uint32 `json:"priority"`
	Health   string `json:"health"`
	MTLS     bool   `json:"mtls"`
	// Behind counts the endpoints that a gateway stands for.
	Behind int `json:"behind,omitempty"`
}

// DroppedEndpoint is an endpoint that a source is not given, and why.
type DroppedEndpoint struct {
	Address string `json:"address"`
	Pod     string `json:"pod,omitempty"`
	Reason  string `json:"reason"`
	Detail  string `json:"detail,omitempty"`
}
