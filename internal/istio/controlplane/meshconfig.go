package controlplane

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/version"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/config"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// proxyResources is the field by which people mean to size proxies; it is one of the chart's values.
const proxyResources = "defaultConfig.resources"

// unreadFields: the mesh config has fields that no istiod reads. istiod takes the rest of it and is
// silent about them (pkg/util/protomarshal, ApplyJSON).
func unreadFields(p pass) {
	for _, c := range clusters(p) {
		seen := map[string]bool{}
		for _, i := range c.Installations() {
			name := i.Istiod.MeshConfigMap()
			unread := config.UnreadFields(meshConfigOf(c, name))
			if len(unread) == 0 || seen[name] {
				continue
			}
			seen[name] = true
			if !knowsFieldsOf(i) {
				p.NotChecked(c.Context, finding.Because("istiod may be of a release, or of a vendor, that reads further fields of the mesh config"))
				continue
			}
			f := finding.Finding{
				Code: "CP072", Severity: finding.Warning, Clusters: []string{c.Context},
				Object: finding.In("configmap", i.Istiod.Namespace, name),
				Title:  "no istiod reads field " + unread[0] + " of the mesh config",
				Effect: "what it sets has no effect, and istiod is silent about it",
			}
			if len(unread) > 1 {
				f.Title, f.Effect = "the mesh config has fields that no istiod reads", "what they set has no effect, and istiod is silent about it"
			}
			for _, field := range unread {
				value := "no field of a mesh config"
				if meant := meantBy(field); meant != "" {
					value += "; there is " + meant
				}
				f.Evidence = append(f.Evidence, finding.Evidence{Field: field, Value: value})
			}
			if slices.Contains(unread, proxyResources) {
				f.Fix = append(f.Fix, finding.Say(
					"Set the resources of proxies in global.proxy.resources of the values of istiod's installation, or by the annotations "+
						"sidecar.istio.io/proxyCPU and sidecar.istio.io/proxyMemory of pods."))
			}
			f.Fix = append(f.Fix, finding.Say(
				"Correct or remove them where the ConfigMap comes from: meshConfig, in the values of istiod's installation. "+
					"This opens the ConfigMap itself:").
				By(remedy.EditMeshConfig(c.Context, i.Istiod)))
			p.Report(f)
		}
	}
}

// meshConfigOf is the mesh config in a ConfigMap of the system namespace.
func meshConfigOf(c *model.Cluster, name string) string {
	for _, m := range resources.MeshConfigs.Of(c.Cluster).Value {
		if m.Name == name {
			return m.Data[istio.MeshConfigKey]
		}
	}
	return ""
}

// builds are what may follow the release in the tag of an image of Istio itself.
var builds = []string{"", "distroless", "debug"}

// knowsFieldsOf reports whether all fields that an istiod reads are known: it is of a release of Istio
// that is no newer than those that are known, and no build of a vendor.
func knowsFieldsOf(i model.Installation) bool {
	v, newest := i.Istiod.Version, version.MustParseGeneric(config.KnownFieldsUntil)
	if v == nil || v.Major() != newest.Major() || v.Minor() > newest.Minor() {
		return false
	}
	for _, container := range i.Deployment.Spec.Template.Spec.Containers {
		if container.Name != istio.DiscoveryContainer {
			continue
		}
		image, _, _ := strings.Cut(container.Image, "@")
		tag := image[strings.LastIndex(image, ":")+1:]
		_, build, _ := strings.Cut(tag, "-")
		return slices.Contains(builds, build)
	}
	return true
}

// meantBy is the field of a mesh config that one that does not exist may be meant to be: the same in
// other letters, or in the other of the two messages; "" for none.
func meantBy(field string) string {
	name, ofProxies := strings.CutPrefix(field, "defaultConfig.")
	same := func(known string) bool { return strings.EqualFold(known, strings.ReplaceAll(name, "_", "")) }
	mesh, proxy := config.MeshFields(), config.ProxyFields()
	inMesh, inProxy := slices.IndexFunc(mesh, same), slices.IndexFunc(proxy, same)
	switch {
	case inProxy >= 0 && (ofProxies || inMesh < 0):
		return "defaultConfig." + proxy[inProxy]
	case inMesh >= 0:
		return mesh[inMesh]
	}
	return ""
}
