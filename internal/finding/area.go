package finding

import "strings"

// Area is a part of a mesh that is checked. Each code is about one, which its page names.
type Area string

// The areas.
const (
	Clusters     Area = "clusters"      // is each cluster reached, and are their clocks right?
	ControlPlane Area = "control plane" // does it run, and would it start again?
	Versions     Area = "versions"      // do control planes, proxies and Kubernetes fit together?
	Injection    Area = "injection"     // do the pods that should have a proxy get one?
	Proxies      Area = "proxies"       // are they ready, connected, and content with what they are sent?
	Trust        Area = "trust"         // do the clusters trust one another's certificates?
	Networks     Area = "networks"      // networks, gateways between them, and the ways to control planes
	Discovery    Area = "discovery"     // does each control plane watch the other clusters?
	Services     Area = "services"      // is what several clusters have reached from each of them?
)

// Areas lists all areas from outside in: one that is broken can break those after it.
var Areas = []Area{Clusters, ControlPlane, Versions, Injection, Proxies, Trust, Networks, Discovery, Services}

// Slug is the area as one word, as flags and scripts have it: "control-plane".
func (a Area) Slug() string { return strings.ReplaceAll(string(a), " ", "-") }
