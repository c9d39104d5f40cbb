package network

import (
	"fmt"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/remedy"
)

// noNames: a VirtualMesh gives federated services names that clients of a mesh do not resolve, and the management
// plane makes none of them known there.
func noNames(p *pass) {
	for _, m := range members(p) {
		v := m.VirtualMeshes[0]
		if v.Names(m) {
			continue
		}
		context := m.Plane.Cluster.Context
		f := finding.Finding{
			Code: "NET208", Severity: finding.Error, Clusters: []string{context}, Object: m.Discovered(),
			Title: fmt.Sprintf("proxies of %s do not resolve names that end in .%s", m.Called(), v.Suffix()),
			Evidence: []finding.Evidence{
				{Field: v.Called().String() + ", spec.federation.hostnameSuffix", Value: v.Suffix()},
				{Field: m.Discovered().String() + ", spec.istio.smartDnsProxyingEnabled", Value: "missing"},
			},
			Effect: "the management plane writes no service of the others there, and does not accept the VirtualMesh",
			Fix: []finding.Step{finding.Say("Set meshConfig.defaultConfig.proxyMetadata.ISTIO_META_DNS_CAPTURE to \"true\" where istiod of %s is "+
				"installed. Then restart its workloads, which read it when they start.", m.Called())},
		}
		other := remedy.Edit(&v.Written, "Take spec.federation.hostnameSuffix out, so that names end in .global again. Careful: clients "+
			"that use the present names fail:")
		other[0] = other[0].Otherwise()
		f.Fix = append(f.Fix, other...)
		p.Report(f)
	}
}
