package model

import (
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
)

// Member is a mesh that a management plane discovered: the control plane of a cluster.
type Member struct {
	*api.Object
	Plane *Plane
	// ClusterName is the name of the cluster, System the namespace of the control plane, in the words of the plane.
	ClusterName, System string
	// Registration is that of the cluster; nil where there is none.
	Registration *Registration
	// VirtualMeshes are those that list it.
	VirtualMeshes []*VirtualMesh
}

// findMembers finds the meshes that a plane discovered. Those that are not Istio's are left out: Gloo Mesh
// does nothing with them.
func (p *Plane) findMembers() {
	for _, o := range p.Cluster.all(p.Meshes) {
		at := o.Spec.Fields(p.Installation...)
		if at.String("cluster") == "" {
			continue
		}
		m := &Member{Object: o, Plane: p, ClusterName: at.String("cluster"), System: at.String("namespace")}
		m.Registration = p.Registration(m.ClusterName)
		p.Members = append(p.Members, m)
	}
}

// Discovered names the object that stands for the mesh.
func (m *Member) Discovered() finding.Object { return finding.In("mesh", m.Namespace, m.Name) }

// Target is its cluster; nil where that is none of the fleet, or was not reached.
func (m *Member) Target() *Cluster {
	if m.Registration == nil {
		return nil
	}
	return m.Registration.Target
}

// Called is its cluster as people of this fleet call it.
func (m *Member) Called() string {
	if m.Registration == nil {
		return m.ClusterName
	}
	return m.Registration.Called()
}

// Is reports whether two meshes are the same control plane, of which two management planes know.
func (m *Member) Is(other *Member) bool {
	return m == other || m.Target() != nil && m.Target() == other.Target() && m.System == other.System
}

// AgentNamespace is that of the agent that the plane saw in the cluster; "" where it saw none.
func (m *Member) AgentNamespace() string { return m.Spec.String(m.Plane.AgentNamespace...) }

// Applied reports whether the plane says that a VirtualMesh is in effect for the mesh, and in which
// generation.
func (m *Member) Applied(v *VirtualMesh) (generation int64, ok bool) {
	applied := m.Status.Fields("appliedVirtualMesh")
	return applied.Int("observedGeneration"), applied.Ref("ref") == v.Ref()
}

// VirtualMesh groups meshes.
type VirtualMesh struct {
	Written
	Members []*Member
	// Missing are those that it lists and that were not discovered.
	Missing []api.Ref
}

// findVirtualMeshes finds the VirtualMeshes of a plane, and their members.
func (p *Plane) findVirtualMeshes() {
	for _, o := range p.Cluster.all(p.Generation.VirtualMeshes) {
		v := &VirtualMesh{Written: Written{o, p.Generation.VirtualMeshes, p}}
		for _, ref := range v.Spec.Refs("meshes") {
			i := slices.IndexFunc(p.Members, func(m *Member) bool { return m.Ref() == ref })
			if i < 0 {
				v.Missing = append(v.Missing, ref)
				continue
			}
			v.Members = append(v.Members, p.Members[i])
			p.Members[i].VirtualMeshes = append(p.Members[i].VirtualMeshes, v)
		}
		p.VirtualMeshes = append(p.VirtualMeshes, v)
	}
}

// Shares reports whether its meshes are to have a common root.
func (v *VirtualMesh) Shares() bool { return v.Spec.Has("mtlsConfig", "shared") }

// InPods reports whether each istiod has its certificate issued by Vault into its own pod, so that neither the plane has a root nor a
// Secret is written (certificates/agent/translation, ShouldProcess).
func (v *VirtualMesh) InPods() bool {
	return v.Spec.Has("mtlsConfig", "shared", "intermediateCertificateAuthority", "vault")
}

// GivenRoot names the Secret with the root that people gave it; the zero Ref where the plane makes one.
func (v *VirtualMesh) GivenRoot() api.Ref {
	return v.Spec.Ref("mtlsConfig", "shared", "rootCertificateAuthority", "secret")
}

