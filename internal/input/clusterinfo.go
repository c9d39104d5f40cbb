package input

import (
	"path"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
)

// clusterInfo is the layout of "kubectl cluster-info dump --output-directory": nodes.json, and for each
// namespace a folder with a list of each of a few kinds
// (k8s.io/kubectl/pkg/cmd/clusterinfo/clusterinfo_dump.go, Run).
type clusterInfo struct{}

const byClusterInfo = "kubectl cluster-info dump"

// clusterInfoNamespaced are the files of a namespace, by the kind that is in them.
var clusterInfoNamespaced = map[string]string{
	"Event": "events", "Service": "services", "Deployment": "deployments", "Pod": "pods",
}

// controllers is a file of each namespace, which nothing else writes by that name.
const controllers = "replication-controllers"

// Roots are the folders with nodes, and namespaces beside them.
func (clusterInfo) Roots(paths []string) []string {
	var out []string
	for _, p := range paths {
		if base := path.Base(p); base == controllers+".json" || base == controllers+".yaml" {
			root := path.Dir(path.Dir(p))
			if slices.Contains(paths, path.Join(root, "nodes"+path.Ext(base))) && !slices.Contains(out, root) {
				out = append(out, root)
			}
		}
	}
	return out
}

// Source is what there is below a root. The command writes the lists of a namespace one after another, and
// stops where one cannot be read: a namespace counts for a kind whose file is there.
func (clusterInfo) Source(files *Files) (*Source, error) {
	out := &Source{Files: files, By: byClusterInfo}
	if !files.Folder { // times in a folder may be those of a copy
		out.At = files.Modified(isManifest)
	}
	written := map[string]map[string]bool{}
	for _, p := range files.Paths() {
		namespace, file := path.Split(p)
		namespace = strings.TrimSuffix(namespace, "/")
		if !isManifest(p) || strings.Contains(namespace, "/") {
			continue
		}
		out.Objects = append(out.Objects, p)
		for kind, name := range clusterInfoNamespaced {
			if strings.TrimSuffix(file, path.Ext(file)) == name && namespace != "" {
				if written[kind] == nil {
					written[kind] = map[string]bool{}
				}
				written[kind][namespace] = true
			}
		}
	}
	out.Holds = func(_ *Found, row resource.Resource, system string) Holding {
		about := row.About()
		in := func(name string) func(string) bool {
			return func(file string) bool { return strings.TrimSuffix(path.Base(file), path.Ext(file)) == name }
		}
		if about.Kind == "Node" {
			return Holding{Whole: true, In: in("nodes")}
		}
		name, known := clusterInfoNamespaced[about.Kind]
		if !known || about.Custom() {
			return Holding{Why: byClusterInfo + " writes none"}
		}
		h := inNamespaces(about, written[about.Kind], system, byClusterInfo+" --all-namespaces")
		h.In = in(name)
		return h
	}
	return out, nil
}

// clusterInfoHolds is what the output of the command holds, where it went to one file. An empty list says
// not of which namespace it is.
func clusterInfoHolds(f *Found, row resource.Resource, system string) Holding {
	about := row.About()
	if about.Kind == "Node" {
		return Holding{Whole: true}
	}
	if _, known := clusterInfoNamespaced[about.Kind]; !known || about.Custom() {
		return Holding{Why: byClusterInfo + " writes none"}
	}
	all := map[string]bool{}
	for kind := range clusterInfoNamespaced {
		for namespace := range f.Namespaces[kind] {
			all[namespace] = true
		}
	}
	if f.Named[everywhere["Service"]] { // of default, which has hardly anything else
		all["default"] = true
	}
	if about.Scope == resource.Cluster && about.Namespace == "" {
		return Holding{Why: "it does not say whether all namespaces were written: use --output-directory"}
	}
	return inNamespaces(about, all, system, byClusterInfo+" --all-namespaces")
}

// ofEveryCluster are the namespaces that Kubernetes makes. Who wrote all of them wrote all that there are:
// hardly anybody names the last two.
var ofEveryCluster = []string{"default", "kube-system", "kube-public", "kube-node-lease"}

// inNamespaces says what there is of a row in a source that has its objects of some namespaces.
func inNamespaces(about *resource.About, written map[string]bool, system, instead string) Holding {
	want := about.Namespace
	if want == "" && about.Scope != resource.Cluster {
		want = system
	}
	switch {
	case want != "" && written[want]:
		return Holding{Whole: true}
	case want != "":
		return Holding{Why: "namespace " + want + " was not written: " + instead}
	case !slices.ContainsFunc(ofEveryCluster, func(name string) bool { return !written[name] }):
		return Holding{Whole: true}
	case len(written) == 0:
		return Holding{Why: "nothing of it was written"}
	default:
		return Holding{Why: "not all namespaces were written: " + instead}
	}
}
