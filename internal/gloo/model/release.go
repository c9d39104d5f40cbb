package model

import (
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
func (p *Plane) NamesPorts() bool {
	for _, m := range p.Members {
		if m.Status.Has("appliedEastWestIngressGateways") {
			return true
		}
	}
	minor := Minor(Tag(p.Main().Deployment))
	return minor == "" || strings.HasPrefix(minor, "1.") && minor != "1.0"
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
