package istiotest

import (
	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
)

// cluster is a facts.Cluster of which everything can be compared.
type cluster struct {
	Context, Server, SystemNamespace string
	Unreached                        *facts.Unreached
	Reads                            map[string]any
}

// CompareClusters lets package cmp compare all that was read of clusters.
var CompareClusters = cmp.Transformer("reads", func(c facts.Cluster) cluster {
	return cluster{c.Context, c.Server, c.SystemNamespace, c.Unreached, resource.Reads(&c, resources.All)}
})
