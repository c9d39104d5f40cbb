package model

import (
	"fmt"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
)

// Extent is how many of the requests on a route a blocker stops.
type Extent string

// The extents.
const (
	Whole       Extent = "all"
	Some        Extent = "some"
	Unclarified Extent = "unknown" // what was read does not tell
)

// Blocker is a reason for which requests do not arrive, or may not.
type Blocker struct {
	Kind   BlockerKind
	Extent Extent
	// Clusters are those that it is about.
	Clusters []*Cluster
	// Objects are what has to change; none where it is no single one. A rule that finds the
	// same says so of one of them.
	Objects []finding.Object
	// Pods is how many are concerned, Network on which network or to which.
	Pods    int
	Network string
	// Fault is what is wrong with the gateway; only of GatewayFault.
	Fault Fault
	// Watch is that of NotWatched and NotFollowed.
	Watch Watch
	// Meant are the objects that are meant to be the missing gateway, Part and PartOf what
	// was not read, and of which cluster; only of NoGateway.
	Meant        []Meant
	Part, PartOf string
	// Tried: the name was asked for, and has no address; only of NameNotResolved.
	Tried bool
	// Unread is what was not read.
	Unread []Unread
}

// Meant is something that is meant to be a gateway.
type Meant struct {
	In     *Cluster
	Object finding.Object
	Faults []Fault
}

// BlockerKind is what blocks.
type BlockerKind string

// The kinds.
const (
	// Of control planes.
	NotWatched    BlockerKind = "not watched"
	NotFollowed   BlockerKind = "watched no longer"
	NotConfigured BlockerKind = "clients without a control plane"
	// NameUnknown: proxies say that they are of a cluster that their control plane does not
	// know by that name.
	NameUnknown BlockerKind = "proxies of another cluster ID"
	// NoIstiodService: proxies look for istiod by a Service that does not exist.
	NoIstiodService BlockerKind = "Service of istiod missing"

	// Of networks.
	SameAddresses     BlockerKind = "same addresses twice"
	NoEndpointNetwork BlockerKind = "workloads without a network"
	NoClientNetwork   BlockerKind = "clients without a network"
	// TwoNetworks: pods are on one network by their label and on another by their environment.
	TwoNetworks BlockerKind = "pods on two networks"
	// NobodysNetwork: pods are on a network that nothing else is on.
	NobodysNetwork BlockerKind = "pods on a network of nobody"
	// ForeignNetwork: pods are on a network of other clusters.
	ForeignNetwork BlockerKind = "pods on a network of other clusters"
	// InjectedElsewhere: pods are injected with another network than that of their cluster.
	InjectedElsewhere   BlockerKind = "pods injected with another network"
	MeshNetworksInvalid BlockerKind = "meshNetworks not used as written"
	MeshNetworksDiffer  BlockerKind = "meshNetworks differ"

	// Of gateways.
	NoGateway        BlockerKind = "no gateway"
	NameNotResolved  BlockerKind = "host name not resolved"
	GatewayFault     BlockerKind = "gateway does not work"
	NoSidecarGateway BlockerKind = "no gateway for sidecars"
	NoAmbientGateway BlockerKind = "no gateway for ambient workloads"
	// NoFamilyGateway: clients have addresses of one family alone, and the gateways of the other.
	NoFamilyGateway BlockerKind = "no gateway of the family of addresses"

	// Of ambient mode.
	AmbientOff          BlockerKind = "ambient mode across networks turned off"
	AmbientTrustDomains BlockerKind = "different trust domains"
	AmbientAddress      BlockerKind = "ambient gateway at an address inside its cluster"
	ZtunnelMisplaced    BlockerKind = "ztunnel of another network or cluster"
	ZtunnelRefused      BlockerKind = "no certificates for ztunnel"
	NotGlobal           BlockerKind = "services not global"

	// ByUnread: something that decides was not read.
	ByUnread BlockerKind = "not read"
)

