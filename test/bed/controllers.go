package bed

import (
	"context"
	"errors"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// serviceAccounts are the identities of pods.
var serviceAccounts = schema.GroupVersionResource{Version: "v1", Resource: "serviceaccounts"}

// controllers are those of kube-controller-manager that a mesh needs: there are
// no others, no Deployments become pods and no nodes are given up. That of
// namespaces would still be emptying one when the next mesh fills it again.
var controllers = []string{
	"endpointslice-controller",
	"root-ca-certificate-publisher-controller",
	"serviceaccount-controller",
	"serviceaccount-token-controller",
}

// startControllers starts the controllers of a cluster and waits until they work.
func startControllers(ctx context.Context, c *Cluster, binary, kubeconfig string) (*process, error) {
	p, err := startProcess("kube-controller-manager", c.server.dir, binary,
		"--kubeconfig="+kubeconfig,
		"--controllers="+strings.Join(controllers, ","),
		"--service-account-private-key-file=sa.key",
		"--root-ca-file=ca.crt",
		"--leader-elect=false",
		// It has nothing to say to anybody.
		"--secure-port=0",
		"--kube-api-qps=1000",
		"--kube-api-burst=1000",
		"--concurrent-service-endpoint-syncs=10",
	)
	if err != nil {
		return nil, err
	}
	err = awaitReady(ctx, p, func(ctx context.Context) error {
		_, err := c.client.dynamic.Resource(serviceAccounts).Namespace("default").Get(ctx, "default", metav1.GetOptions{})
		if err != nil {
			return errors.New("there is no service account default/default")
		}
		return nil
	})
	if err != nil {
		p.stop(0)
		return nil, fmt.Errorf("start the controllers: %w", err)
	}
	return p, nil
}
