package ask

import (
	"context"
	"strings"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/probing"
	"github.com/kubectl-mesh/kubectl-mesh/internal/printable"
	"github.com/kubectl-mesh/kubectl-mesh/internal/probe"
)

// Hostnames are the addresses of the host names of gateways, as this machine sees them;
// nothing where there are no such names. say tells the user of it.
func Hostnames(ctx context.Context, m *model.Mesh, wait time.Duration, say func(string, ...any)) probe.Names {
	hosts := probing.Hostnames(m)
	if len(hosts) == 0 {
		return probe.Names{}
	}
	names := probe.ThisMachine(wait).Resolve(ctx, hosts)
	say("Resolved from this machine, and not where istiod runs: %s.", printable.Line(strings.Join(hosts, ", ")))
	return names
}
