package remedy

import (
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
)

// EditMeshConfig is the command that opens the mesh config of a control plane, which also
// holds meshNetworks.
func EditMeshConfig(context string, i istio.Istiod) finding.Command {
	return finding.Kubectl(context, "-n", i.Namespace, "edit", "configmap/"+i.MeshConfigMap())
}

// SetIstiodVariable is the command that sets a variable of a control plane, which
// restarts it.
func SetIstiodVariable(context string, i istio.Istiod, name, value string) finding.Command {
	return finding.Kubectl(context, "-n", i.Namespace, "set", "env", "deployment/"+i.Name, name+"="+value)
}

// KubernetesGateway is a command about a Gateway of the Gateway API.
func KubernetesGateway(context string, k *api.KubernetesGateway, verb string, rest ...string) finding.Command {
	args := append([]string{"-n", k.Namespace, verb, "gateways.gateway.networking.k8s.io/" + k.Name}, rest...)
	return finding.Kubectl(context, args...)
}

// EditKubernetesGateway is the command that opens a Gateway of the Gateway API.
func EditKubernetesGateway(context string, k *api.KubernetesGateway) finding.Command {
	return KubernetesGateway(context, k, "edit")
}
