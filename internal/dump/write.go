package dump

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
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
	err = write(fleet, rows, said, func(name string, fill func(io.Writer) error) error {
		return writeFile(filepath.Join(dir, filepath.FromSlash(name)), fill)
	})
	if err != nil {
		return err
	}
	return finish(dir, final)
}

// put writes a file, which fill fills.
type put func(name string, fill func(io.Writer) error) error

// write gives the files of a dump to put, the index last. Objects are made and written one after another.
func write(fleet *facts.Fleet, rows resource.Set, said map[string][]podaccess.Answer, put put) error {
	idx := NewIndex(fleet.At.UTC())
	idx.Beyond = fleet.Beyond
	taken := map[string]bool{IndexFile: true, unfinished: true}
	for i := range fleet.Clusters {
		c := &fleet.Clusters[i]
		entry := IndexedCluster{
			Context: c.Context, Folder: folder(c.Context, taken), Server: c.Server, SystemNamespace: c.SystemNamespace,
			Unreached: c.Unreached, Reads: map[string]IndexedRead{}, Files: map[string]string{},
		}
		put := func(file string, fill func(io.Writer) error) error {
			sum := sha256.New()
			err := put(entry.Folder+"/"+file, func(w io.Writer) error { return fill(io.MultiWriter(w, sum)) })
			if err != nil {
				return fmt.Errorf("%s: %s: %w", c.Context, file, err)
			}
			entry.Files[file] = shown(sum)
			return nil
		}
		seen := map[written]bool{}
		for _, row := range rows {
			if err := writeRow(c, row, &entry, seen, put); err != nil {
				return err
			}
		}
		for n, a := range said[c.Context] {
			file := fmt.Sprintf("%s/%d", answersDir, n+1)
			err := put(file, func(w io.Writer) error {
				_, err := w.Write(a.Text)
				return err
			})
			if err != nil {
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
	return put(IndexFile, func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	})
}

// written is an object that was written: one object can belong to two rows.
type written struct {
	kind reflect.Type
	key  string
}

// writeRow writes the objects of a row that are not written yet, into a file if there are any, and says in the index
// what became of the read.
func writeRow(c *facts.Cluster, row resource.Resource, entry *IndexedCluster, seen map[written]bool, put put) error {
	file := row.About().File
	all := 0
	var fresh []bool // of the objects, in their order
	row.Each(c, func(o runtime.Object) {
		id := written{reflect.TypeOf(o), resource.Key(o)}
		fresh = append(fresh, !seen[id])
		seen[id] = true
		all++
	})
	state, reason := row.State(c)
	if state != facts.NotAsked {
		entry.Reads[file] = IndexedRead{state, reason, count(state, all), row.Served(c)}
	}
	if !slices.Contains(fresh, true) {
		return nil
	}
	return put(file+ending, func(w io.Writer) (err error) {
		at, first := 0, true
		row.Each(c, func(o runtime.Object) {
			if err == nil && fresh[at] {
				err = writeManifest(w, o, first)
				first = false
			}
			at++
		})
		return err
	})
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
func count(state facts.State, objects int) *int {
	if state != facts.OK {
		return nil
	}
	return &objects
}

// writeManifest writes an object as a YAML document.
func writeManifest(w io.Writer, o runtime.Object, first bool) error {
	o = o.DeepCopyObject()
	gvks, _, err := kinds.Scheme().ObjectKinds(o)
	if err != nil {
		return err
	}
	o.GetObjectKind().SetGroupVersionKind(gvks[0])
	text, err := yaml.Marshal(o)
	if err != nil {
		return err
	}
	if !first {
		text = append([]byte("---\n"), text...)
	}
	_, err = w.Write(text)
	return err
}

// ending is that of the files that are written.
const ending = ".yaml"

// writeFile writes a file and the folders above it.
func writeFile(path string, fill func(io.Writer) error) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644) // #nosec G302 -- a dump is for others to read
	if err != nil {
		return err
	}
	buffer := bufio.NewWriter(file)
	return errors.Join(fill(buffer), buffer.Flush(), file.Close())
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