// RootRef names the Secret with the root that signs: the given one, or the one that the plane makes, if there is none
// (mtls_translator.go, getOrCreateGeneratedCaSecret). The zero Ref where another CA signs.
func (v *VirtualMesh) RootRef() api.Ref {
	switch given := v.GivenRoot(); {
	case given.Name != "":
		return given
	case v.Shares() && !v.Spec.Has("mtlsConfig", "shared", "intermediateCertificateAuthority"):
		return api.Ref{Namespace: v.Plane.Installed, Name: v.Name + "." + v.Namespace}
	}
	return api.Ref{}
}

// Root is what is kept of the Secret with the root; nil where there is none.
func (v *VirtualMesh) Root() *corev1.Secret {
	ref, all := v.RootRef(), resources.RootSecrets.Of(v.Plane.Cluster.Cluster).Value
	for i := range all {
		if all[i].Namespace == ref.Namespace && all[i].Name == ref.Name {
			return &all[i]
		}
	}
	return nil
}

// Federates reports whether services of each of its meshes are made known in the others. It takes two. From 1.1 on it also takes a
// selection in the VirtualMesh (applier.go, getFederatedToMeshes).
func (v *VirtualMesh) Federates() bool {
	return v.Groups() && (!v.Plane.Selects() || v.Spec.Has("federation", "permissive") || len(v.Spec.List("federation", "selectors")) > 0)
}

// Groups reports whether it has several meshes.
func (v *VirtualMesh) Groups() bool { return len(v.Spec.Refs("meshes")) > 1 }

// Flat reports whether pods reach one another without gateways.
func (v *VirtualMesh) Flat() bool { return v.Spec.Bool("federation", "flatNetwork") }

// usualSuffix is what they end in unless a VirtualMesh says otherwise.
const usualSuffix = "global"

// Suffix is what the host names of federated services end in.
func (v *VirtualMesh) Suffix() string {
	if s := v.Spec.String("federation", "hostnameSuffix"); s != "" {
		return s
	}
	return usualSuffix
}

// Names reports whether clients of a mesh resolve the names of federated services: with another suffix than the usual
// one, that takes proxies that do it themselves, or the plane writes no ServiceEntry there (federation_translator.go,
// translateForRemoteMesh).
func (v *VirtualMesh) Names(m *Member) bool {
	labels := strings.Split(v.Suffix(), ".")
	path := v.Plane.DNSProxying
	return path == nil || labels[len(labels)-1] == usualSuffix || m.Spec.Bool(path...)
}

// Restarts reports whether istiod and workloads are restarted once a certificate was issued.
func (v *VirtualMesh) Restarts() bool { return v.Spec.Bool("mtlsConfig", "autoRestartPods") }

// Issue is how far the certificate of a member has come, in the member's cluster.
type Issue struct {
	*Member
	VirtualMesh *VirtualMesh
	Cluster     *Cluster
	// Certificate is the IssuedCertificate, Request what the agent made of it, and Bounces what is restarted
	// afterwards; nil where there is none.
	Certificate, Request, Bounces *api.Object
	// Secret is the one that the certificate is for, as far as it is Secret cacerts of the system namespace; nil
	// where that is not there.
	Secret *corev1.Secret
}

// Issues are those of the members of VirtualMeshes with a shared root whose clusters were reached.
func (m *Mesh) Issues() []*Issue {
	var out []*Issue
	for _, p := range m.Planes {
		for _, v := range p.VirtualMeshes {
			for _, member := range v.Members {
				if c := member.Target(); v.Shares() && c != nil && member.VirtualMeshes[0] == v {
					out = append(out, newIssue(v, member, c))
				}
			}
		}
	}
	return out
}

