// Package istio says what istiod makes of the facts: how it is installed, how
// it is configured, and what follows from that. Everything in it is pure.
package istio

import (
	"cmp"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/version"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/owner"
)

// Istiod is one control plane of a cluster: one Deployment, one revision.
type Istiod struct {
	Namespace, Name string
	// Owner is who writes the Deployment.
	Owner owner.Owner
	// Revision is "default" where none was chosen.
	Revision string
	// Version is that of the image; nil when neither the image's tag nor the
	// label says it.
	Version *version.Version
	// CACertsVolume is the name of the Secret that is mounted as the plugged-in
	// CA: "cacerts", unless the installation was changed; "" when it is no Secret.
	CACertsVolume string
	// MountsCACerts: there is a volume for the plugged-in CA, and CACertsPath is where it is
	// mounted; "" where that is not known.
	MountsCACerts bool
	CACertsPath   string
	// CAFromRootCert: the CA of the certificate that istiod is given, if it is given one, is that
	// of ConfigMap istio-ca-root-cert; CAElsewhere: it is from somewhere else.
	CAFromRootCert, CAElsewhere bool
	// ScaledDown: it is to have no pods.
	ScaledDown bool
	// Aliases are further names of clusters, each with the ID that istiod has for it.
	Aliases map[string]string
	env     map[string]string
}

// Istiods returns the control planes of the cluster's system namespace.
func Istiods(c *facts.Cluster) []Istiod {
	return istiodsWhere(c, func(namespace string) bool { return namespace == c.SystemNamespace })
}

// OtherIstiods are the control planes of other namespaces than the system namespace, where
// they could be read. They belong to other meshes, or to other clusters.
func OtherIstiods(c *facts.Cluster) []Istiod {
	return istiodsWhere(c, func(namespace string) bool { return namespace != c.SystemNamespace })
}

func istiodsWhere(c *facts.Cluster, ok func(namespace string) bool) []Istiod {
	var out []Istiod
	for _, d := range resources.Istiods.Of(c).Value {
		if !ok(d.Namespace) {
			continue
		}
		i := Istiod{
			Namespace: d.Namespace, Name: d.Name, env: map[string]string{}, CACertsVolume: CACertsSecret,
			ScaledDown: d.Spec.Replicas != nil && *d.Spec.Replicas == 0, Owner: owner.Of(&d.ObjectMeta),
		}
		roots := "" // the volume with the published roots
		for _, v := range d.Spec.Template.Spec.Volumes {
			if v.ConfigMap != nil && v.ConfigMap.Name == RootCertConfigMap {
				roots = v.Name
			}
		}
		for _, container := range d.Spec.Template.Spec.Containers {
			if container.Name != DiscoveryContainer {
				continue
			}
			for _, e := range container.Env {
				i.env[e.Name] = e.Value
			}
			i.Version = imageVersion(container.Image)
			i.Aliases = aliases(container.Args)
			file := argumentsOf(&d, DiscoveryContainer)[ArgCACertFile]
			for _, m := range container.VolumeMounts {
				if m.Name == caCertsVolume {
					i.CACertsPath = m.MountPath
				}
				i.CAFromRootCert = i.CAFromRootCert || m.Name == roots && file != "" && strings.HasPrefix(file, m.MountPath+"/")
			}
			// Where it is not known what is mounted, the usual way of istio-csr is taken.
			i.CAFromRootCert = i.CAFromRootCert || len(container.VolumeMounts) == 0 && roots != "" && file != ""
			i.CAElsewhere = file != "" && !i.CAFromRootCert
		}
		if i.Version == nil {
			i.Version = parseVersion(d.Labels[versionLabel])
		}
		i.Revision = cmp.Or(i.env[EnvRevision], d.Labels[LabelRevision], DefaultRevision)
		for _, v := range d.Spec.Template.Spec.Volumes {
			if v.Name == caCertsVolume {
				i.CACertsVolume, i.MountsCACerts = "", true
				if v.Secret != nil {
					i.CACertsVolume = v.Secret.SecretName
				}
			}
		}
		out = append(out, i)
	}
	return out
}

