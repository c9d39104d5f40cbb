package input

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/podaccess"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
)

// Source is what somebody, or a tool, wrote of one cluster.
type Source struct {
	Files *Files
	// By is the tool, for people: "a must-gather"; "" for manifests that somebody wrote.
	By string
	// Context names the cluster, and Server is the URL of its API server, as far as the source
	// says it.
	Context, Server string
	// At is when it was written; zero where that is not known.
	At time.Time
	// Objects are the files with objects of Kubernetes.
	Objects []string
	// Lenient: a file of Objects that is none is passed over.
	Lenient map[string]bool
	// Documents are what the API server said at paths that are no resources of an API.
	Documents map[string][]byte
	// Defined: all definitions of custom resources of the cluster are among the objects.
	Defined bool
	// Holds says what there is of a row, when the objects were read. A row that is not whole is
	// not known: what was not written down may well be there.
	Holds func(f *Found, row resource.Resource, system string) Holding
	// Answers are what pods said when the tool asked them; nil for nothing.
	Answers podaccess.Answers
}

// Holding is what a source holds of a row.
type Holding struct {
	// Whole: all objects of the row that the cluster has are there.
	Whole bool
	// Missing: the kind of the row is not installed in the cluster.
	Missing bool
	// Hollow: the objects are all there, and what is in them is not.
	Hollow bool
	// Why is why the row is not known: a few words.
	Why string
	// In reports whether a file has objects of the row; nil where any may.
	In func(file string) bool
}

// Found is what was seen in the files of a source.
type Found struct {
	// Shown are the kinds of which there is an object, or that a row would show, as people call them.
	Shown map[string]bool
	// Namespaces are those that have an object of a kind, by the kind.
	Namespaces map[string]map[string]bool
	// Served are the kinds whose objects an API server gave, and no person wrote.
	Served map[string]bool
	// Named are objects that every cluster has, where they were seen: kind/namespace/name.
	Named map[string]bool
	// Definitions are those of custom resources.
	Definitions []Definition
	// Logs: there were logs of pods between the objects.
	Logs bool
}

// Definition is that of a custom resource.
type Definition struct {
	Group, Kind, Resource string
	// Versions are those that are served.
	Versions []string
}

// Defines reports whether there is a definition of a kind.
func (f *Found) Defines(group, kind string) bool {
	return slices.ContainsFunc(f.Definitions, func(d Definition) bool { return d.Group == group && d.Kind == kind })
}

// Layout is how a tool lays out the files that it writes.
type Layout interface {
	// Roots are the folders in which what the tool wrote of a cluster begins, "." for the top.
	Roots(paths []string) []string
	// Source is what there is below a root.
	Source(files *Files) (*Source, error)
}

// General are the layouts of tools that know no mesh.
var General = []Layout{mustGather{}, clusterInfo{}}

// Sources finds the clusters in files: what a tool wrote, by its layout, wherever in the files it
// begins; else manifests. Those are of one cluster where one is wanted, or where some are at the
// top; else each folder at the top is of a cluster.
func Sources(files *Files, layouts []Layout, one bool) ([]*Source, error) {
	return sources(files, layouts, one, true)
}

func sources(files *Files, layouts []Layout, one, nested bool) ([]*Source, error) {
	if paths := files.Paths(); !files.Folder && len(paths) == 1 && !isArchive(paths[0]) {
		alone := *files // an archive of one document
		alone.Single = true
		files = &alone
	}
	if files.Single {
		return []*Source{loose(files)}, nil
	}
	if !files.Folder && !one {
		files = unwrapped(files)
	}
	out, err := byLayout(files, layouts)
	switch {
	case err != nil:
		return nil, err
	case one && len(out) > 1:
		return nil, fmt.Errorf("it is of %d clusters, and has one name", len(out))
	case len(out) == 1 && (one || out[0].Files == files || len(files.Folders()) == 1):
		return out, nil
	}
	if one || slices.ContainsFunc(files.Paths(), func(p string) bool { return !strings.Contains(p, "/") && isManifest(p) }) ||
		len(files.Folders()) == 0 && slices.ContainsFunc(files.Paths(), func(p string) bool { return path.Ext(p) == "" }) {
		return []*Source{loose(files)}, nil
	}
	out = nil
	for _, folder := range files.Folders() {
		below := files.Below(folder)
		found, err := byLayout(below, layouts)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", folder, err)
		}
		if len(found) == 0 {
			found = []*Source{loose(below)}
		}
		out = append(out, found...)
	}
	for _, p := range files.Paths() {
		if !nested || strings.Contains(p, "/") || !isArchive(p) {
			continue
		}
		text, err := files.Text(p)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p, err)
		}
		inner, err := FromText(p, text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p, err)
		}
		found, err := sources(inner, layouts, false, false)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p, err)
		}
		out = append(out, found...)
	}
	if len(out) == 0 {
		return nil, errors.New("there is nothing in it that is known: no dump, no folder for each cluster, no manifests")
	}
	return out, nil
}

