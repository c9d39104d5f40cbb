package istio

import (
	"cmp"
	"net"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/owner"
)

// Issuer is who signs the certificates of a cluster's workloads, where it is not istiod
// with a CA of its own.
type Issuer struct {
	Kind IssuerKind
	// Name is for people: the address of the CA, the driver of the volume, the variable of
	// istiod; "" where istiod signs.
	Name string
}

// IssuerKind is how workloads come to their certificates.
type IssuerKind string

// The kinds.
const (
	// IssuerIstiod: istiod signs with the CA that it has.
	IssuerIstiod IssuerKind = ""
	// IssuerBehindIstiod: istiod passes requests on, to a signer of Kubernetes or a CA behind
	// its API (pilot/pkg/bootstrap/istio_ca.go, createIstioRA).
	IssuerBehindIstiod IssuerKind = "behind istiod"
	// IssuerNotIstiod: istiod's CA is switched off, and who signs is not known.
	IssuerNotIstiod IssuerKind = "not istiod"
	// IssuerIstioCSR: istio-csr signs, with an issuer of cert-manager.
	IssuerIstioCSR IssuerKind = "istio-csr"
	// IssuerAddress: agents ask a CA at another address than istiod's.
	IssuerAddress IssuerKind = "address"
	// IssuerWorkload: certificates and roots come with the pod: by a SPIFFE Workload API,
	// as SPIRE's, or mounted (pkg/istio-agent/agent.go, initSdsServer).
	IssuerWorkload IssuerKind = "workload"
)

// Istiod reports whether istiod signs with the CA that it has.
func (i Issuer) Istiod() bool { return i.Kind == IssuerIstiod }

// PublishesRoots reports whether ConfigMap istio-ca-root-cert has the roots of the
// certificates: istiod writes there what its CA is, and istio-csr what its issuer is. The
// roots of others come with the certificates, and are in no object.
func (i Issuer) PublishesRoots() bool { return i.Kind != IssuerAddress && i.Kind != IssuerWorkload }

// IssuerOf says who signs the certificates of a cluster's workloads: by the settings of
// its control planes and mesh configs, and by what most of its proxies have.
func IssuerOf(c *facts.Cluster) Issuer {
	istiods := Istiods(c)
	if by := issuerOfProxies(c); !by.Istiod() {
		return by
	}
	meshes, _ := MeshConfigs(c)
	for _, mesh := range meshes {
		if by := issuerAt(mesh.DefaultConfig.ProxyMetadata); !by.Istiod() {
			return by
		}
	}
	for _, i := range istiods {
		switch {
		case i.Env(EnvExternalCA) != "":
			return Issuer{IssuerBehindIstiod, i.Env(EnvExternalCA)}
		case i.Env(EnvKubernetesSigner) != "":
			return Issuer{IssuerBehindIstiod, i.Env(EnvKubernetesSigner)}
		case !i.Setting(EnvEnableCAServer, true):
			if root := resources.RootCert.Of(c); root.State == facts.OK && root.Value != nil &&
				owner.Of(&root.Value.ObjectMeta).Tool == owner.IstioCSR {
				return Issuer{IssuerIstioCSR, "istio-csr"}
			}
			return Issuer{IssuerNotIstiod, EnvEnableCAServer + "=false"}
		}
	}
	return Issuer{}
}

// issuerOfProxies goes by the proxies of a cluster: by those of the sample, or by all pods.
// A mesh that is being moved has both: the larger part decides.
func issuerOfProxies(c *facts.Cluster) Issuer {
	pods := resources.Proxies.Of(c)
	if pods.State != facts.OK {
		pods = resources.Pods.Of(c)
	}
	counts, all := map[Issuer]int{}, 0
	for i := range pods.Value {
		p := &pods.Value[i]
		if !HasProxy(p) {
			continue
		}
		all++
		counts[issuerOfProxy(p)]++
	}
	for by, n := range counts {
		if 2*n > all {
			return by
		}
	}
	return Issuer{}
}

// issuerOfProxy goes by the volumes that replace the empty ones of the injector, and by
// the address of the CA.
func issuerOfProxy(p *facts.Pod) Issuer {
	for _, v := range p.Volumes {
		if v.Name == WorkloadSocket || v.Name == WorkloadCerts {
			return Issuer{IssuerWorkload, cmp.Or(v.Driver, "volume "+v.Name)}
		}
	}
	return issuerAt(ProxyEnvOf(p))
}

// issuerAt goes by the variables of an agent. istiod is asked at its own port, or by a
// name that begins with its own.
func issuerAt(env map[string]string) Issuer {
	if provider := env[EnvCAProvider]; provider != "" && provider != "Citadel" {
		return Issuer{IssuerAddress, cmp.Or(env[EnvCAAddress], provider)}
	}
	address := env[EnvCAAddress]
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	switch {
	case address == "", strings.HasPrefix(host, "istiod"), port == "15012":
		return Issuer{}
	case strings.Contains(host, "istio-csr"):
		return Issuer{IssuerIstioCSR, address}
	}
	return Issuer{IssuerAddress, address}
}

// CSRSigner is one installation of istio-csr.
type CSRSigner struct {
	Namespace, Name string
	// ClusterID is the only cluster for whose workloads it signs, and TrustDomain theirs
	// (cert-manager/istio-csr, cmd/app/options).
	ClusterID, TrustDomain string
	// PinsRoot: the root that it publishes is given to it, and not what its issuer answers.
	PinsRoot bool
	// Owner is who writes the Deployment.
	Owner owner.Owner
}

// SignersByCSR are the installations of istio-csr in a cluster.
func SignersByCSR(c *facts.Cluster) []CSRSigner {
	var out []CSRSigner
	for i := range resources.IstioCSRs.Of(c).Value {
		d := &resources.IstioCSRs.Of(c).Value[i]
		args := argumentsOf(d, IstioCSRName)
		out = append(out, CSRSigner{
			Namespace: d.Namespace, Name: d.Name, Owner: owner.Of(&d.ObjectMeta),
			ClusterID: cmp.Or(args[ArgClusterID], DefaultClusterID), TrustDomain: cmp.Or(args[ArgTrustDomain], DefaultTrustDomain),
			PinsRoot: args[ArgRootCAFile] != "",
		})
	}
	return out
}

// argumentsOf are the flags of a container that were kept, with their values.
func argumentsOf(d *appsv1.Deployment, container string) map[string]string {
	out := map[string]string{}
	for _, c := range d.Spec.Template.Spec.Containers {
		if c.Name != container {
			continue
		}
		for i, arg := range c.Args {
			if name, value, ok := strings.Cut(arg, "="); ok {
				out[name] = value
			} else if i+1 < len(c.Args) && strings.HasPrefix(arg, "--") {
				out[arg] = c.Args[i+1]
			}
		}
	}
	return out
}

// ProxyClusterIDs are the cluster IDs that the proxies of a cluster have, each once, sorted.
func ProxyClusterIDs(c *facts.Cluster) []string {
	pods := resources.Proxies.Of(c)
	if pods.State != facts.OK {
		pods = resources.Pods.Of(c)
	}
	var out []string
	for i := range pods.Value {
		if id := ProxyEnvOf(&pods.Value[i])[EnvProxyClusterID]; id != "" && HasProxy(&pods.Value[i]) {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
