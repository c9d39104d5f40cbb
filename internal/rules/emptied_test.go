package rules_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
)

// Whatever a cluster leaves out, no rule fails: of the objects of all fleets fields are taken away,
// or are there and empty.
func TestEmptiedFields(t *testing.T) {
	if raceDetector {
		t.Skip("it is one goroutine; make unit runs it without the race detector")
	}
	tries := 0
	eachWorld(t, *oneIn == 1, func(w *world) {
		for at, c := range w.clusters {
			for number, d := range c.documents {
				for _, field := range fieldsOf(d.value, nil) {
					n, ok := chosen(w.name, fmt.Sprint(at, number), strings.Join(field, "\x01"))
					if !ok {
						continue
					}
					tries++
					emptied(t, w, d, field, n)
				}
			}
		}
	})
	if tries < int(200_000 / *oneIn) {
		t.Errorf("only %d tries", tries)
	}
	t.Logf("%d tries", tries)
}

// emptied judges a fleet of which a field of an object is empty.
func emptied(t *testing.T, w *world, in *document, field []string, n uint) {
	t.Helper()
	name := fmt.Sprintf("%s: %s without %s", w.name, in.object.GetObjectKind().GroupVersionKind().Kind, strings.Join(field, "."))
	defer func() {
		if v := recover(); v != nil {
			t.Errorf("%s: panic: %v", name, v)
		}
	}()
	fleet := w.changed(unchanged, func(d *document) runtime.Object {
		if d != in {
			return whole(d)
		}
		return object(without(d.value, field, n))
	})
	noFailures(t, name, judge(t, fleet, w.seen))
}

// fieldsOf are the paths of all fields and items of a document, those within strings too.
func fieldsOf(value any, path []string) [][]string {
	var out [][]string
	add := func(key string, v any) {
		below := append(slices.Clone(path), key)
		out = append(append(out, below), fieldsOf(v, below)...)
	}
	switch v := value.(type) {
	case string:
		if inner, ok := nested(v); ok {
			return fieldsOf(inner, path)
		}
	case []any:
		for i, e := range v {
			add(fmt.Sprint(i), e)
		}
	case map[string]any:
		for k, e := range v {
			if len(path) > 0 || k != "kind" && k != "apiVersion" {
				add(k, e)
			}
		}
	}
	slices.SortFunc(out, slices.Compare)
	return out
}

// without is a copy of a document in which what is at the path is empty, null, or not there.
func without(value any, path []string, how uint) any {
	if len(path) == 0 {
		switch value.(type) {
		case string:
			return ""
		case float64:
			return float64(0)
		case bool:
			return false
		case []any:
			return []any{}
		case map[string]any:
			return map[string]any{}
		}
		return nil
	}
	switch v := value.(type) {
	case string:
		if inner, ok := nested(v); ok {
			if text, ok := nesting(without(inner, path, how), v); ok {
				return text
			}
		}
	case []any:
		out := slices.Clone(v)
		for i, e := range v {
			switch {
			case fmt.Sprint(i) != path[0]:
			case len(path) == 1 && how%3 == 0:
				return slices.Delete(out, i, i+1)
			case len(path) == 1 && how%3 == 1:
				out[i] = nil
			default:
				out[i] = without(e, path[1:], how)
			}
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for k, e := range v {
			switch {
			case k != path[0]:
				out[k] = e
			case len(path) == 1 && how%3 == 0:
			case len(path) == 1 && how%3 == 1:
				out[k] = nil
			default:
				out[k] = without(e, path[1:], how)
			}
		}
		return out
	}
	return value
}
