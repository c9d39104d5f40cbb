package dump

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"

	"sigs.k8s.io/yaml"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/kinds"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
)

// Read reads the facts out of a folder. Without an index each folder in it is a
// cluster, named like the folder, with the given system namespace, and the
// facts are of now; a kind of which the folder holds no object is taken
// not to have been read. Objects are reduced like those that come from a
// cluster. Errors name the file.
func Read(dir fs.FS, systemNamespace string, now time.Time, rows resource.Set) (*facts.Fleet, error) {
	if _, err := fs.Stat(dir, unfinished); err == nil {
		return nil, errors.New("reading the dump: it was not finished: write it again")
	}
	text, err := readRegular(dir, IndexFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return readFolders(dir, systemNamespace, now, rows)
	case err != nil:
		return nil, fmt.Errorf("reading the dump: %w", err)
	}
	var idx index
	if err := yaml.UnmarshalStrict(text, &idx); err != nil {
		return nil, fmt.Errorf("reading the dump: %s is not an index that this version knows", IndexFile) // the error quotes it
	}
	if idx.APIVersion != apiVersion || idx.Kind != kind {
		return nil, fmt.Errorf("reading the dump: %s is of %s %s, and not of %s %s", IndexFile, idx.APIVersion, idx.Kind, apiVersion, kind)
	}
	fleet := &facts.Fleet{At: idx.At, Beyond: idx.Beyond}
	for _, entry := range idx.Clusters {
		c := facts.Cluster{Context: entry.Context, Server: entry.Server, SystemNamespace: entry.SystemNamespace, Unreached: entry.Unreached}
		var folder reading
		if entry.Unreached == nil {
			if folder, err = readCluster(dir, entry.Folder, &c, rows, entry.Files); err != nil {
				return nil, err
			}
		}
		for _, row := range rows {
			read := entry.Reads[row.About().File]
			there := len(row.Objects(&c))
			row.SetState(&c, read.State, read.Reason) // an object in the folder can be another row's
			if read.Served != "" {
				row.SetServed(&c, read.Served)
			}
			switch reason := folder.bad[row.About().File]; {
			case read.State == facts.OK && reason != "":
				row.SetState(&c, facts.Failed, reason)
			case read.State == facts.OK && (there < expected(row, read) || folder.lost && read.Objects == nil):
				row.SetState(&c, facts.Failed, missing)
			}
		}
		fleet.Clusters = append(fleet.Clusters, c)
	}
	return fleet, nil
}

// missing is why a row is not known whose objects are not in the folder, though the index
// says that they were read.
const missing = "the file is missing, or not whole"

// expected is how many objects of a row there are by the index.
func expected(row resource.Resource, read indexRead) int {
	switch {
	case read.Objects != nil:
		return *read.Objects
	case row.Empty() == facts.Absent: // one object, which is there
		return 1
	default:
		return 0
	}
}

func readFolders(dir fs.FS, systemNamespace string, now time.Time, rows resource.Set) (*facts.Fleet, error) {
	entries, err := fs.ReadDir(dir, ".")
	if err != nil {
		return nil, fmt.Errorf("reading the dump: %w", err)
	}
	fleet := &facts.Fleet{At: now}
	for _, entry := range entries {
		if !entry.IsDir() || strings.HasPrefix(entry.Name(), ".") {
			continue
		}
		c := facts.Cluster{Context: entry.Name(), SystemNamespace: systemNamespace}
		folder, err := readCluster(dir, entry.Name(), &c, rows, nil)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			called := row.About().Called()
			switch state, _ := row.State(&c); {
			case folder.anyBad != "": // what is in it is not known
				row.SetState(&c, facts.Failed, folder.anyBad)
			case state == facts.OK:
			case folder.found[called], row.About().Rare && len(folder.found) > 0:
				row.SetState(&c, row.Empty(), "")
			default:
				row.SetState(&c, facts.NotAsked, "the folder holds no "+called)
			}
		}
		fleet.Clusters = append(fleet.Clusters, c)
	}
	alike(fleet, rows)
	if len(fleet.Clusters) == 0 {
		return nil, fmt.Errorf("reading the dump: there is neither %s nor a folder for each cluster in it", IndexFile)
	}
	return fleet, nil
}

// alike: whoever wrote the custom objects of a kind of one cluster wrote those of all. A folder
// without any, beside one with some, is of a cluster that has none: Links are in the clusters that link
// alone. Of what every cluster has, such as Services, a folder without any tells nothing.
func alike(fleet *facts.Fleet, rows resource.Set) {
	for _, row := range rows {
		if about := row.About(); !about.Custom() || about.Object != "" {
			continue
		}
		read := slices.ContainsFunc(fleet.Clusters, func(c facts.Cluster) bool {
			state, _ := row.State(&c)
			return state == facts.OK
		})
		for i := range fleet.Clusters {
			if state, _ := row.State(&fleet.Clusters[i]); read && state == facts.NotAsked {
				row.SetState(&fleet.Clusters[i], row.Empty(), "")
			}
		}
	}
}

// reading is what became of a cluster's folder.
type reading struct {
	// found are the kinds of which there was an object, or which a row would show.
	found map[string]bool
	// bad says why files could not be read, by their names without the ending; anyBad is
	// the reason of one of them.
	bad    map[string]string
	anyBad string
	// lost: there is no such folder.
	lost bool
}

// errChanged is a file that is not the one that the dump's index is of.
var errChanged = errors.New("the file was changed after the dump was written")

