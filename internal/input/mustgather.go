package input

import (
	"path"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
)

// mustGather is the layout of "oc adm inspect" and of the images of "oc adm must-gather", which run it:
// namespaces/NAMESPACE/GROUP/RESOURCE.yaml for lists, cluster-scoped-resources/GROUP/RESOURCE.yaml, and a
// folder RESOURCE with a file of each object where single ones were asked for
// (github.com/openshift/oc, pkg/cli/admin/inspect: dirPathForInfo, filenameForInfo).
type mustGather struct{}

const (
	byMustGather   = "a must-gather"
	namespacesDir  = "namespaces"
	clusterWideDir = "cluster-scoped-resources"
	// timeFile has the times of its begin and its end, in the words of Go's time.Time.
	timeFile = "timestamp"
)

// Roots are the folders of a cluster. Each image that gathered has a folder in that of the run.
func (mustGather) Roots(paths []string) []string {
	var out []string
	for _, p := range paths {
		root, rest, ok := gathered(p)
		if !ok || rest[0] == namespacesDir && len(rest) > 3 && rest[2] != "core" {
			continue // any folder of manifests may be called that
		}
		if above := path.Dir(root); root != "." && (slices.Contains(paths, path.Join(above, timeFile)) ||
			slices.Contains(paths, path.Join(above, "must-gather.log")) || slices.Contains(paths, path.Join(above, "must-gather.logs"))) {
			root = above
		}
		if !slices.Contains(out, root) {
			out = append(out, root)
		}
	}
	return out
}

// gathered is where a path of a must-gather begins, and the rest of it.
func gathered(p string) (root string, rest []string, ok bool) {
	parts := strings.Split(p, "/")
	for i, part := range parts {
		left := parts[i:]
		switch {
		case part == namespacesDir && len(left) == 3 && left[2] == left[1]+".yaml",
			part == namespacesDir && (len(left) == 4 || len(left) == 5) && isManifest(p) && left[2] != "pods",
			part == clusterWideDir && (len(left) == 3 || len(left) == 4) && isManifest(p):
			return path.Join(append([]string{"."}, parts[:i]...)...), left, true
		}
	}
	return "", nil, false
}

// kindOf is a kind of objects by its group and resource; the core's group is called core.
func kindOf(group, resources string) string {
	if group == "" {
		group = "core"
	}
	return group + "/" + resources
}

// Source is what there is below a root. A list is whole, of its namespace; single objects may be
// some of many.
func (mustGather) Source(files *Files) (*Source, error) {
	out := &Source{Files: files, By: byMustGather}
	lists, whole := map[string]map[string]bool{}, map[string]bool{}
	named := map[string]bool{}
	for _, p := range files.Paths() {
		_, rest, ok := gathered(p)
		if !ok {
			continue
		}
		out.Objects = append(out.Objects, p)
		last := strings.TrimSuffix(rest[len(rest)-1], path.Ext(p))
		switch {
		case rest[0] == clusterWideDir && len(rest) == 3:
			whole[kindOf(rest[1], last)] = true
		case rest[0] == namespacesDir && len(rest) == 3:
			named[rest[1]] = true
		case rest[0] == namespacesDir && len(rest) == 4:
			kind := kindOf(rest[2], last)
			if lists[kind] == nil {
				lists[kind] = map[string]bool{}
			}
			lists[kind][rest[1]] = true
		}
	}
	out.At = gatheredAt(files)
	out.Holds = func(_ *Found, row resource.Resource, system string) Holding {
		about := row.About()
		kind := kindOf(about.Group, about.Resource)
		switch {
		case about.Answers || about.Path != "":
			return Holding{Why: byMustGather + " holds none"}
		case whole[kind]:
			return Holding{Whole: true, In: func(file string) bool { return strings.HasSuffix(file, clusterWideDir+"/"+kind+".yaml") }}
		case about.Kind == "Namespace":
			return inNamespaces(about, named, system, "oc adm inspect namespaces")
		case len(lists[kind]) == 0:
			return Holding{Why: byMustGather + " holds no whole list of it"}
		}
		h := inNamespaces(about, lists[kind], system, "oc adm inspect namespaces")
		h.In = func(file string) bool {
			return strings.Contains(file, "/"+kind+".") || strings.Contains(file, "/"+about.Resource+"/")
		}
		if h.Whole && about.Kind == "Secret" && !about.Metadata { // inspect/secret.go, elideSecret
			h = Holding{Hollow: true, Why: byMustGather + " holds no contents of Secrets", In: h.In}
		}
		return h
	}
	return out, nil
}

// gatheredAt is the latest time in the file with the times, else when the last file of an archive was
// written; zero where neither is known.
func gatheredAt(files *Files) time.Time {
	for _, p := range files.Paths() {
		if path.Base(p) != timeFile || strings.Count(p, "/") > 1 {
			continue
		}
		text, err := files.Text(p)
		if err != nil || len(text) > mostName {
			continue
		}
		var out time.Time
		for line := range strings.SplitSeq(string(text), "\n") {
			words := strings.Fields(line)
			if len(words) < 3 {
				continue
			}
			if at, err := time.Parse("2006-01-02 15:04:05 -0700", strings.Join(words[:3], " ")); err == nil && at.After(out) {
				out = at
			}
		}
		if !out.IsZero() {
			return out.UTC()
		}
	}
	if files.Folder {
		return time.Time{}
	}
	return files.Modified(isManifest)
}
