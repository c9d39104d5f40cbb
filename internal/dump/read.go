package dump

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"

	"sigs.k8s.io/yaml"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/input"
	"github.com/kubectl-mesh/kubectl-mesh/internal/kinds"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pattern"
	"github.com/kubectl-mesh/kubectl-mesh/internal/podaccess"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource/kubernetes"
)

// Options are how files are read.
type Options struct {
	// System is the system namespace of clusters of which no index says it, and Now when they were
	// read, where nothing says it.
	System string
	Now    time.Time
	Rows   resource.Set
	// Layouts are those of tools of meshes.
	Layouts []input.Layout
	// Name is how the user calls the one cluster in the files; "" where there may be several.
	Name string
}

// Fleet is what was read.
type Fleet struct {
	*facts.Fleet
	// Answers are what pods said when they were asked, by context.
	Answers map[string]podaccess.Answers
	// By are the tools that wrote it, by context; "" for manifests that a person wrote, and for dumps.
	By map[string]string
	// Indexed: it is a dump, and all clusters were read at one time.
	Indexed bool
}

// Read reads the facts out of a folder, as ReadFiles does.
func Read(dir fs.FS, systemNamespace string, now time.Time, rows resource.Set) (*facts.Fleet, error) {
	files, err := input.FromFS(dir)
	if err != nil {
		return nil, fmt.Errorf("reading the dump: %w", err)
	}
	out, err := ReadFiles(files, Options{System: systemNamespace, Now: now, Rows: rows})
	if err != nil {
		return nil, err
	}
	return out.Fleet, nil
}

// ReadFiles reads the facts out of files. Without an index they are what tools wrote, or manifests: a
// kind of which a source may lack objects is taken not to have been read. Objects are reduced like those
// that come from a cluster. Errors name the file.
func ReadFiles(files *input.Files, o Options) (*Fleet, error) {
	root := "."
	if folders := files.Folders(); !files.Folder && len(folders) == 1 && files.Has(folders[0]+"/"+IndexFile) {
		root = folders[0] // as archives have it
	}
	files = files.Below(root)
	if files.Has(unfinished) {
		return nil, errors.New("reading the dump: it was not finished: write it again")
	}
	if !files.Has(IndexFile) || files.Single {
		return readSources(files, o)
	}
	text, err := files.Text(IndexFile)
	if err != nil {
		return nil, fmt.Errorf("reading the dump: %w", err)
	}
	return readIndexed(files, text, o)
}