// readCluster reads all manifests of a cluster's folder. A file that cannot be read costs
// what is in it, and no other cluster. Where there are digests, no other files are read than
// those that have one, and none that is another one.
func readCluster(dir fs.FS, folder string, c *facts.Cluster, rows resource.Set, digests map[string]string) (reading, error) {
	out, intakes := reading{found: map[string]bool{}, bad: map[string]string{}}, newIntakes(c, rows)
	entries, err := fs.ReadDir(dir, folder)
	if errors.Is(err, fs.ErrNotExist) {
		out.lost = true // which it is where nothing was found in the cluster
		return out, nil
	}
	if err != nil {
		return out, fmt.Errorf("reading the dump of %s: %w", c.Context, err)
	}
	for _, entry := range entries {
		suffix := path.Ext(entry.Name())
		switch suffix {
		case ending, ".yml", ".json":
		default:
			continue
		}
		want, named := digests[entry.Name()]
		if digests != nil && !named {
			continue
		}
		text, err := readRegular(dir, path.Join(folder, entry.Name()))
		if err == nil && named && digest(text) != want {
			err = errChanged
		}
		var objects []runtime.Object
		if err == nil {
			objects, err = decode(text)
		}
		if err != nil {
			out.anyBad = fmt.Sprintf("%s: %v", entry.Name(), err)
			out.bad[strings.TrimSuffix(entry.Name(), suffix)] = out.anyBad
		}
		for _, o := range objects {
			for _, row := range rows {
				if row.Shows(o) {
					out.found[row.About().Called()] = true
				}
			}
			intakes.take(o)
		}
	}
	intakes.store()
	return out, nil
}

// mostFile is how large a file of a dump may be, in bytes. The pods of a cluster of 50,000 take a
// third of it.
const mostFile = 512 << 20

// readRegular reads a regular file of bounded size: a pipe would wait for ever, and a device
// has no end. Its errors quote nothing of the file.
func readRegular(dir fs.FS, name string) ([]byte, error) {
	info, err := fs.Stat(dir, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, err
	case err != nil:
		return nil, errors.New("the file cannot be read")
	case !info.Mode().IsRegular():
		return nil, errors.New("it is not a regular file")
	case info.Size() > mostFile:
		return nil, fmt.Errorf("the file is larger than %d MB", mostFile>>20)
	}
	text, err := fs.ReadFile(dir, name)
	if err != nil {
		return nil, errors.New("the file cannot be read")
	}
	return text, nil
}

// intakes take in a cluster's objects, each for every row that it belongs to.
type intakes struct {
	cluster *facts.Cluster
	rows    resource.Set
	of      []resource.Intake
}

func newIntakes(c *facts.Cluster, rows resource.Set) *intakes {
	out := &intakes{cluster: c, rows: rows}
	for _, row := range rows {
		out.of = append(out.of, row.Intake(c))
	}
	return out
}

func (i *intakes) take(o runtime.Object) {
	for at, row := range i.rows {
		if row.Belongs(i.cluster, o) {
			_ = i.of[at].Take(o) // it is of the row's type, since it belongs
		}
	}
}

// store puts what was taken into the facts; rows of which there was nothing stay as they are.
func (i *intakes) store() {
	for _, in := range i.of {
		if in.Taken() {
			in.Order()
			in.Store(i.cluster)
		}
	}
}

// decode reads YAML or JSON documents, and takes lists apart. Objects of kinds
// that Kubernetes does not have built in are passed over.
func decode(text []byte) ([]runtime.Object, error) {
	var out []runtime.Object
	documents := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096)
	for {
		var raw runtime.RawExtension
		err := documents.Decode(&raw)
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return out, errors.New("it is not YAML or JSON") // the error quotes it
		}
		if len(bytes.TrimSpace(raw.Raw)) == 0 || bytes.Equal(raw.Raw, []byte("null")) {
			continue
		}
		objects, err := decodeOne(raw.Raw)
		if err != nil {
			return out, err
		}
		out = append(out, objects...)
	}
}

func decodeOne(raw []byte) ([]runtime.Object, error) {
	o, gvk, err := kinds.Codecs().UniversalDeserializer().Decode(raw, nil, nil)
	switch {
	case runtime.IsNotRegisteredError(err):
		return nil, nil
	case err != nil && (gvk == nil || gvk.Kind == ""):
		return nil, errors.New("a document in it is not a Kubernetes object with apiVersion and kind")
	case err != nil:
		// What the decoder says may quote the object.
		return nil, fmt.Errorf("an object of kind %s in it does not fit that kind", gvk.Kind)
	}
	if l, ok := o.(*corev1.List); ok {
		var out []runtime.Object
		for _, item := range l.Items {
			objects, err := decodeOne(item.Raw)
			if err != nil {
				return nil, err
			}
			out = append(out, objects...)
		}
		return out, nil
	}
	if meta.IsListType(o) {
		return meta.ExtractList(o)
	}
	return []runtime.Object{o}, nil
}

// Fill makes facts of all objects of a cluster, as if a user who may read everything
// had asked for everything. Objects of which no row keeps anything are passed over.
func Fill(c *facts.Cluster, objects []runtime.Object, rows resource.Set) {
	intakes := newIntakes(c, rows)
	for _, o := range objects {
		intakes.take(o)
	}
	intakes.store()
	for _, row := range rows {
		if state, _ := row.State(c); state != facts.OK {
			row.SetState(c, row.Empty(), "")
		}
	}
}