// String says it to people.
func (b Blocker) String() string {
	first := ""
	if len(b.Clusters) > 0 {
		first = b.Clusters[0].Context
	}
	switch b.Kind {
	case NotWatched, NotFollowed:
		return b.Watch.String()
	case NotConfigured:
		if len(b.Unread) > 0 {
			return b.Unread[0].Elsewhere().Text
		}
		return "no control plane that was read configures the proxies of " + first
	case ByUnread:
		return b.Unread[0].Elsewhere().Text
	case NoGateway:
		return b.noGateway()
	case NameNotResolved:
		if b.Tried {
			return "the gateway's host name has no address here; istiod resolves it by name servers of its own"
		}
		return "the gateway's host name was not resolved here"
	case GatewayFault:
		return first + ": " + b.Fault.sentence()
	case MeshNetworksDiffer:
		return "the control planes have different meshNetworks"
	case SameAddresses:
		return fmt.Sprintf("%s and %s are one network and have pods with the same addresses", first, b.Clusters[1].Context)
	case AmbientTrustDomains:
		return fmt.Sprintf("%s and %s are in ambient mode and have different trust domains", first, b.Clusters[1].Context)
	case NoEndpointNetwork, NoClientNetwork, NameUnknown, NoIstiodService, TwoNetworks, NobodysNetwork, ForeignNetwork, InjectedElsewhere:
		return b.podsText(first)
	default:
		return fmt.Sprintf(settingTexts[b.Kind], first, b.Network)
	}
}

// settingTexts say the kinds that are about a cluster, the first verb, and a network.
var settingTexts = map[BlockerKind]string{
	MeshNetworksInvalid: "istiod of %[1]s does not use its meshNetworks as they are written",
	NoSidecarGateway:    "sidecars of %s have no gateway to %s: the existing ones only accept ambient traffic",
	NoAmbientGateway:    "ambient workloads of %s have no gateway to %s that istiod uses for them",
	NoFamilyGateway:     "pods of %s with one family of addresses have no gateway to %s of that family",
	AmbientOff:          "ambient mode across networks is turned off in istiod of %[1]s",
	AmbientAddress:      "ambient workloads of other clusters are sent to an address where the gateway of %[1]s is not",
	ZtunnelMisplaced:    "ztunnel of %[1]s says that it is of another network or cluster",
	ZtunnelRefused:      "istiod signs no certificates for ztunnel of %[1]s",
	NotGlobal:           "services of %[1]s are meant to be global, and its mesh config makes them local",
}

// podsText says what is wrong with pods of a cluster.
func (b Blocker) podsText(context string) string {
	if b.Pods == 0 {
		switch b.Kind {
		case NoEndpointNetwork:
			return "the workloads of " + context + " have no network"
		case NoClientNetwork:
			return "the proxies of " + context + " do not know their network"
		default:
			return "new pods of " + context + " are injected with network " + b.Network + ", which is not that of the cluster"
		}
	}
	verb := func(one, many string) string {
		if b.Pods == 1 {
			return one
		}
		return many
	}
	text := finding.Plural(b.Pods, "pod") + " of " + context + " "
	switch b.Kind {
	case NoEndpointNetwork:
		return text + verb("has", "have") + " no network for other clusters"
	case NoClientNetwork:
		return text + verb("does", "do") + " not know " + verb("its", "their") + " network"
	case NameUnknown:
		return text + verb("names", "name") + " a cluster ID that istiod does not have for the cluster"
	case NoIstiodService:
		return text + verb("looks", "look") + " for istiod by a Service that does not exist"
	case TwoNetworks:
		return text + verb("is", "are") + " on one network for other clusters and on another for " + verb("itself", "themselves")
	case InjectedElsewhere:
		return text + verb("is", "are") + " injected with network " + b.Network + ", which is not that of the cluster"
	case NobodysNetwork:
		return text + verb("is", "are") + " on network " + b.Network + ", which nothing else is on"
	default: // ForeignNetwork
		return text + verb("is", "are") + " on network " + b.Network + " of other clusters"
	}
}

// noGateway says that a network has none, and what keeps those that are meant from being one.
func (b Blocker) noGateway() string {
	text := "network " + b.Network + " has no gateway"
	if b.Part != "" {
		return text + " that was seen; not read: " + b.Part + " of " + b.PartOf
	}
	var why []string
	for _, m := range b.Meant {
		if len(m.Faults) > 0 {
			why = append(why, m.Faults[0].sentence())
		}
	}
	if len(why) == 0 {
		return text
	}
	return text + ": " + strings.Join(why, "; ")
}

// notWatched is the blocker of a cluster that a control plane does not watch, or no longer.
func notWatched(w Watch, extent Extent) Blocker {
	b := Blocker{
		Kind: NotWatched, Extent: extent, Clusters: []*Cluster{w.From, w.To}, Watch: w,
		Objects: []finding.Object{finding.Named("remote secret for", w.To.Context), finding.Named("cluster", w.To.ID)},
	}
	if w.Status == Stale {
		b.Kind = NotFollowed
	}
	if w.Secret != nil {
		b.Objects = append(b.Objects, finding.In("secret", w.Secret.Namespace, w.Secret.Name))
	}
	return b
}
