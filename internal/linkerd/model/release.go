package model

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/pattern"
)

// Release is a release of Linkerd as its version is written: edge-26.8.3, stable-2.14.10, enterprise-2.18.0.
type Release struct {
	Text string
	// Major is N of the version 2.N that it is a release of, or on the way to; 0 where that is not known.
	Major int
	// edge is when an edge release was made: year, month and number; zero of others.
	edge [3]int
}

// majors are versions 2.N, and the last edge release of each, which Linkerd's page of releases calls the corresponding one
// (https://linkerd.io/releases/). Edge releases after that are of the next version.
var majors = []struct {
	major int
	last  [3]int
}{
	{15, [3]int{24, 2, 4}},
	{16, [3]int{24, 8, 2}},
	{17, [3]int{24, 11, 8}},
	{18, [3]int{25, 4, 4}},
	{19, [3]int{25, 10, 7}},
	{20, [3]int{26, 6, 3}},
}

// firstEdge is the first edge release of which it is known here which version it is of: those after 2.14.
var firstEdge = [3]int{23, 9, 1}

// stable is a version with a name of its vendor or without one, of which the minor number is that of the
// release.
var stable = pattern.Of(`^(?:(?:stable|enterprise|version)-|v)?2\.(\d{1,4})(?:[.-]|$)`)

// ReleaseOf is the release of a version; false for a version of another form, as that of somebody's own
// build. A digest after it says nothing.
func ReleaseOf(version string) (Release, bool) {
	text, _, _ := strings.Cut(version, "@")
	out := Release{Text: text}
	if n, err := fmt.Sscanf(text, "edge-%d.%d.%d", &out.edge[0], &out.edge[1], &out.edge[2]); err == nil && n == len(out.edge) {
		out.Major = majors[len(majors)-1].major + 1 // or any later one
		for _, m := range slices.Backward(majors) {
			if slices.Compare(out.edge[:], m.last[:]) <= 0 {
				out.Major = m.major
			}
		}
		if slices.Compare(out.edge[:], firstEdge[:]) < 0 {
			out.Major = 0
		}
		return out, true
	}
	m := stable().FindStringSubmatch(text)
	if m == nil {
		return Release{}, false
	}
	if _, err := fmt.Sscan(m[1], &out.Major); err != nil {
		return Release{}, false
	}
	return out, true
}

// Has reports whether a release has what came with a version 2.N, and with an edge release on the way to it.
func (r Release) Has(major int, edge [3]int) bool {
	if r.edge != ([3]int{}) {
		return slices.Compare(r.edge[:], edge[:]) >= 0
	}
	return r.Major >= major
}

// Apart is by how many versions 2.N a release is newer than another one; 0 where that is not known.
func (r Release) Apart(other Release) int {
	if r.Major == 0 || other.Major == 0 {
		return 0
	}
	return r.Major - other.Major
}

// ServersV1Beta3 reports whether a release knows Servers in version v1beta3, which its destination controller then asks
// other clusters for too (71291fe7b of linkerd2).
func (r Release) ServersV1Beta3() bool { return r.Has(16, [3]int{24, 7, 4}) }
