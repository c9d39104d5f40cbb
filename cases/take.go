package cases

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/kubectl-mesh/kubectl-mesh/internal/dump"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
)

// Take makes a case's fleet out of a dump: what differs from a base of dir, and the text
// of the file of each cluster, by its name. like names the base's cluster of a context; the same
// name where it does not.
func Take(from, dir fs.FS, base string, like map[string]string, rows resource.Set) (Fleet, map[string][]byte, error) {
	var idx dump.Index
	content, err := fs.ReadFile(from, dump.IndexFile)
	if err == nil {
		err = yaml.Unmarshal(content, &idx)
	}
	if err != nil {
		return Fleet{}, nil, fmt.Errorf("reading the dump's index: %w", err)
	}
	out := Fleet{Base: base}
	below := &resolved{}
	if base != "" && base != standing {
		if below, err = (&Fleet{Base: base}).resolve(dir, "."); err != nil {
			return Fleet{}, nil, err
		}
	}
	if !idx.At.Equal(below.at) {
		out.At = idx.At
	}
	parts := map[string][]object{}
	for _, entry := range idx.Clusters {
		c := Cluster{Context: entry.Context, Like: like[entry.Context], Server: entry.Server, Unreached: entry.Unreached}
		var lower resolvedCluster
		at := slices.IndexFunc(below.clusters, func(b resolvedCluster) bool { return b.Context == firstOf(c.Like, c.Context) })
		switch {
		case at >= 0:
			lower = below.clusters[at]
		case base != "" && base != standing:
			c.Like = standing
		}
		all, err := folderObjects(from, entry.Folder)
		if err != nil {
			return Fleet{}, nil, err
		}
		text, err := all.print()
		if err != nil {
			return Fleet{}, nil, err
		}
		if c.Reads, err = c.readsOf(entry, text, lower, rows); err != nil {
			return Fleet{}, nil, err
		}
		if c.Server == lower.Server {
			c.Server = ""
		}
		if entry.SystemNamespace != firstOf(lower.SystemNamespace, below.systemNamespace, usualName) {
			c.SystemNamespace = entry.SystemNamespace
		}
		differences, err := all.differences(lower.objects)
		if err != nil {
			return Fleet{}, nil, err
		}
		if len(differences) > 0 {
			parts[Folder(c.Context)+".yaml"] = differences
		}
		out.Clusters = append(out.Clusters, c)
	}
	if same(out.Clusters, below.clusters) {
		out.Clusters = nil
	}
	texts := shorten(slices.Concat(slices.Collect(maps.Values(parts))...))
	files := map[string][]byte{}
	for name, part := range parts {
		if files[name], err = manifests(part); err != nil {
			return Fleet{}, nil, err
		}
	}
	if len(texts) > 0 {
		if files[textsFile], err = yaml.Marshal(texts); err != nil {
			return Fleet{}, nil, err
		}
	}
	return out, files, nil
}

// readsOf are the reads that ended otherwise than those of a cluster with these objects, and
// than the base's.
func (c *Cluster) readsOf(entry dump.IndexedCluster, text []byte, lower resolvedCluster, rows resource.Set) (map[string]Read, error) {
	usual, err := statesOf(text, entry.SystemNamespace, rows)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Context, err)
	}
	out := map[string]Read{}
	for file, indexed := range entry.Reads {
		read := Read{indexed.State, indexed.Reason}
		want, known := lower.Reads[file]
		if !known {
			want = usual[file]
		}
		if _, ok := usual[file]; ok && read != want {
			out[file] = read
		}
	}
	if len(out) == 0 {
		return nil, nil
	}
	return out, nil
}

// same reports whether clusters are those of the base, one by one.
func same(clusters []Cluster, base []resolvedCluster) bool {
	return slices.EqualFunc(clusters, base, func(c Cluster, b resolvedCluster) bool {
		return c.Context == b.Context && c.Like == "" && c.Server == "" && c.SystemNamespace == "" && c.Reads == nil && c.Unreached == nil
	})
}

// folderObjects are all objects of a cluster's folder.
func folderObjects(from fs.FS, folder string) (objects, error) {
	out := objects{}
	entries, err := fs.ReadDir(from, folder)
	if err != nil {
		return nil, fmt.Errorf("reading the dump: %w", err)
	}
	for _, entry := range entries {
		if !strings.HasSuffix(entry.Name(), ".yaml") {
			continue
		}
		all, err := readObjects(from, path.Join(folder, entry.Name()))
		if err != nil {
			return nil, err
		}
		for _, o := range all {
			id, err := identity(o)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", path.Join(folder, entry.Name()), err)
			}
			out[id] = plain(o)
		}
	}
	return out, nil
}

// plain is an object without what says nothing: null times, and an empty status.
func plain(o object) object {
	for k, v := range o {
		switch v := v.(type) {
		case nil:
			delete(o, k)
		case object:
			if plain(v); k == "status" && len(v) == 0 || k == "loadBalancer" && len(v) == 0 {
				delete(o, k)
			}
		case []any:
			for _, item := range v {
				if m, ok := item.(object); ok {
					plain(m)
				}
			}
		}
	}
	return o
}
