package istiomesh_test

import (
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
)

// warned says where what deletes, replaces or stops something does not say so before it does:
// by a sentence that begins with "Careful:" where traffic or an object may be lost, and else by
// naming the restart. Each code and each sentence is said once.
func warned(m *model.Mesh, x finding.Finding, seen map[string]bool, fail func(string, ...any)) {
	before := finding.Step{}
	for _, step := range x.Fix {
		says := step.Say
		if len(before.Run) == 0 {
			says = before.Say + " " + says // a warning may be a step of its own
		}
		before = step
		for _, command := range step.Run {
			for c := &command; c != nil; c = c.Pipe {
				want := wants(m, *c)
				if want == "" || strings.Contains(says, want) || seen[string(x.Code)+want] {
					continue
				}
				seen[string(x.Code)+want] = true
				fail("%s: %q does not say %q before\n    %s", x.Code, step.Say, want, c)
			}
		}
	}
}

// wants is what has to be said before a command; "" for nothing.
func wants(m *model.Mesh, c finding.Command) string {
	is := func(words ...string) bool {
		at := slices.Index(c.Args, words[0])
		return at > 0 && at+len(words) <= len(c.Args) && slices.Equal(c.Args[at:at+len(words)], words)
	}
	switch {
	case c.Args[0] != "kubectl":
		return ""
	case is("delete"), is("replace"), slices.Contains(c.Args, "--force"), slices.Contains(c.Args, "--replicas=0"):
		return "Careful: "
	case is("rollout", "restart"), is("set", "env"):
		switch restarts(m, c) {
		case istiod:
			return "estart"
		case gatewayPods:
			return "Careful: "
		}
	}
	return ""
}

const istiod, gatewayPods = "istiod", "gateway"

// restarts is what kind of workload a command restarts; "" for one of an application.
func restarts(m *model.Mesh, c finding.Command) string {
	cluster := m.Cluster(c.Context())
	if cluster == nil {
		return ""
	}
	named := func(w istio.WorkloadRef) bool {
		return slices.Contains(c.Args, w.Kind+"/"+w.Name) && slices.Contains(c.Args, w.Namespace)
	}
	for _, i := range cluster.Installed() {
		if named(istio.WorkloadRef{Kind: "deployment", Namespace: i.Namespace, Name: i.Name}) {
			return istiod
		}
	}
	for _, g := range cluster.NetworkGateways() {
		for _, p := range g.Pods {
			if named(istio.WorkloadOf(p)) {
				return gatewayPods
			}
		}
	}
	return ""
}
