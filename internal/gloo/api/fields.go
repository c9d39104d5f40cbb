package api

import (
	"encoding/json"
	"math"
	"strconv"
)

// Fields are those of a part of an object, by name, as JSON has them.
type Fields map[string]any

// UnmarshalJSON takes whatever there is: what is no object of JSON has no fields. One object must
// not cost its whole list.
func (f *Fields) UnmarshalJSON(text []byte) error {
	var fields map[string]any
	*f = nil
	if json.Unmarshal(text, &fields) == nil {
		*f = fields
	}
	return nil
}

// at is what is at a path; nil where there is nothing.
func (f Fields) at(path ...string) any {
	var value any = map[string]any(f)
	for _, name := range path {
		fields, ok := value.(map[string]any)
		if !ok {
			return nil
		}
		value = fields[name]
	}
	return value
}

// Has reports whether there is something at a path, be it empty.
func (f Fields) Has(path ...string) bool { return f.at(path...) != nil }

// Fields are those at a path; nil where there are none.
func (f Fields) Fields(path ...string) Fields {
	fields, _ := f.at(path...).(map[string]any)
	return fields
}

// String is the text at a path; "" where there is none.
func (f Fields) String(path ...string) string {
	text, _ := f.at(path...).(string)
	return text
}

// Bool is the truth at a path; false where there is none.
func (f Fields) Bool(path ...string) bool {
	is, _ := f.at(path...).(bool)
	return is
}

// Int is the whole number at a path; 0 where there is none. Releases before 0.9 write numbers of 64
// bits as strings.
func (f Fields) Int(path ...string) int64 {
	switch n := f.at(path...).(type) {
	case float64:
		if n == math.Trunc(n) && math.Abs(n) < 1<<53 {
			return int64(n)
		}
	case string:
		if i, err := strconv.ParseInt(n, 10, 64); err == nil {
			return i
		}
	}
	return 0
}

// List are the elements of the list at a path that have fields.
func (f Fields) List(path ...string) []Fields {
	all, _ := f.at(path...).([]any)
	var out []Fields
	for _, e := range all {
		if fields, ok := e.(map[string]any); ok {
			out = append(out, fields)
		}
	}
	return out
}

// Strings are the texts in the list at a path.
func (f Fields) Strings(path ...string) []string {
	all, _ := f.at(path...).([]any)
	var out []string
	for _, e := range all {
		if text, ok := e.(string); ok {
			out = append(out, text)
		}
	}
	return out
}

// Ref names an object of the management cluster, or, with a cluster, one of another.
type Ref struct{ Namespace, Name, Cluster string }

// Ref is the reference at a path; the zero Ref where there is none.
func (f Fields) Ref(path ...string) Ref {
	r := f.Fields(path...)
	return Ref{r.String("namespace"), r.String("name"), r.String("clusterName")}
}

// Refs are the references in the list at a path.
func (f Fields) Refs(path ...string) []Ref {
	var out []Ref
	for _, r := range f.List(path...) {
		out = append(out, r.Ref())
	}
	return out
}

// Key is the reference as a key of the maps in statuses: name.namespace.cluster, with a dot at the end
// where there is no cluster.
func (r Ref) Key() string { return r.Name + "." + r.Namespace + "." + r.Cluster }
