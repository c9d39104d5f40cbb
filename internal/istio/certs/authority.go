// Package certs holds the rules behind mesh-certs: whether the workloads of
// one cluster trust those of another, and whether each cluster's certificate
// authority is what it seems to be. Everything in it is pure.
package certs

import (
	"slices"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// Mode says where a cluster's workloads get their certificates from.
type Mode string

// The modes of a cluster's certificate authority.
const (
	// PluggedIn: istiod signs with the CA in Secret cacerts.
	PluggedIn Mode = "plugged-in"
	// SelfSigned: istiod signs with a root that it made itself.
	SelfSigned Mode = "self-signed"
	// External: something other than istiod signs (istio-csr, a Kubernetes signer, SPIRE).
	External Mode = "external"
	// Remote: no istiod here; the control plane of another cluster signs.
	Remote Mode = "remote"
	// NoCA: istiod runs here, and there is no Secret with a CA.
	NoCA Mode = "none"
	// Hosting: the control planes that run here are those of other clusters, whose CAs are there.
	Hosting Mode = "hosting"
	// UnknownMode: what is needed to tell could not be read.
	UnknownMode Mode = "unknown"
)

// authority is what is known of the CA of one cluster: where workloads get their
// certificates from, and which roots they trust.
type authority struct {
	*facts.Cluster
	now     time.Time
	istiods []istio.Istiod
	// issuer is who signs, where that is not istiod with the CA of the Secrets.
	issuer  istio.Issuer
	mode    Mode
	modeWhy finding.Reason // why the mode is unknown

	meshes   []istio.MeshConfig
	meshErrs []error

	ca   *bundle // Secret cacerts; nil when there is none or it is not known
	self *bundle // Secret istio-ca-secret; likewise

	// published are the roots of ConfigMap istio-ca-root-cert: byte for byte
	// what istiod has in memory.
	published      pki.Bundle
	publishedKnown bool
}

func newAuthority(fleet *facts.Fleet, at int) *authority {
	c := withoutGaps(&fleet.Clusters[at])
	a := &authority{Cluster: c, now: fleet.At, istiods: istio.Istiods(c), issuer: istio.IssuerOf(c)}
	a.meshes, a.meshErrs = istio.MeshConfigs(c)
	if resources.CACerts.Of(c).State == facts.OK {
		a.ca = readBundle(resources.CACerts.Of(c).Value)
	}
	if resources.CASecret.Of(c).State == facts.OK {
		a.self = readSelfSigned(resources.CASecret.Of(c).Value)
	}
	if resources.RootCert.Of(c).State == facts.OK {
		a.published = pki.ParseBundle([]byte(resources.RootCert.Of(c).Value.Data[istio.RootCertKey]))
		a.publishedKnown = true
	}
	if a.mode, a.modeWhy = a.findMode(); hosts(fleet, at, a.istiods) {
		a.mode, a.modeWhy = Hosting, finding.Reason{}
	}
	return a
}

// hosts reports whether all control planes of a cluster take other clusters for their own:
// their CAs, ConfigMaps and workloads are there. One that says that it is external, and has
// the ID of another cluster of the fleet, is that one's.
func hosts(fleet *facts.Fleet, at int, istiods []istio.Istiod) bool {
	c := &fleet.Clusters[at]
	if c.Unreached != nil || len(istiods) == 0 {
		return false
	}
	return !slices.ContainsFunc(istiods, func(i istio.Istiod) bool {
		if i.IsExternal(c) && istio.ConfigCluster(fleet, at, i) != at {
			return false
		}
		return !i.On(istio.EnvExternalIstiod) || !slices.ContainsFunc(fleet.Clusters, func(o facts.Cluster) bool {
			return o.Context != c.Context && len(istio.Istiods(&o)) == 0 && istio.ClusterID(&o) == i.ClusterID()
		})
	})
}

// authoritiesOf are the CAs of all clusters of a fleet, in its order.
func authoritiesOf(fleet *facts.Fleet) []*authority {
	out := make([]*authority, len(fleet.Clusters))
	for i := range fleet.Clusters {
		out[i] = newAuthority(fleet, i)
	}
	return out
}

// withoutGaps is the cluster with every object that was read, and is not there, taken
// for one that could not be read: the index of a dump can name a file that is missing.
func withoutGaps(c *facts.Cluster) *facts.Cluster {
	out := *c
	resources.CACerts.Set(&out, orMissing(resources.CACerts.Of(c)))
	resources.CASecret.Set(&out, orMissing(resources.CASecret.Of(c)))
	resources.RootCert.Set(&out, orMissing(resources.RootCert.Of(c)))
	resources.ReaderAccess.Set(&out, orMissing(resources.ReaderAccess.Of(c)))
	return &out
}

func orMissing[T any](r facts.Read[*T]) facts.Read[*T] {
	if r.State == facts.OK && r.Value == nil {
		return facts.Read[*T]{State: facts.Failed, Reason: "the file is missing"}
	}
	return r
}

// unclear reports whether there is a reason for which something is not known.
func unclear(why finding.Reason) bool { return why != finding.Reason{} }

// findMode mirrors the order in which istiod decides (pilot/pkg/bootstrap/istio_ca.go,
// createIstioCA and pilot/pkg/bootstrap/server.go, maybeCreateCA).
func (a *authority) findMode() (Mode, finding.Reason) {
	if a.Unreached != nil {
		return UnknownMode, finding.ClusterUnreached
	}
	if why, lacks := rule.Lack("deployments", resources.Istiods.Of(a.Cluster)); lacks {
		return UnknownMode, why
	}
	switch {
	case !a.issuer.Istiod():
		return External, finding.Reason{}
	case len(a.istiods) == 0:
		return Remote, finding.Reason{}
	}
	for _, i := range a.istiods {
		if i.MountsCACerts && i.CACertsVolume != istio.CACertsSecret {
			return UnknownMode, finding.Because("deployment " + i.Name + " does not mount secret cacerts as its CA")
		}
		if name := i.Env(istio.EnvRootCertConfigMap); name != "" && name != istio.RootCertConfigMap {
			return UnknownMode, finding.Because("deployment " + i.Name + " publishes its root in configmap " + name)
		}
	}
	if why, lacks := rule.Lack("secret cacerts", resources.CACerts.Of(a.Cluster)); lacks {
		return UnknownMode, why
	}
	if a.ca != nil {
		// Without the variable a Secret that istiod once made is one like any other.
		if a.generated() && slices.ContainsFunc(a.istiods, func(i istio.Istiod) bool { return i.On(istio.EnvCACertsSelfSigned) }) {
			return SelfSigned, finding.Reason{}
		}
		return PluggedIn, finding.Reason{}
	}
	if a.self != nil {
		if why, lacks := rule.Lacks(a.Cluster, resources.Proxies); lacks && !resources.Pods.Of(a.Cluster).Known() &&
			resources.Proxies.Of(a.Cluster).State != facts.NotAsked {
			return UnknownMode, why // they tell whether something else signs
		}
		return SelfSigned, finding.Reason{}
	}
	if why, lacks := rule.Lack("secret istio-ca-secret", resources.CASecret.Of(a.Cluster)); lacks {
		return UnknownMode, why
	}
	return NoCA, finding.Reason{}
}

// generated reports whether Secret cacerts was made by istiod for itself.
func (a *authority) generated() bool {
	return a.ca != nil && a.ca.has(keyIstioGenerated)
}

// current is the CA that the Secrets give istiod, by its mode; nil when there
// is none, or it is not istiod that signs.
func (a *authority) current() *bundle {
	switch {
	case a.mode == PluggedIn:
		return a.ca
	case a.mode == SelfSigned && a.self != nil:
		// istiod takes istio-ca-secret before a cacerts that it made.
		return a.self
	case a.mode == SelfSigned:
		return readSelfSigned(a.ca.secret)
	default:
		return nil
	}
}

// roots are the certificates that the cluster's workloads trust: what istiod
// publishes, and with multi-root trust the mesh config's caCertificates.
// Where nothing is published, the Secret says what istiod would publish. why
// is set when the roots cannot be known.
func (a *authority) roots() (roots []pki.Certificate, source string, why finding.Reason) {
	switch {
	case a.Unreached != nil:
		return nil, "", finding.Reason{Kind: finding.Unreached, Text: "not reached"}
	case !a.issuer.PublishesRoots():
		return nil, "", finding.Because("certificates and roots of its workloads come from " + a.issuer.Name + ", and not from istiod")
	case a.publishedKnown:
		roots, source = a.handedOut(a.published.Certificates), "configmap "+istio.RootCertConfigMap
	case resources.RootCert.Of(a.Cluster).State == facts.Absent && a.ca != nil:
		roots, source = a.ca.root.Certificates, "secret "+istio.CACertsSecret
	case resources.RootCert.Of(a.Cluster).State == facts.Absent && a.self != nil:
		roots, source = a.self.root.Certificates, "secret "+istio.CASecret
	case resources.RootCert.Of(a.Cluster).State == facts.Absent:
		return nil, "", finding.Reason{}
	default:
		return nil, "", a.rootCertUnread()
	}
	for _, mesh := range a.meshes {
		anchors := a.anchorsInEffect(mesh)
		for _, anchor := range anchors {
			roots = append(roots[:len(roots):len(roots)], pki.ParseBundle([]byte(anchor.PEM)).Certificates...)
		}
		if len(anchors) > 0 {
			source += " and caCertificates of configmap " + mesh.ConfigMap
		}
	}
	return pki.Unique(roots), source, finding.Reason{}
}

// rootCertUnread is the reason where ConfigMap istio-ca-root-cert could not be read.
func (a *authority) rootCertUnread() finding.Reason {
	return rule.Unread("configmap "+istio.RootCertConfigMap, resources.RootCert.Of(a.Cluster).State, resources.RootCert.Of(a.Cluster).Why())
}

// anchorsInEffect are the caCertificates of a mesh config, where workloads take them.
func (a *authority) anchorsInEffect(mesh istio.MeshConfig) []istio.CACertificate {
	anchors := furtherRoots(mesh)
	if len(anchors) == 0 || len(a.inert(mesh, anchors)) > 0 || a.onlyAmbient() {
		return nil
	}
	return anchors
}

// rootless reports whether the cluster is known to give its workloads no root.
func (a *authority) rootless() bool {
	roots, _, why := a.roots()
	return !unclear(why) && len(roots) == 0
}

// trusted are the roots, where it does not matter where they come from.
func (a *authority) trusted() []pki.Certificate {
	roots, _, _ := a.roots()
	return roots
}

// serves reports whether the Secret's CA is the one that istiod runs on: what
// it publishes is that CA's root.
func (a *authority) serves(b *bundle) bool {
	return b != nil && a.publishedKnown && sameSet(b.root.Certificates, a.published.Certificates)
}

// publishedText is the published root as it is written; nil where there is none.
func (a *authority) publishedText() []byte {
	if !a.publishedKnown {
		return nil
	}
	return []byte(resources.RootCert.Of(a.Cluster).Value.Data[istio.RootCertKey])
}

// ends are the roots to which paths lead: not those that were issued by another one of
// them. A bundle can hold an intermediate beside its root, as Vault's issuers make it.
func ends(roots []pki.Certificate) []pki.Certificate {
	return slices.DeleteFunc(slices.Clone(roots), func(c pki.Certificate) bool { return issuedWithin(c, roots) })
}

// issuedWithin reports whether a certificate is issued by another one of a bundle.
func issuedWithin(c pki.Certificate, bundle []pki.Certificate) bool {
	return !c.SelfSigned() && slices.ContainsFunc(issuersByName(c, bundle), func(issuer pki.Certificate) bool { return signedBy(c, issuer) })
}

// sameSet reports whether two lists hold the same certificates, whatever their
// order and number.
func sameSet(a, b []pki.Certificate) bool {
	return slices.Equal(fingerprints(a), fingerprints(b))
}

// fingerprints are sorted and without duplicates.
func fingerprints(certs []pki.Certificate) []string {
	out := make([]string, len(certs))
	for i, c := range certs {
		out[i] = c.SHA256
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// holds reports whether one of the certificates speaks for the same CA as c.
func holds(certs []pki.Certificate, c pki.Certificate) bool {
	return slices.ContainsFunc(certs, func(other pki.Certificate) bool { return sameAuthority(other, c) })
}
