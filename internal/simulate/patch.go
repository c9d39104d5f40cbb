package simulate

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
)

// toMap is an object as JSON has it.
func toMap(o runtime.Object) (map[string]any, error) {
	text, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	var out map[string]any
	return out, json.Unmarshal(text, &out)
}

// fromMap fills an object.
func fromMap(m map[string]any, into runtime.Object) error {
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

// mergePatch is RFC 7386.
func mergePatch(into, patch map[string]any) map[string]any {
	out := maps.Clone(into)
	if out == nil {
		out = map[string]any{}
	}
	for k, v := range patch {
		inner, isMap := v.(map[string]any)
		switch {
		case v == nil:
			delete(out, k)
		case isMap:
			there, _ := out[k].(map[string]any)
			out[k] = mergePatch(there, inner)
		default:
			out[k] = v
		}
	}
	return out
}

// errDirective is what a strategic merge patch says with directives, which no fix uses.
var errDirective = errors.New("a patch with directives")

// strategic is a strategic merge patch: lists are merged where the type's tags say so,
// by the key that they name (k8s.io/apimachinery/pkg/util/strategicpatch).
func strategic(t reflect.Type, into, patch map[string]any) (map[string]any, error) {
	out := maps.Clone(into)
	if out == nil {
		out = map[string]any{}
	}
	for k, v := range patch {
		if strings.HasPrefix(k, "$") {
			return nil, errDirective
		}
		field, tag := fieldOf(t, k)
		switch value := v.(type) {
		case nil:
			delete(out, k)
		case map[string]any:
			there, _ := out[k].(map[string]any)
			merged, err := strategic(field, there, value)
			if err != nil {
				return nil, err
			}
			out[k] = merged
		case []any:
			key := tag.Get("patchMergeKey")
			there, _ := out[k].([]any)
			if !strings.Contains(tag.Get("patchStrategy"), "merge") || len(there) == 0 {
				out[k] = value
				continue
			}
			merged, err := mergeLists(field, key, there, value)
			if err != nil {
				return nil, err
			}
			out[k] = merged
		default:
			out[k] = v
		}
	}
	return out, nil
}

// mergeLists merges the elements of a list by a key, or adds those that are missing where
// they are no objects.
func mergeLists(t reflect.Type, key string, into, patch []any) ([]any, error) {
	out := slices.Clone(into)
	for _, element := range patch {
		object, ok := element.(map[string]any)
		if !ok || key == "" {
			if !slices.ContainsFunc(out, func(o any) bool { return reflect.DeepEqual(o, element) }) {
				out = append(out, element)
			}
			continue
		}
		i := slices.IndexFunc(out, func(o any) bool {
			there, ok := o.(map[string]any)
			return ok && reflect.DeepEqual(there[key], object[key])
		})
		if i < 0 {
			out = append(out, object)
			continue
		}
		merged, err := strategic(t, out[i].(map[string]any), object)
		if err != nil {
			return nil, err
		}
		out[i] = merged
	}
	return out, nil
}

// fieldOf is the type of a field of a struct by its name in JSON, of the elements where it
// is a list, and its tags; nil where the type has none of that name.
func fieldOf(t reflect.Type, name string) (reflect.Type, reflect.StructTag) {
	t = element(t)
	if t == nil || t.Kind() != reflect.Struct {
		return nil, ""
	}
	for i := range t.NumField() {
		f := t.Field(i)
		called, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if called == name && called != "" {
			return element(f.Type), f.Tag
		}
		if called == "" && f.Anonymous {
			if inner, tag := fieldOf(f.Type, name); inner != nil {
				return inner, tag
			}
		}
	}
	return nil, ""
}

func element(t reflect.Type) reflect.Type {
	for t != nil && (t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice) {
		t = t.Elem()
	}
	return t
}

// operation is one of a JSON patch, RFC 6902.
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value"`
}

// jsonPatch is RFC 6902, of which fixes use these operations.
func jsonPatch(into map[string]any, text []byte) (map[string]any, error) {
	var operations []operation
	if err := json.Unmarshal(text, &operations); err != nil {
		return nil, err
	}
	var out any = into
	for _, o := range operations {
		var path []string
		for part := range strings.SplitSeq(strings.TrimPrefix(o.Path, "/"), "/") {
			path = append(path, strings.NewReplacer("~1", "/", "~0", "~").Replace(part))
		}
		changed, err := o.on(out, path)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", o.Op, o.Path, err)
		}
		out = changed
	}
	m, ok := out.(map[string]any)
	if !ok {
		return nil, errors.New("no object is left")
	}
	return m, nil
}

var (
	errNoPath  = errors.New("the path does not exist")
	errNotSame = errors.New("the value is another one")
	errNoOp    = errors.New("an operation that is not simulated")
)

// on is a value with the operation done at a path of it.
func (o operation) on(value any, path []string) (any, error) {
	if o.Op != "add" && o.Op != "replace" && o.Op != "remove" && o.Op != "test" {
		return nil, errNoOp
	}
	switch in := value.(type) {
	case map[string]any:
		return o.onMap(in, path)
	case []any:
		return o.onList(in, path)
	}
	return nil, errNoPath
}

func (o operation) onMap(in map[string]any, path []string) (any, error) {
	there, ok := in[path[0]]
	if !ok && (o.Op != "add" || len(path) > 1) {
		return nil, errNoPath
	}
	out := maps.Clone(in)
	switch {
	case len(path) > 1:
		inner, err := o.on(there, path[1:])
		if err != nil {
			return nil, err
		}
		out[path[0]] = inner
	case o.Op == "remove":
		delete(out, path[0])
	case o.Op == "test":
		if !reflect.DeepEqual(there, o.Value) {
			return nil, errNotSame
		}
	default:
		out[path[0]] = o.Value
	}
	return out, nil
}

func (o operation) onList(in []any, path []string) (any, error) {
	if path[0] == "-" && len(path) == 1 && o.Op == "add" {
		return append(slices.Clone(in), o.Value), nil
	}
	at, err := strconv.Atoi(path[0])
	if err != nil || at < 0 || at > len(in) || at == len(in) && (o.Op != "add" || len(path) > 1) {
		return nil, errNoPath
	}
	out := slices.Clone(in)
	switch {
	case len(path) > 1:
		inner, err := o.on(in[at], path[1:])
		if err != nil {
			return nil, err
		}
		out[at] = inner
	case o.Op == "add":
		out = slices.Insert(out, at, o.Value)
	case o.Op == "remove":
		out = slices.Delete(out, at, at+1)
	case o.Op == "test":
		if !reflect.DeepEqual(in[at], o.Value) {
			return nil, errNotSame
		}
	default:
		out[at] = o.Value
	}
	return out, nil
}
