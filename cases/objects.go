package cases

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"reflect"
	"slices"
	"strings"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	"k8s.io/apimachinery/pkg/runtime"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"

	"sigs.k8s.io/yaml"

	"github.com/kubectl-mesh/kubectl-mesh/internal/kinds"
)

// object is a manifest.
type object = map[string]any

// objects are those of a cluster, by what they are: kind, group, namespace and name.
type objects map[string]object

// deleted marks a difference that removes the base's object.
const deleted = "$delete"

// identity tells objects of a cluster apart, in whatever version they are written.
func identity(o object) (string, error) {
	group, _, grouped := strings.Cut(text(o["apiVersion"]), "/")
	if !grouped {
		group = ""
	}
	m, _ := o["metadata"].(object)
	kind, name := text(o["kind"]), text(m["name"])
	if kind == "" || text(o["apiVersion"]) == "" || (name == "" && !strings.HasSuffix(kind, "AccessReview")) {
		return "", errors.New("an object has no apiVersion, kind or metadata.name")
	}
	return strings.Join([]string{kind, group, text(m["namespace"]), name}, "/"), nil
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

// textsFile holds long texts of a case that several objects have: certificates above all.
const textsFile = "texts.yaml"

// textMark begins a value that stands for one of the texts.
const textMark = "$text:"

// longText is the length from which on Take gives a text that comes twice a name.
const longText = 300

// readTexts reads the texts of a case's folder; none where there is no file.
func readTexts(dir fs.FS, folder string) (map[string]string, error) {
	var out map[string]string
	file := path.Join(folder, textsFile)
	if _, err := fs.Stat(dir, file); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return out, readYAML(dir, file, &out)
}

// replaceTexts puts what change makes of each string in the place of it.
func replaceTexts(v any, change func(string) (string, error)) (any, error) {
	var err error
	switch v := v.(type) {
	case string:
		return change(v)
	case object:
		for k := range v {
			if v[k], err = replaceTexts(v[k], change); err != nil {
				return nil, err
			}
		}
	case []any:
		for i := range v {
			if v[i], err = replaceTexts(v[i], change); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

// writtenOut puts texts in the place of the marks that stand for them.
func writtenOut(all []object, texts map[string]string) error {
	for _, o := range all {
		if _, err := replaceTexts(o, func(s string) (string, error) {
			name, marked := strings.CutPrefix(s, textMark)
			if !marked {
				return s, nil
			}
			text, ok := texts[name]
			if !ok {
				return "", fmt.Errorf("%s has no text %q", textsFile, name)
			}
			return text, nil
		}); err != nil {
			return err
		}
	}
	return nil
}

// shorten gives long texts that come more than once names, and returns them.
func shorten(all []object) map[string]string {
	count := map[string]int{}
	each := func(change func(string) (string, error)) {
		for _, o := range all {
			_, _ = replaceTexts(o, change) // it returns no error
		}
	}
	each(func(s string) (string, error) {
		if len(s) >= longText {
			count[s]++
		}
		return s, nil
	})
	names, out := map[string]string{}, map[string]string{}
	each(func(s string) (string, error) {
		if count[s] < 2 {
			return s, nil
		}
		if names[s] == "" {
			names[s] = fmt.Sprintf("text-%d", len(names)+1)
			out[names[s]] = s
		}
		return textMark + names[s], nil
	})
	return out
}

// readObjects reads the YAML documents of a file; none where there is no file.
func readObjects(dir fs.FS, file string) ([]object, error) {
	content, err := fs.ReadFile(dir, file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading a case: %w", err)
	}
	out, err := decode(content)
	if err != nil {
		return nil, fmt.Errorf("reading a case: %s: %w", file, err)
	}
	return out, nil
}

// decode reads YAML documents, and takes lists apart.
func decode(content []byte) ([]object, error) {
	var out []object
	documents := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(content)))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		var o object
		if err := yaml.Unmarshal(document, &o); err != nil {
			return nil, err
		}
		if len(o) == 0 {
			continue
		}
		items, ok := o["items"].([]any)
		if !ok || !strings.HasSuffix(text(o["kind"]), "List") {
			out = append(out, o)
			continue
		}
		for _, item := range items {
			if o, ok := item.(object); ok {
				out = append(out, o)
			}
		}
	}
}

// merge lays differences over a base's objects, which stay as they are.
func (o objects) merge(differences []object) (objects, error) {
	out := objects{}
	maps.Copy(out, o)
	for _, d := range differences {
		id, err := identity(d)
		if err != nil {
			return nil, err
		}
		below, there := out[id]
		switch {
		case d[deleted] == true && !there:
			return nil, fmt.Errorf("%s: the base has none that could be deleted", id)
		case d[deleted] == true:
			delete(out, id)
			continue
		}
		if out[id], err = patch(below, d); err != nil {
			return nil, fmt.Errorf("%s: %w", id, err)
		}
	}
	return out, nil
}

// patch applies a JSON merge patch (RFC 7386).
func patch(below, difference object) (object, error) {
	if below == nil {
		below = object{}
	}
	from, err := json.Marshal(below)
	if err != nil {
		return nil, err
	}
	by, err := json.Marshal(difference)
	if err != nil {
		return nil, err
	}
	merged, err := jsonpatch.MergePatch(from, by)
	if err != nil {
		return nil, err
	}
	var out object
	return out, json.Unmarshal(merged, &out)
}

// sorted are the identities in the order in which objects are written.
func (o objects) sorted() []string {
	return slices.Sorted(maps.Keys(o))
}

// decode makes API objects of all that are of a kind that is known.
func (o objects) decode() ([]runtime.Object, error) {
	var out []runtime.Object
	for _, id := range o.sorted() {
		text, err := json.Marshal(o[id])
		if err != nil {
			return nil, err
		}
		decoded, _, err := kinds.Codecs().UniversalDeserializer().Decode(text, nil, nil)
		switch {
		case runtime.IsNotRegisteredError(err):
			continue
		case err != nil:
			return nil, fmt.Errorf("%s: %w", id, err)
		}
		out = append(out, decoded)
	}
	return out, nil
}

// print writes all objects as YAML documents.
func (o objects) print() ([]byte, error) {
	var all []object
	for _, id := range o.sorted() {
		all = append(all, o[id])
	}
	return manifests(all)
}

func manifests(all []object) ([]byte, error) {
	var out bytes.Buffer
	for i, o := range all {
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

// differences are what has to be laid over base to come to o.
func (o objects) differences(base objects) ([]object, error) {
	var out []object
	for _, id := range o.sorted() {
		below, there := base[id]
		switch {
		case !there:
			out = append(out, o[id])
		case !reflect.DeepEqual(below, o[id]):
			d, err := difference(below, o[id])
			if err != nil {
				return nil, fmt.Errorf("%s: %w", id, err)
			}
			out = append(out, d)
		}
	}
	for _, id := range base.sorted() {
		if _, there := o[id]; !there {
			d := naming(base[id])
			d[deleted] = true
			out = append(out, d)
		}
	}
	return out, nil
}

// difference is the merge patch from one object to another of the same identity.
func difference(from, to object) (object, error) {
	a, err := json.Marshal(from)
	if err != nil {
		return nil, err
	}
	b, err := json.Marshal(to)
	if err != nil {
		return nil, err
	}
	diff, err := jsonpatch.CreateMergePatch(a, b)
	if err != nil {
		return nil, err
	}
	var out object
	if err := json.Unmarshal(diff, &out); err != nil {
		return nil, err
	}
	named, err := patch(naming(to), out)
	if err != nil {
		return nil, err
	}
	// A merge patch drops nulls that it lays over nothing: they are what the patch is for.
	return withNulls(named, out), nil
}

// withNulls puts the nulls of a patch back into what it was merged into.
func withNulls(into, patch object) object {
	for k, v := range patch {
		switch v := v.(type) {
		case nil:
			into[k] = nil
		case object:
			below, _ := into[k].(object)
			if below == nil {
				below = object{}
			}
			into[k] = withNulls(below, v)
		}
	}
	return into
}

// naming is what tells which object it is.
func naming(o object) object {
	out := object{"apiVersion": o["apiVersion"], "kind": o["kind"]}
	if m, ok := o["metadata"].(object); ok {
		meta := object{}
		for _, k := range []string{"name", "namespace"} {
			if v, ok := m[k]; ok {
				meta[k] = v
			}
		}
		if len(meta) > 0 {
			out["metadata"] = meta
		}
	}
	return out
}
