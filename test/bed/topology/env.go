package topology

import "maps"

// IstiodEnv is the environment of the control plane of a resolved cluster.
func (t Topology) IstiodEnv(c Cluster) map[string]string {
	env := map[string]string{
		"CLUSTER_ID":                    c.ID,
		"POD_NAME":                      IstiodPod,
		"POD_NAMESPACE":                 SystemNamespace,
		"PILOT_CERT_PROVIDER":           "istiod",
		"REVISION":                      Revision,
		"UNSAFE_ENABLE_ADMIN_ENDPOINTS": "true",
		// The name at which API servers call the injector.
		"ISTIOD_CUSTOM_HOST": "localhost",
		// A cluster that does not answer delays the start by this much.
		"PILOT_REMOTE_CLUSTER_TIMEOUT": "5s",
	}
	for _, other := range t.Clusters {
		if other.RemoteOf == c.Name {
			env["EXTERNAL_ISTIOD"] = "true"
		}
	}
	if c.Ambient {
		maps.Copy(env, ambientEnv)
	}
	maps.Copy(env, c.Env)
	return env
}