// readIndexed reads a dump.
func readIndexed(files *input.Files, text []byte, o Options) (*Fleet, error) {
	var idx Index
	if err := yaml.UnmarshalStrict(text, &idx); err != nil {
		return nil, fmt.Errorf("reading the dump: %s is not an index that this version knows", IndexFile) // the error quotes it
	}
	if idx.APIVersion != apiVersion || idx.Kind != kind {
		return nil, fmt.Errorf("reading the dump: %s is of %s %s, and not of %s %s", IndexFile, idx.APIVersion, idx.Kind, apiVersion, kind)
	}
	out := &Fleet{Fleet: &facts.Fleet{At: idx.At, Beyond: idx.Beyond}, Indexed: true, Answers: map[string]podaccess.Answers{}}
	for _, entry := range idx.Clusters {
		c := facts.Cluster{Context: entry.Context, Server: entry.Server, SystemNamespace: entry.SystemNamespace, Unreached: entry.Unreached}
		var folder reading
		if entry.Unreached == nil {
			var err error
			if folder, err = readFolder(files, entry, &c, o.Rows); err != nil {
				return nil, fmt.Errorf("reading the dump of %s: %w", c.Context, err)
			}
		}
		for _, row := range o.Rows {
			read := entry.Reads[row.About().File]
			there := 0
			row.Each(&c, func(runtime.Object) { there++ })
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
		if len(entry.Answers) > 0 {
			out.Answers[c.Context] = answers{files.Below(entry.Folder), entry}
		}
		out.Clusters = append(out.Clusters, c)
	}
	if o.Name != "" {
		if len(out.Clusters) != 1 {
			return nil, fmt.Errorf("reading the dump: it is of %d clusters, and has one name", len(out.Clusters))
		}
		out.rename(0, o.Name)
	}
	return out, nil
}

// rename gives a cluster another name.
func (f *Fleet) rename(at int, name string) {
	c := &f.Clusters[at]
	if a, ok := f.Answers[c.Context]; ok {
		delete(f.Answers, c.Context)
		f.Answers[name] = a
	}
	if by, ok := f.By[c.Context]; ok {
		delete(f.By, c.Context)
		f.By[name] = by
	}
	for i := range f.Beyond {
		if f.Beyond[i].Context == c.Context {
			f.Beyond[i].Context = name
		}
	}
	c.Context = name
}

// readFolder reads the manifests of a cluster's folder: where there are digests, no other files than those
// that have one, and none that is another one.
func readFolder(files *input.Files, entry IndexedCluster, c *facts.Cluster, rows resource.Set) (reading, error) {
	below := files.Below(entry.Folder)
	var paths []string
	for _, p := range below.Paths() {
		if _, named := entry.Files[p]; entry.Files != nil && !named || strings.Contains(p, "/") {
			continue
		}
		switch path.Ext(p) {
		case ending, ".yml", ".json":
			paths = append(paths, p)
		}
	}
	if len(below.Paths()) == 0 {
		return reading{lost: true}, nil // which it is where nothing was found in the cluster
	}
	return readObjects(below, paths, nil, c, rows, entry.Files)
}

// missing is why a row is not known whose objects are not in the folder, though the index
// says that they were read.
const missing = "the file is missing, or not whole"

// expected is how many objects of a row there are by the index.
func expected(row resource.Resource, read IndexedRead) int {
	switch {
	case read.Objects != nil:
		return *read.Objects
	case row.Empty() == facts.Absent: // one object, which is there
		return 1
	default:
		return 0
	}
}

// readSources reads what tools wrote, and manifests.
func readSources(files *input.Files, o Options) (*Fleet, error) {
	found, err := input.Sources(files, append(slices.Clone(o.Layouts), input.General...), o.Name != "")
	if err != nil {
		return nil, err
	}
	out := &Fleet{Fleet: &facts.Fleet{At: o.Now}, Answers: map[string]podaccess.Answers{}, By: map[string]string{}}
	var at time.Time
	known := true
	shown := map[string]map[string]bool{} // kinds of which manifests have an object, by context
	for _, source := range found {
		c := facts.Cluster{Context: cmp.Or(o.Name, source.Context), Server: source.Server, SystemNamespace: o.System}
		if slices.ContainsFunc(out.Clusters, func(other facts.Cluster) bool { return other.Context == c.Context }) {
			return nil, fmt.Errorf("two clusters in it are called %s: name each, with --from NAME=PATH", c.Context)
		}
		seen, err := readSource(source, &c, o.Rows)
		if err != nil {
			return nil, err
		}
		if source.By == "" && !seen.Logs {
			shown[c.Context] = seen.Shown
		}
		if known = known && !source.At.IsZero(); source.At.After(at) {
			at = source.At
		}
		out.By[c.Context] = source.By
		if source.Answers != nil {
			out.Answers[c.Context] = source.Answers
		}
		out.Clusters = append(out.Clusters, c)
	}
	if known {
		out.At = at
	}
	alike(out.Fleet, o.Rows, shown)
	Apart(out.Fleet)
	return out, nil
}

// Apart notes of a fleet what cannot be compared, since its clusters were read one after another: the
// clocks of nodes, by when each last said that it is well.
func Apart(fleet *facts.Fleet) {
	if len(fleet.Clusters) < 2 {
		return
	}
	for i := range fleet.Clusters {
		if c := &fleet.Clusters[i]; c.Unreached == nil && kubernetes.Leases.Of(c).State == facts.OK {
			kubernetes.Leases.SetState(c, facts.NotAsked, "the clusters were read at different times")
		}
	}
}

// readSource reads what is there of one cluster. A row of which objects may be missing is not known.
func readSource(source *input.Source, c *facts.Cluster, rows resource.Set) (*input.Found, error) {
	got, err := readObjects(source.Files, source.Objects, source, c, rows, nil)
	if err != nil {
		return nil, err
	}
	if source.Files.Single && len(got.seen.Shown) == 0 {
		return nil, errors.New(cmp.Or(got.anyBad, "it holds no object of Kubernetes that is read"))
	}
	for _, row := range rows {
		state, _ := row.State(c)
		h := source.Holds(&got.seen, row, c.SystemNamespace)
		about := row.About()
		if text := document(source, about, &got.seen); text != nil {
			h = input.Holding{Whole: true}
			if in, ok := taken(row, c, text); ok {
				in.Store(c)
				state = facts.OK
			}
		}
		bad := got.anyBad
		if h.In != nil {
			bad = ""
			for file, why := range got.broken {
				if h.In(file) && (bad == "" || why < bad) {
					bad = why
				}
			}
		}
		switch {
		case bad != "" && (h.Whole || h.Hollow || source.By == ""): // what is in it is not known
			row.SetState(c, facts.Failed, bad)
		case h.Missing:
			row.SetState(c, facts.Absent, "")
		case h.Hollow && state != facts.OK, h.Whole && state != facts.OK:
			row.SetState(c, row.Empty(), "")
		case !h.Whole:
			row.SetState(c, facts.NotAsked, h.Why)
		}
	}
	return &got.seen, nil
}

// document is what the API server says at the path of a row; nil where the source does not tell it.
func document(source *input.Source, about *resource.About, seen *input.Found) []byte {
	if about.Path == "/apis" && source.Defined {
		return groups(seen.Definitions)
	}
	if about.Path == "" {
		return nil
	}
	return source.Documents[about.Path]
}

// groups is what an API server says at /apis of the groups of its custom resources.
func groups(definitions []input.Definition) []byte {
	type version struct {
		Version string `json:"version"`
	}
	type group struct {
		Name     string    `json:"name"`
		Versions []version `json:"versions"`
	}
	var out struct {
		Groups []group `json:"groups"`
	}
	for _, d := range definitions {
		at := slices.IndexFunc(out.Groups, func(g group) bool { return g.Name == d.Group })
		if at < 0 {
			at = len(out.Groups)
			out.Groups = append(out.Groups, group{Name: d.Group})
		}
		for _, v := range d.Versions {
			if !slices.Contains(out.Groups[at].Versions, version{v}) {
				out.Groups[at].Versions = append(out.Groups[at].Versions, version{v})
			}
		}
	}
	text, err := json.Marshal(out)
	if err != nil {
		return nil
	}
	return text
}

// taken is what a row keeps of a document that is no object of an API.
func taken(row resource.Resource, c *facts.Cluster, text []byte) (resource.Intake, bool) {
	object := row.NewObject()
	in := row.Intake(c)
	if json.Unmarshal(text, object) != nil || in.Take(object) != nil || !in.Taken() {
		return nil, false
	}
	return in, true
}

// alike: whoever wrote the custom objects of a kind of one cluster wrote those of all. Manifests
// without any, beside some with, are of a cluster that has none: Links are in the clusters that link
// alone. Of what every cluster has, such as Services, manifests without any tell nothing. shown are the
// kinds of which there is an object, of the clusters of which there are manifests alone.
func alike(fleet *facts.Fleet, rows resource.Set, shown map[string]map[string]bool) {
	for _, row := range rows {
		about := row.About()
		if !about.Custom() || about.Object != "" {
			continue
		}
		read := slices.ContainsFunc(fleet.Clusters, func(c facts.Cluster) bool {
			state, _ := row.State(&c)
			return state == facts.OK && shown[c.Context] != nil
		})
		for i := range fleet.Clusters {
			c := &fleet.Clusters[i]
			if state, _ := row.State(c); read && state == facts.NotAsked && shown[c.Context] != nil && !shown[c.Context][about.Called()] {
				row.SetState(c, row.Empty(), "")
			}
		}
	}
}

// reading is what became of the files of a cluster.
type reading struct {
	// seen is what was in them.
	seen input.Found
	// bad says why files could not be read, by their names without the ending; anyBad is
	// the reason of one of them.
	bad    map[string]string
	anyBad string
	// broken says it by their whole names.
	broken map[string]string
	// lost: there is no such folder.
	lost bool
}

// errChanged is a file that is not the one that the dump's index is of.
var errChanged = errors.New("the file was changed after the dump was written")

// readObjects reads manifests. A file that cannot be read costs what is in it, and no other cluster. Where
// there are digests a file of another one is not read. The error is that of a source which ends early.
func readObjects(
	files *input.Files, paths []string, source *input.Source, c *facts.Cluster, rows resource.Set, digests map[string]string,
) (reading, error) {
	out := reading{bad: map[string]string{}, broken: map[string]string{}, seen: input.Found{
		Shown: map[string]bool{}, Namespaces: map[string]map[string]bool{}, Served: map[string]bool{}, Named: map[string]bool{},
	}}
	intakes := newIntakes(c, rows)
	err := files.Each(paths, func(name string, text []byte, err error) {
		if want, named := digests[name]; err == nil && named && digest(text) != want {
			err = errChanged
		}
		var objects []runtime.Object
		if err == nil && source != nil && source.Lenient[name] && !looksLikeManifest(text) {
			return
		}
		if err == nil {
			if source != nil {
				if cut := withoutLogs(text); len(cut) < len(text) {
					text, out.seen.Logs = cut, true
				}
			}
			objects, err = decode(text, &out.seen.Definitions)
		}
		if err != nil {
			out.anyBad = fmt.Sprintf("%s: %v", name, err)
			out.bad[strings.TrimSuffix(name, path.Ext(name))], out.broken[name] = out.anyBad, out.anyBad
		}
		for _, o := range objects {
			for _, row := range rows {
				if row.Shows(o) {
					out.seen.Shown[row.About().Called()] = true
				}
			}
			if source != nil {
				note(&out.seen, o)
			}
			intakes.take(o)
		}
	})
	intakes.store()
	return out, err
}

// note notes what an object tells of the source that it is in.
func note(seen *input.Found, o runtime.Object) {
	m, err := meta.Accessor(o)
	if err != nil {
		return
	}
	gvks, _, err := kinds.Scheme().ObjectKinds(o)
	if err != nil {
		return
	}
	kind := gvks[0].Kind
	if m.GetUID() != "" && m.GetResourceVersion() != "" {
		seen.Served[kind] = true
	}
	if m.GetNamespace() == "" {
		return
	}
	if seen.Namespaces[kind] == nil {
		seen.Namespaces[kind] = map[string]bool{}
	}
	seen.Namespaces[kind][m.GetNamespace()] = true
	if name := input.Named(kind, m.GetNamespace(), m.GetName()); name != "" {
		seen.Named[name] = true
	}
}

// looksLikeManifest reports whether a file without an ending is worth reading.
func looksLikeManifest(text []byte) bool {
	head := bytes.TrimSpace(text[:min(len(text), 4096)])
	return bytes.HasPrefix(head, []byte("{")) && bytes.Contains(text, []byte(`"apiVersion"`)) ||
		!bytes.HasPrefix(head, []byte("{")) && startsManifest().Match(head)
}

var startsManifest = pattern.Of(`(?m)^(- )?(apiVersion|kind|items):`)

// withoutLogs is the output of "kubectl cluster-info dump" without the logs that are between the objects.
func withoutLogs(text []byte) []byte {
	const begin, end = "==== START logs for container ", "==== END logs for container "
	if !bytes.Contains(text, []byte(begin)) {
		return text
	}
	var out bytes.Buffer
	skip := false
	for line := range bytes.Lines(text) {
		switch {
		case bytes.HasPrefix(line, []byte(begin)):
			skip = true
		case bytes.HasPrefix(line, []byte(end)):
			skip = false
		case !skip:
			out.Write(line)
		}
	}
	return out.Bytes()
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
// that Kubernetes does not have built in are passed over, but for definitions of such kinds.
func decode(text []byte, definitions *[]input.Definition) ([]runtime.Object, error) {
	var out []runtime.Object
	err := kinds.Documents(text, func(document []byte) error {
		objects, err := decodeOne(document, definitions)
		out = append(out, objects...)
		return err
	})
	return out, err
}

func decodeOne(raw []byte, definitions *[]input.Definition) ([]runtime.Object, error) {
	o, gvk, err := kinds.Codecs().UniversalDeserializer().Decode(raw, nil, nil)
	if gvk != nil && strings.HasPrefix(gvk.Kind, definitionKind) { // whether or not a row reads some of them
		*definitions = append(*definitions, definitionsIn(raw)...)
	}
	switch {
	case runtime.IsNotRegisteredError(err):
		return nil, nil
	case err != nil && (gvk == nil || gvk.Kind == ""):
		return nil, kinds.ErrNoObject
	case err != nil:
		// What the decoder says may quote the object.
		return nil, fmt.Errorf("an object of kind %s in it does not fit that kind", gvk.Kind)
	}
	if l, ok := o.(*corev1.List); ok {
		var out []runtime.Object
		for _, item := range l.Items {
			objects, err := decodeOne(item.Raw, definitions)
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

// definitionKind is the kind of definitions of custom resources.
const definitionKind = "CustomResourceDefinition"

// definitionsIn is what a definition, or a list of them, defines.
func definitionsIn(raw []byte) []input.Definition {
	type definition struct {
		Spec struct {
			Group string `json:"group"`
			Names struct {
				Kind   string `json:"kind"`
				Plural string `json:"plural"`
			} `json:"names"`
			Version  string `json:"version"` // of v1beta1
			Versions []struct {
				Name   string `json:"name"`
				Served bool   `json:"served"`
			} `json:"versions"`
		} `json:"spec"`
	}
	var all struct {
		definition
		Items []definition `json:"items"`
	}
	if json.Unmarshal(raw, &all) != nil {
		return nil
	}
	var out []input.Definition
	for _, d := range append(all.Items, all.definition) {
		if d.Spec.Group == "" {
			continue
		}
		one := input.Definition{Group: d.Spec.Group, Kind: d.Spec.Names.Kind, Resource: d.Spec.Names.Plural}
		for _, v := range d.Spec.Versions {
			if v.Served {
				one.Versions = append(one.Versions, v.Name)
			}
		}
		if len(d.Spec.Versions) == 0 && d.Spec.Version != "" {
			one.Versions = []string{d.Spec.Version}
		}
		out = append(out, one)
	}
	return out
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