func aliases(args []string) map[string]string {
	out := map[string]string{}
	for i, arg := range args {
		text, ok := strings.CutPrefix(arg, ArgClusterAliases+"=")
		if arg == ArgClusterAliases && i+1 < len(args) {
			text, ok = args[i+1], true
		}
		if !ok {
			continue
		}
		for pair := range strings.SplitSeq(text, ",") {
			if alias, id, ok := strings.Cut(pair, "="); ok {
				out[alias] = id
			}
		}
	}
	return out
}

// Env returns the value of one of DiscoveryEnv, "" when it is not set.
func (i Istiod) Env(name string) string { return i.env[name] }

// On reports whether a boolean variable is set to true, as Go's strconv (and
// so istiod's pkg/env) reads it.
func (i Istiod) On(name string) bool { return isTrue(i.env[name]) }

// Setting is On for a variable that has another default than false: a value that
// is no boolean counts as none.
func (i Istiod) Setting(name string, otherwise bool) bool {
	if on, err := strconv.ParseBool(i.env[name]); err == nil {
		return on
	}
	return otherwise
}

// AtLeast reports whether the version is known to be v or later.
func (i Istiod) AtLeast(v string) bool {
	return i.Version != nil && i.Version.AtLeast(parsedVersion(v))
}

// Before reports whether the version is known to be earlier than v.
func (i Istiod) Before(v string) bool {
	return i.Version != nil && !i.Version.AtLeast(parsedVersion(v))
}

var parsedVersions sync.Map // by text: it is asked for each endpoint

func parsedVersion(v string) *version.Version {
	if known, ok := parsedVersions.Load(v); ok {
		return known.(*version.Version)
	}
	parsed := version.MustParseGeneric(v)
	parsedVersions.Store(v, parsed)
	return parsed
}

// ClusterID is the name that istiod has for its own cluster
// (pilot/pkg/bootstrap/server.go, getClusterID).
func (i Istiod) ClusterID() string { return cmp.Or(i.env[EnvClusterID], DefaultClusterID) }

// MeshConfigMap is the name of the ConfigMap with this revision's mesh config.
func (i Istiod) MeshConfigMap() string { return MeshConfigMapOf(i.Revision) }

// MeshConfigMapOf is the name of the ConfigMap with a revision's mesh config
// (pilot/pkg/serviceregistry/kube/controller/multicluster.go, getMeshConfigMapName).
func MeshConfigMapOf(revision string) string {
	if revision == "" || revision == DefaultRevision {
		return MeshConfigMap
	}
	return MeshConfigMap + "-" + revision
}

// HasControlPlane reports whether istiod runs in the cluster's system
// namespace; known is false when that could not be read.
func HasControlPlane(c *facts.Cluster) (has, known bool) {
	if !resources.Istiods.Of(c).Known() {
		return false, false
	}
	return len(Istiods(c)) > 0, true
}

// ClusterID is the name that the mesh has for the cluster, "" when nothing says
// it. An external control plane has the name of the cluster that it configures, and not
// of the one in which it runs. A cluster without istiod is named by the path of its
// injection webhook, /inject/cluster/ID/net/NETWORK (pkg/kube/inject/webhook.go).
func ClusterID(c *facts.Cluster) string {
	for _, i := range Istiods(c) {
		if !i.IsExternal(c) {
			return i.ClusterID()
		}
	}
	for _, path := range InjectionPaths(c) {
		if id := InjectedCluster(path); id != "" {
			return id
		}
	}
	return ""
}

// InjectionPaths are the paths at which the injection webhooks of a cluster are called,
// "" for one without.
func InjectionPaths(c *facts.Cluster) []string {
	var out []string
	for _, configuration := range resources.Webhooks.Of(c).Value {
		for _, w := range configuration.Webhooks {
			path := ""
			if w.ClientConfig.URL != nil {
				if u, err := url.Parse(*w.ClientConfig.URL); err == nil {
					path = u.Path
				}
			} else if w.ClientConfig.Service != nil && w.ClientConfig.Service.Path != nil {
				path = *w.ClientConfig.Service.Path
			}
			out = append(out, path)
		}
	}
	return out
}

// InjectedCluster is the cluster ID in the path of an injection webhook; "" where it
// names none.
func InjectedCluster(path string) string { return injected(path, EnvProxyClusterID) }

// InjectedNetwork is the network in the path of an injection webhook; "" where it names
// none.
func InjectedNetwork(path string) string { return injected(path, EnvProxyNetwork) }

