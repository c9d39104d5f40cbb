package remedy

import (
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
)

// DescribeService is the command that shows a Service, its endpoints and events.
func DescribeService(context string, service finding.Object) finding.Command {
	return finding.Kubectl(context, "-n", service.Namespace, "describe", "service/"+service.Name)
}

// VerifyCertificates is the command that compares the roots of clusters.
func VerifyCertificates(contexts []string) finding.Command {
	return finding.Shell("kubectl", "mesh-certs", "verify", "--contexts="+strings.Join(finding.Distinct(contexts), ","))
}
