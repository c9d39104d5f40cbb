package model

import (
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/resources"
)

// annotationOpaque names ports that are not HTTP; by default they are those of databases and
// mail.
const annotationOpaque = "config.linkerd.io/opaque-ports"

var usuallyOpaque = []string{"25", "587", "3306", "4444", "5432", "6379", "9300", "11211"}

// OpaquePorts are the numbers of a Service's ports that are not HTTP to Linkerd.
func (c *Cluster) OpaquePorts(s *corev1.Service) []string {
	named, ok := s.Annotations[annotationOpaque]
	opaque := usuallyOpaque
	if ns := c.namespaceOpaque(s.Namespace); !ok && ns != "" {
		named, ok = ns, true
	}
	if ok {
		opaque = strings.Split(named, ",")
	}
	var out []string
	for _, sp := range s.Spec.Ports {
		number := strconv.Itoa(int(sp.Port))
		if slices.ContainsFunc(opaque, func(o string) bool { return within(strings.TrimSpace(o), number, sp.Name) }) {
			out = append(out, number)
		}
	}
	return out
}

func (c *Cluster) namespaceOpaque(name string) string {
	for _, ns := range resources.Namespaces.Of(c.Cluster).Value {
		if ns.Name == name {
			return ns.Annotations[annotationOpaque]
		}
	}
	return ""
}

// within reports whether a port is one, or in a range, of an annotation.
func within(listed, number, name string) bool {
	if listed == number || listed != "" && listed == name {
		return true
	}
	from, to, ok := strings.Cut(listed, "-")
	if !ok {
		return false
	}
	a, err1 := strconv.Atoi(from)
	b, err2 := strconv.Atoi(to)
	n, err3 := strconv.Atoi(number)
	return err1 == nil && err2 == nil && err3 == nil && a <= n && n <= b
}
