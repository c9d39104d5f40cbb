package bed

import (
	"fmt"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/test/bed/topology"
)

// kubernetesVersion is the version of Kubernetes in servers/kubernetes/go.mod,
// which the binaries cannot know unless told.
const kubernetesVersion = "v1.36.3"

// binary is a program that the bed compiles.
type binary struct {
	name string
	// module is the folder of its Go module below servers.
	module string
	// pkg is its main package, as the module names it.
	pkg     string
	tags    string
	ldflags string
	// recorder: only recordings need it, which are made by hand.
	recorder bool
}

// binaries are all that the bed can compile, in the order of Binaries.
var binaries = []binary{
	{
		name:    "etcd",
		module:  "etcd",
		pkg:     ".",
		ldflags: "-s -w",
	},
	{
		name:    "kube-apiserver",
		module:  "kubernetes",
		pkg:     "./kube-apiserver",
		tags:    kubernetesTags,
		ldflags: kubernetesLDFlags(),
	},
	{
		name:    "kube-controller-manager",
		module:  "kubernetes",
		pkg:     "./kube-controller-manager",
		tags:    kubernetesTags,
		ldflags: kubernetesLDFlags(),
	},
	{
		name:    "kwok",
		module:  "kwok",
		pkg:     ".",
		ldflags: "-s -w",
	},
	{
		name:    "istiod",
		module:  "istiod",
		pkg:     ".",
		ldflags: "-s -w -X istio.io/istio/pkg/version.buildVersion=" + topology.IstioVersion,
	},
	{
		// Kubernetes' own main package, so that it is the kubectl that users
		// have, in size and speed as well.
		name:    "kubectl",
		module:  "kubernetes",
		pkg:     "k8s.io/kubernetes/cmd/kubectl",
		tags:    kubernetesTags,
		ldflags: kubernetesLDFlags(),
	},
	{
		// Istio's own main package: it is the istioctl that users have.
		name:     "istioctl",
		module:   "istioctl",
		pkg:      "istio.io/istio/istioctl/cmd/istioctl",
		ldflags:  "-s -w -X istio.io/istio/pkg/version.buildVersion=" + topology.IstioVersion,
		recorder: true,
	},
}

// kubernetesTags are the build tags of the official releases.
const kubernetesTags = "selinux,notest,grpcnotrace"

// kubernetesLDFlags stamps a binary with the version, as the official releases
// are. Clients cannot parse what it says otherwise.
func kubernetesLDFlags() string {
	number := strings.Split(strings.TrimPrefix(kubernetesVersion, "v"), ".")
	flags := "-s -w"
	for _, pkg := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
		flags += fmt.Sprintf(" -X %[1]s.gitVersion=%[2]s -X %[1]s.gitMajor=%[3]s -X %[1]s.gitMinor=%[4]s"+
			" -X %[1]s.gitCommit= -X %[1]s.gitTreeState=archive", pkg, kubernetesVersion, number[0], number[1])
	}
	return flags
}

// Binaries are the names of the programs that Build can compile, without those that only recordings need.
func Binaries() []string {
	var names []string
	for _, b := range binaries {
		if !b.recorder {
			names = append(names, b.name)
		}
	}
	return names
}

// binaryNamed returns the binary of that name.
func binaryNamed(name string) (binary, error) {
	for _, b := range binaries {
		if b.name == name {
			return b, nil
		}
	}
	return binary{}, fmt.Errorf("there is no binary %q to build; there are: %s",
		name, strings.Join(Binaries(), ", "))
}
