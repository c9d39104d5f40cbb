package dump

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"

	"sigs.k8s.io/yaml"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/kinds"
	"github.com/kubectl-mesh/kubectl-mesh/internal/podaccess"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
)

// Write puts the facts into a folder, which it makes. What is there already has to be an
// empty folder: a dump is never mixed with another one's files, and takes the place of nothing else.
func Write(dir string, fleet *facts.Fleet, rows resource.Set) error {
	return WriteAll(dir, fleet, rows, nil)
}

// WriteAll is Write, also into an archive where the name is that of one, with what pods of the
// clusters said, by context. An archive is written beside its place first: one that is there is whole.
func WriteAll(name string, fleet *facts.Fleet, rows resource.Set, said map[string][]podaccess.Answer) error {
	var err error
	if IsArchive(name) {
		err = writeArchive(name, fleet, rows, said)
	} else {
		err = writeFolder(name, fleet, rows, said)
	}
	if err != nil {
		return fmt.Errorf("writing the dump: %w", err)
	}
	return nil
}

// writeFolder writes into a folder.
func writeFolder(final string, fleet *facts.Fleet, rows resource.Set, said map[string][]podaccess.Answer) error {
	if err := vacant(final); err != nil {
		return fmt.Errorf("%w; name a new folder", err)
	}
	final = filepath.Clean(final)
	if err := os.MkdirAll(filepath.Dir(final), 0o755); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(filepath.Dir(final), "."+filepath.Base(final)+".unfinished-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }() // nothing is there any more if all went well
	if err := os.WriteFile(filepath.Join(dir, unfinished), nil, 0o644); err != nil {
		return err
	}
	err = write(fleet, rows, said, func(name string, text []byte) error {
		return writeFile(filepath.Join(dir, filepath.FromSlash(name)), text)
	})
	if err != nil {
		return err
	}
	return finish(dir, final)
}

// write gives the files of a dump to put, the index last.
func write(fleet *facts.Fleet, rows resource.Set, said map[string][]podaccess.Answer, put func(name string, text []byte) error) error {
	idx := NewIndex(fleet.At.UTC())
	idx.Beyond = fleet.Beyond
	taken := map[string]bool{IndexFile: true, unfinished: true}
	for i := range fleet.Clusters {
		c := &fleet.Clusters[i]
		entry := IndexedCluster{
			Context: c.Context, Folder: folder(c.Context, taken), Server: c.Server, SystemNamespace: c.SystemNamespace,
			Unreached: c.Unreached, Reads: map[string]IndexedRead{}, Files: map[string]string{},
		}
		put := func(file string, text []byte) error {
			entry.Has(file, text)
			if err := put(entry.Folder+"/"+file, text); err != nil {
				return fmt.Errorf("%s: %s: %w", c.Context, file, err)
			}
			return nil
		}
		written := map[string]bool{}
		for _, row := range rows {
			file := row.About().File
			all := row.Objects(c)
			if state, reason := row.State(c); state != facts.NotAsked {
				entry.Reads[file] = IndexedRead{state, reason, count(state, all), row.Served(c)}
			}
			objects := slices.DeleteFunc(all, func(o runtime.Object) bool {
				id := fmt.Sprintf("%T %s", o, resource.Key(o))
				defer func() { written[id] = true }()
				return written[id] // one object can belong to two rows
			})
			text, err := manifests(objects)
			if err != nil {
				return fmt.Errorf("%s: %s: %w", c.Context, file, err)
			}
			if len(text) == 0 {
				continue
			}
			if err := put(file+ending, text); err != nil {
				return err
			}
		}
		for n, a := range said[c.Context] {
			file := fmt.Sprintf("%s/%d", answersDir, n+1)
			if err := put(file, a.Text); err != nil {
				return err
			}
			entry.Answers = append(entry.Answers, IndexedAnswer{Namespace: a.Namespace, Pod: a.Pod, Path: a.Path, File: file})
		}
		idx.Clusters = append(idx.Clusters, entry)
	}
	text, err := yaml.Marshal(idx)
	if err != nil {
		return err
	}
	return put(IndexFile, text)
}

// answersDir is the folder in that of a cluster with what pods said.
const answersDir = "answers"

// vacant is an error where there is something in the place of a dump.
func vacant(dir string) error {
	if dir == "" {
		return errors.New("the name of the folder is empty")
	}
	info, err := os.Lstat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s is there already, and is not a folder", dir)
	}
	entries, err := os.ReadDir(dir)
	if err == nil && len(entries) > 0 {
		err = fmt.Errorf("folder %s is not empty", dir)
	}
	return err
}

// unfinished is a file in the folder of a dump that is being written.
const unfinished = "unfinished"

// finish puts a written folder in its place, where nothing, or an empty folder, is.
func finish(dir, final string) error {
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // a dump is for others to read
		return err
	}
	if err := os.Remove(filepath.Join(dir, unfinished)); err != nil {
		return err
	}
	if err := vacant(final); err != nil { // somebody may have put something there meanwhile
		return err
	}
	if err := os.Remove(final); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Rename(dir, final)
}

// count is how many objects there are of a row that was read.
func count(state facts.State, objects []runtime.Object) *int {
	if state != facts.OK {
		return nil
	}
	n := len(objects)
	return &n
}

// manifests renders objects as one file of YAML documents.
func manifests(objects []runtime.Object) ([]byte, error) {
	var out bytes.Buffer
	for i, o := range objects {
		o = o.DeepCopyObject()
		gvks, _, err := kinds.Scheme().ObjectKinds(o)
		if err != nil {
			return nil, err
		}
		o.GetObjectKind().SetGroupVersionKind(gvks[0])
		text, err := yaml.Marshal(o)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			out.WriteString("---\n")
		}
		out.Write(text)
	}
	return out.Bytes(), nil
}

// ending is that of the files that are written.
const ending = ".yaml"

// writeFile writes a file and the folders above it.
func writeFile(path string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o644)
}

// longestFolder is how long a folder's name may be: file systems take 255 bytes.
const longestFolder = 200

// folder makes a context's name fit for a folder, and unlike those taken.
func folder(context string, taken map[string]bool) string {
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '.' {
			return r
		}
		return '_'
	}, context)
	name = strings.TrimLeft(name, ".")
	if name == "" {
		name = "cluster"
	}
	name = name[:min(len(name), longestFolder)] // it is ASCII
	unique := name
	for n := 2; taken[strings.ToLower(unique)]; n++ {
		unique = fmt.Sprintf("%s-%d", name, n)
	}
	taken[strings.ToLower(unique)] = true
	return unique
}