func newIssue(v *VirtualMesh, m *Member, c *Cluster) *Issue {
	i := &Issue{Member: m, VirtualMesh: v, Cluster: c, Secret: resources.CACerts.Of(c.Cluster).Value}
	g := m.Plane.Generation
	for _, o := range c.all(g.IssuedCertificates) {
		if o.Name == m.Name && (m.AgentNamespace() == "" || o.Namespace == m.AgentNamespace()) {
			i.Certificate = o
		}
	}
	if i.Certificate != nil {
		i.Request = c.find(g.Requests, i.Certificate.Namespace, i.Certificate.Name)
		i.Bounces = c.find(g.Bounces, i.Certificate.Namespace, i.Certificate.Name)
	}
	return i
}

// State is that of the certificate; PENDING where there is none.
func (i *Issue) State() string {
	if i.Certificate == nil {
		return string(Pending)
	}
	return string(state(i.Certificate.Status))
}

// slow is how long a certificate may take to be issued: the plane, the agent and the plane again look at it.
const slow = 5 * time.Minute

// InPods reports whether the agent has nothing to do for the certificate: istiod gets it by itself.
func (i *Issue) InPods() bool {
	return i.VirtualMesh.InPods() || i.Certificate != nil && !i.Certificate.Spec.Has("issuedCertificateSecret")
}

// Lost reports whether istiod has the shared root in memory alone: the Secret that it had it of is gone.
func (i *Issue) Lost() bool {
	return i.Secret == nil && resources.CACerts.Of(i.Cluster.Cluster).Known() && !i.InPods() && i.Shared()
}

// Old reports whether an object is there for longer than a certificate takes to be issued.
func (i *Issue) Old(o *api.Object) bool { return i.Cluster.Now().Sub(o.CreationTimestamp.Time) > slow }

// Foreign reports whether the Secret is not the agent's: it does not touch one without its label.
func (i *Issue) Foreign() bool {
	return i.Secret != nil && i.Secret.Labels[i.Plane.AgentLabel()] == ""
}

// keys are those that the agent writes.
var keys = []string{"ca-cert.pem", "ca-key.pem", "cert-chain.pem", "root-cert.pem"}

// FromRoot reports whether the Secret is the one that the VirtualMesh has its root of: the agent of the management
// cluster would replace it.
func (i *Issue) FromRoot() bool {
	ref := i.VirtualMesh.GivenRoot()
	return i.Cluster == i.Plane.Cluster && ref.Name == "cacerts" && ref.Namespace == i.Cluster.SystemNamespace
}

// Lacks are the keys of the Secret that are missing or empty.
func (i *Issue) Lacks() []string {
	if i.Secret == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(keys), func(k string) bool { return len(strings.TrimSpace(string(i.Secret.Data[k]))) > 0 })
}

// RunsOn is the root that istiod has in memory, by what it publishes; false where that is not known. istiod
// keeps the CA that it started with.
func (i *Issue) RunsOn() (pki.Certificate, bool) {
	published := resources.RootCert.Of(i.Cluster.Cluster).Value
	if published == nil {
		return pki.Certificate{}, false
	}
	all := pki.ParseBundle([]byte(published.Data["root-cert.pem"])).Certificates
	if len(all) == 0 {
		return pki.Certificate{}, false
	}
	return all[0], true
}

// Ready counts the pods of istiod that are ready; false where they were not read.
func (i *Issue) Ready() (n int64, known bool) {
	pods := resources.IstiodPods.Of(i.Cluster.Cluster)
	for _, p := range pods.Value {
		if p.IsReady() {
			n++
		}
	}
	return n, pods.Known()
}

// Shared reports whether istiod works with the root of another member: then it once had the certificate
// of its VirtualMesh, and falls back to a root of its own when it starts without it.
func (i *Issue) Shared() bool {
	own, ok := i.RunsOn()
	if !ok {
		return false
	}
	for _, other := range i.VirtualMesh.Members {
		c := other.Target()
		if c == nil || c == i.Cluster {
			continue
		}
		if root, ok := (&Issue{Cluster: c}).RunsOn(); ok && root.SHA256 == own.SHA256 {
			return true
		}
	}
	return false
}
