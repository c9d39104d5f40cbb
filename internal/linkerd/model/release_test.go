package model_test

import (
	"testing"

	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/model"
)

// Versions as installations write them, and which version 2.N they are of.
func TestReleaseOf(t *testing.T) {
	for version, want := range map[string]int{
		"stable-2.14.10": 14, "enterprise-2.18.0": 18, "version-2.20": 20, "2.16.2": 16, "v2.17.1": 17, "stable-2.14.10-custom": 14,
		"edge-23.9.1": 15, "edge-24.2.4": 15, "edge-24.2.5": 16, "edge-24.8.2": 16, "edge-24.8.3": 17, "edge-24.11.8": 17, "edge-25.4.4": 18,
		"edge-25.10.7": 19, "edge-26.6.3": 20, "edge-26.8.3": 21, "edge-31.1.1": 21,
		"edge-24.11.8@sha256:0123": 17, "stable-2.13.0@sha256:0123": 13,
		"edge-22.1.1": 0, // known, but not of which version
	} {
		r, known := model.ReleaseOf(version)
		if !known || r.Major != want {
			t.Errorf("%s is of 2.%d, known: %v; want 2.%d", version, r.Major, known, want)
		}
	}
	for _, version := range []string{"", "dev-cf8a2e8", "edge-24", "git-0123abcd", "stable-3.1.0", "latest", "2.", "@sha256:0123", "12.14.1"} {
		if r, known := model.ReleaseOf(version); known {
			t.Errorf("%q is %+v", version, r)
		}
	}
}

// A release that is newer by one version is one apart; of what is not known nothing is.
func TestReleasesApart(t *testing.T) {
	for want, pairs := range map[int][][2]string{
		0:  {{"edge-24.11.8", "stable-2.17.0"}, {"edge-22.1.1", "stable-2.10.0"}, {"stable-2.10.0", "edge-22.1.1"}},
		1:  {{"edge-25.1.1", "edge-24.11.8"}, {"stable-2.14.0", "stable-2.13.7"}},
		-2: {{"stable-2.14.0", "enterprise-2.16.1"}},
		6:  {{"edge-26.8.3", "edge-23.12.1"}},
	} {
		for _, p := range pairs {
			a, _ := model.ReleaseOf(p[0])
			b, _ := model.ReleaseOf(p[1])
			if got := a.Apart(b); got != want {
				t.Errorf("%s and %s are %d apart, want %d", p[0], p[1], got, want)
			}
		}
	}
}

// Servers v1beta3 came with edge-24.7.4 and 2.16.
func TestServersV1Beta3(t *testing.T) {
	for version, want := range map[string]bool{
		"edge-24.7.3": false, "edge-24.7.4": true, "edge-24.7.5": true, "edge-22.1.1": false, "stable-2.14.10": false, "enterprise-2.15.7": false,
		"enterprise-2.16.0": true, "edge-26.8.3": true,
	} {
		r, known := model.ReleaseOf(version)
		if got := r.ServersV1Beta3(); !known || got != want {
			t.Errorf("%s: %v, known: %v", version, got, known)
		}
	}
}