// injected is the value that the path of an injection webhook gives to a variable of the
// proxies. After "inject" come names and values in turn, in which a slash is written
// --slash--, or in the old way :ENV:NAME=VALUE, each (pkg/kube/inject/webhook.go,
// parseInjectEnvs).
func injected(path, variable string) string {
	names := func(k string) bool {
		switch k {
		case "cluster":
			return variable == EnvProxyClusterID
		case "net":
			return variable == EnvProxyNetwork
		}
		return strings.ToUpper(k) == variable
	}
	_, rest, _ := strings.Cut(strings.TrimPrefix(strings.TrimSuffix(path, "/"), "/"), "/")
	if rest, ok := strings.CutPrefix(rest, ":ENV:"); ok {
		value := ""
		for pair := range strings.SplitSeq(rest, ":ENV:") {
			if k, v, ok := strings.Cut(pair, "="); ok && names(k) {
				value = v
			}
		}
		return value
	}
	value, parts := "", strings.Split(rest, "/")
	for i := 0; i+1 < len(parts); i += 2 {
		if names(parts[i]) {
			value = strings.ReplaceAll(parts[i+1], "--slash--", "/")
		}
	}
	return value
}

// OldestStart is when the longest running istiod pod of the cluster started;
// zero when none is known.
func OldestStart(c *facts.Cluster) time.Time {
	var oldest time.Time
	for _, p := range istiodPods(c) {
		start := containerStart(p)
		if !start.IsZero() && (oldest.IsZero() || start.Before(oldest)) {
			oldest = start
		}
	}
	return oldest
}

// LatestStart is when the youngest istiod pod of the cluster started; zero when none is known.
func LatestStart(c *facts.Cluster) time.Time {
	var latest time.Time
	for _, p := range istiodPods(c) {
		if start := containerStart(p); start.After(latest) {
			latest = start
		}
	}
	return latest
}

// istiodPods are the pods of istiod: those that were read for themselves, else among all pods.
func istiodPods(c *facts.Cluster) []*facts.Pod {
	var out []*facts.Pod
	if own := resources.IstiodPods.Of(c); own.State == facts.OK {
		for i := range own.Value {
			out = append(out, &own.Value[i])
		}
		return out
	}
	for i := range resources.Pods.Of(c).Value {
		if p := &resources.Pods.Of(c).Value[i]; p.Namespace == c.SystemNamespace && p.Labels["app"] == "istiod" {
			out = append(out, p)
		}
	}
	return out
}

// containerStart is when the discovery container last started: a restart of the
// container reads the CA anew just as a new pod does.
func containerStart(p *facts.Pod) time.Time {
	for _, s := range p.Statuses {
		if s.Name == DiscoveryContainer && !s.Started.IsZero() {
			return s.Started
		}
	}
	return p.Started
}

// ImageVersion is the version in an image's tag, e.g. registry/pilot:1.29.1-distroless@sha256:…;
// nil where it says none.
func ImageVersion(image string) *version.Version { return imageVersion(image) }

// ParseVersion is a version without what follows its numbers; nil for what is none.
func ParseVersion(s string) *version.Version { return parseVersion(s) }

func imageVersion(image string) *version.Version {
	image, _, _ = strings.Cut(image, "@")
	colon := strings.LastIndex(image, ":")
	if colon < 0 || strings.Contains(image[colon:], "/") {
		return nil
	}
	return parseVersion(image[colon+1:])
}

func parseVersion(s string) *version.Version {
	s, _, _ = strings.Cut(s, "-")
	v, err := version.ParseGeneric(s)
	if err != nil {
		return nil
	}
	return v
}

// ProxyEnvOf returns those of ProxyEnv that a pod's sidecar has. A native
// sidecar is an init container.
func ProxyEnvOf(p *facts.Pod) map[string]string {
	env := map[string]string{}
	if proxy := p.Container(ProxyContainer); proxy != nil {
		for _, e := range proxy.Env {
			env[e.Name] = e.Value
		}
	}
	return env
}

// WantsProxies reports whether the cluster's sidecars have to be looked at:
// where they have to take further roots, and the mesh config does not say so for all.
func WantsProxies(c *facts.Cluster) bool {
	meshes, _ := MeshConfigs(c)
	for _, m := range meshes {
		if len(m.CACertificates) > 0 && !TakesAnchors(m.DefaultConfig.ProxyMetadata) {
			return true
		}
	}
	return false
}
