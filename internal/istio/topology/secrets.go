package topology

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
)

// remoteSecrets lets a control plane read other clusters.
func (d *draw) remoteSecrets() {
	for i, c := range d.fleet.Clusters {
		if c == d.c || d.chance(0.1) {
			continue
		}
		key := c.ID
		switch {
		case d.chance(0.05):
			key = "renamed"
		case d.chance(0.03):
			key = d.c.ID
		}
		d.put(d.remoteSecret(fmt.Sprintf("istio-remote-secret-%d", i), map[string][]byte{key: []byte(d.kubeconfig(c))}))
		if d.chance(0.05) { // for the same cluster again
			d.put(d.remoteSecret(fmt.Sprintf("istio-remote-secret-%d-again", i), map[string][]byte{key: []byte(d.kubeconfig(c))}))
		}
	}
}

func (d *draw) remoteSecret(name string, data map[string][]byte) *corev1.Secret {
	s := &corev1.Secret{ObjectMeta: d.meta(System, name, map[string]string{istio.MultiClusterLabel: "true"}), Data: data}
	if d.chance(0.03) {
		s.Labels[istio.MultiClusterLabel] = "True"
	}
	if d.chance(0.03) {
		s.Namespace = "default"
	}
	return s
}

// kubeconfig leads to a cluster; sometimes it is one that istiod refuses.
func (d *draw) kubeconfig(to *Cluster) string {
	user, current := object{"token": "not-a-token"}, any("c")
	switch {
	case d.chance(0.03):
		return ""
	case d.chance(0.03):
		return "apiVersion: v1\nkind: Config\nclusters: 7\n"
	case d.chance(0.03):
		current = "another"
	case d.chance(0.02):
		current = ""
	case d.chance(0.03):
		user = object{"exec": object{"apiVersion": "client.authentication.k8s.io/v1", "command": "login", "interactiveMode": "Never"}}
	case d.chance(0.03):
		user = object{"tokenFile": "/nowhere/token"}
	case d.chance(0.02):
		user = object{"auth-provider": object{"name": "gcp"}}
	case d.chance(0.02):
		user = object{"auth-provider": object{"name": "oidc"}}
	case d.chance(0.02):
		user = object{"username": "u", "password": "p"}
	case d.chance(0.02):
		user = object{"token": "not-a-token", "username": "u", "password": "p"}
	}
	cluster := object{"server": to.Server}
	switch {
	case d.chance(0.02):
		cluster = object{"insecure-skip-tls-verify": true}
	case d.chance(0.02):
		cluster["certificate-authority"] = "/nowhere/ca.crt"
	case d.chance(0.02):
		cluster["insecure-skip-tls-verify"] = true
	}
	return marshal(object{
		"apiVersion": "v1", "kind": "Config", "current-context": current,
		"clusters": []any{object{"name": "c", "cluster": cluster}},
		"contexts": []any{object{"name": "c", "context": object{"cluster": "c", "user": "c"}}},
		"users":    []any{object{"name": "c", "user": user}},
	})
}
