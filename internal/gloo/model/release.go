package model

import (
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/resources"
)

// Tag is the tag of the image of a Deployment; "" where it has none.
func Tag(d *appsv1.Deployment) string {
	if d == nil {
		return ""
	}
	containers := d.Spec.Template.Spec.Containers
	for i := range containers {
		if containers[i].Name != d.Labels["app"] && len(containers) > 1 {
			continue
		}
		image, _, _ := strings.Cut(containers[i].Image, "@")
		if at := strings.LastIndex(image, ":"); at > strings.LastIndex(image, "/") {
			return image[at+1:]
		}
	}
	return ""
}

// Minor is the minor version of a release, as 1.0 of v1.0.9; "" for a tag that is of no release.
func Minor(tag string) string {
	parts := strings.SplitN(strings.TrimPrefix(tag, "v"), ".", 3)
	if len(parts) < 3 || !isNumber(parts[0]) || !isNumber(parts[1]) {
		return ""
	}
	return parts[0] + "." + parts[1]
}

func isNumber(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// NamesPorts reports whether the plane takes gateways whose target port has a name: from 1.1 on.
func (p *Plane) NamesPorts() bool { return p.minor() == "" || p.Selects() }

// Selects reports whether the plane is known to select gateways and what is federated by what a VirtualMesh says: from 1.1 on. Up
// to 1.0 it federates all services of a mesh by the first gateway that it finds in the namespace of istiod.
func (p *Plane) Selects() bool {
	minor := p.minor()
	return strings.HasPrefix(minor, "1.") && minor != "1.0" ||
		slices.ContainsFunc(p.Members, func(m *Member) bool { return m.Status.Has("appliedEastWestIngressGateways") })
}

// minor is the minor version of the plane; "" where its image does not say it.
func (p *Plane) minor() string { return Minor(Tag(p.Main().Deployment)) }

// Unsaid reports whether no status says what is federated: up to 0.11 (mesh/federation/federation_translator.go).
func (p *Plane) Unsaid() bool {
	return p.Generation == resources.Generations[0] || slices.Contains([]string{"0.10", "0.11"}, p.minor())
}

// Rewrites reports whether gateways know federated services by an EnvoyFilter that the plane writes: it cuts the name of
// the cluster off the name by which others ask. From 1.0.7 on there are ServiceEntries for that
// (federation_translator.go, buildTcpRewritePatch).
func (p *Plane) Rewrites() bool {
	if p.Generation == resources.Generations[0] {
		return true
	}
	parts := strings.SplitN(strings.TrimPrefix(Tag(p.Main().Deployment), "v"), ".", 3)
	switch Minor(strings.Join(parts, ".")) {
	case "0.10", "0.11", "0.12":
		return true
	case "1.0":
		return len(parts[2]) == 1 && parts[2] < "7"
	}
	return false
}
