package ads

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

func TestFromPod(t *testing.T) {
	const pod = `
metadata: {name: shop-0, namespace: default, labels: {app: shop}}
spec:
  nodeName: node-1
  serviceAccountName: shop
  initContainers:
  - name: istio-proxy
    args: [proxy, sidecar]
    env:
    - {name: ISTIO_META_CLUSTER_ID, value: east}
    - {name: ISTIO_META_NETWORK, value: network-east}
    - {name: ISTIO_META_MESH_ID, value: mesh1}
    - {name: ISTIO_META_WORKLOAD_NAME, value: shop}
    - {name: ISTIO_META_DNS_CAPTURE, value: "true"}
    - {name: ISTIO_META_EMPTY}
    - {name: TRUST_DOMAIN, value: cluster.local}
  containers: [{name: app}]
status: {podIP: 10.0.0.5, podIPs: [{ip: 10.0.0.5}, {ip: "fd00::5"}]}
`
	tests := []struct {
		name    string
		pod     string
		want    Proxy
		wantErr string
	}{
		{
			name: "an injected pod of two families",
			pod:  pod,
			want: Proxy{
				Type: "sidecar", Pod: "shop-0", Namespace: "default", IP: "10.0.0.5", MoreIPs: []string{"fd00::5"},
				Cluster: "east", Network: "network-east", Mesh: "mesh1", Labels: map[string]string{"app": "shop"},
				ServiceAccount: "shop", Workload: "shop", Node: "node-1",
				Metadata: map[string]any{"DNS_CAPTURE": "true"},
			},
		},
		{
			name: "no sidecar",
			pod: `
metadata: {name: shop-0, namespace: default}
spec: {containers: [{name: app}]}
status: {podIP: 10.0.0.5}
`,
			wantErr: "pod shop-0.default has no container istio-proxy",
		},
		{
			name: "no address yet",
			pod: `
metadata: {name: shop-0, namespace: default}
spec: {containers: [{name: istio-proxy}]}
`,
			wantErr: "IP of proxy shop-0.default",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var pod corev1.Pod
			if err := yaml.UnmarshalStrict([]byte(test.pod), &pod); err != nil {
				t.Fatal(err)
			}
			got, err := FromPod(&pod)
			if test.wantErr != "" {
				wantError(t, err, test.wantErr)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("proxy (-want +got):\n%s", diff)
			}
		})
	}
}
