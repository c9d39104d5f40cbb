package fleet

import (
	"cmp"
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/serverurl"
)

// Reach says which contexts of the kubeconfig lead to one API server.
type Reach struct {
	// Server is the URL that was asked for, as it was given.
	Server string
	// Contexts lead to it, the preferred one first; none when no context does.
	Contexts []string
	// Member is the preferred context; the zero Member when there is none.
	Member Member
}

// Reaching says for each of the servers, in their order, which contexts lead
// to it. URLs are compared by what they mean: case of the host, a default port,
// a trailing slash make no difference. Of several contexts the preferred one is
// the current context, else the one with the shortest name, else the first in
// the alphabet.
func (k *Kubeconfig) Reaching(servers []string) []Reach {
	byServer := map[string][]string{}
	for _, name := range k.ContextNames() {
		cluster := k.raw.Clusters[k.raw.Contexts[name].Cluster]
		if cluster == nil {
			continue
		}
		if server := serverurl.Key(cluster.Server); server != "" {
			byServer[server] = append(byServer[server], name)
		}
	}
	current := k.currentName()
	out := make([]Reach, len(servers))
	for i, server := range servers {
		names := slices.Clone(byServer[serverurl.Key(server)])
		slices.SortFunc(names, func(a, b string) int {
			if (a == current) != (b == current) {
				if a == current {
					return -1
				}
				return 1
			}
			return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
		})
		out[i] = Reach{Server: server, Contexts: names}
		if len(names) > 0 {
			// Only the current context may use the terminal: it had it before
			// the others were known.
			out[i].Member = k.member(names[0], names[0] == current)
		}
	}
	return out
}