// unwrapped are the files of an archive without the one folder that all are in, if that has nothing
// but folders and archives.
func unwrapped(files *Files) *Files {
	folders := files.Folders()
	if len(folders) != 1 || slices.ContainsFunc(files.Paths(), func(p string) bool { return !strings.Contains(p, "/") }) {
		return files
	}
	below := files.Below(folders[0])
	if slices.ContainsFunc(below.Paths(), func(p string) bool { return !strings.Contains(p, "/") && isManifest(p) }) {
		return files
	}
	below.Name = files.Name
	return below
}

// byLayout are what tools wrote; nothing where no layout is known.
func byLayout(files *Files, layouts []Layout) ([]*Source, error) {
	for _, l := range layouts {
		var out []*Source
		roots := l.Roots(files.Paths())
		for _, root := range roots {
			below := files.Below(root)
			source, err := l.Source(below)
			if err != nil {
				return nil, err
			}
			if source.Context == "" {
				source.Context = below.Name
			}
			if source.Context == below.Name && len(roots) == 1 && files.Name != "" {
				source.Context = files.Name
			}
			out = append(out, source)
		}
		if len(out) > 0 {
			return out, nil
		}
	}
	return nil, nil
}

// isManifest reports whether a file is one of manifests by its ending.
func isManifest(p string) bool {
	switch strings.ToLower(path.Ext(p)) {
	case ".yaml", ".yml", ".json":
		return true
	}
	return false
}

// aggregated is the group of the definitions of other groups: it is the API server's own, and nobody
// defines it as a custom resource.
const aggregated = "apiregistration.k8s.io"

// IsCustom reports whether there is a definition of the kind of a row in a cluster that has it.
func IsCustom(about *resource.About) bool {
	return about.Custom() && about.Group != aggregated && about.Path == ""
}

// isArchive reports whether a file is an archive by its ending.
func isArchive(p string) bool {
	p = strings.ToLower(p)
	for _, ending := range []string{".tar", ".tar.gz", ".tgz", ".zip"} {
		if strings.HasSuffix(p, ending) {
			return true
		}
	}
	return false
}

// loose are manifests that somebody wrote, in files of any name where the user named one.
func loose(files *Files) *Source {
	out := &Source{Files: files, Context: files.Name, Lenient: map[string]bool{}, Holds: shown}
	for _, p := range files.Paths() {
		switch {
		case files.Single, isManifest(p):
			out.Objects = append(out.Objects, p)
		case path.Ext(p) == "": // it is looked at
			out.Objects = append(out.Objects, p)
			out.Lenient[p] = true
		}
	}
	return out
}

// everywhere are objects that every cluster has: a list of a kind in which one is missing is not of
// all namespaces. Of pods any of namespace kube-system will do.
var everywhere = map[string]string{
	"Service":       "Service/default/kubernetes",
	"EndpointSlice": "EndpointSlice/default/kubernetes",
	"Pod":           "Pod/kube-system/",
}

// Named is how an object that every cluster has is called in Found; "" for one that is none of these.
func Named(kind, namespace, name string) string {
	for _, known := range everywhere {
		if full := kind + "/" + namespace + "/" + name; full == known || strings.HasSuffix(known, "/") && strings.HasPrefix(full, known) {
			return known
		}
	}
	return ""
}

// shown says what manifests without an index hold of a row: all objects of a kind of which there is
// one, as if they were those of "kubectl get --all-namespaces". That they are not is seen where
// an object is missing that every cluster has.
func shown(f *Found, row resource.Resource, system string) Holding {
	if f.Logs {
		return clusterInfoHolds(f, row, system)
	}
	about := row.About()
	called := about.Called()
	if !f.Shown[called] {
		if about.Rare && len(f.Shown) > 0 {
			return Holding{Whole: true}
		}
		return Holding{Why: "the folder holds no " + called}
	}
	if about.Scope != resource.Cluster || about.Namespace != "" {
		return Holding{Whole: true}
	}
	if only := f.partly(); len(only) > 0 && within(f.Namespaces[about.Kind], only) {
		return Holding{Why: "of namespace " + strings.Join(sorted(only), ", ") + " alone: read it with --all-namespaces"}
	}
	return Holding{Whole: true}
}

// partly are the namespaces that were read, where not all were: API servers gave the objects of
// a kind, and not the one that every cluster has.
func (f *Found) partly() map[string]bool {
	out := map[string]bool{}
	for kind, known := range everywhere {
		if !f.Served[kind] || f.Named[known] {
			continue
		}
		for namespace := range f.Namespaces[kind] {
			out[namespace] = true
		}
	}
	return out
}

// within reports whether there are some, and all of them are in others.
func within(some, others map[string]bool) bool {
	for one := range some {
		if !others[one] {
			return false
		}
	}
	return len(some) > 0
}

func sorted(set map[string]bool) []string {
	out := make([]string, 0, len(set))
	for one := range set {
		out = append(out, one)
	}
	slices.Sort(out)
	return out
}
