package simulate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"text/template"
)

// printed is what kubectl get prints of an object where a later command reads it.
func (w *World) printed(k kubectl) ([]byte, Outcome) {
	format := k.flag("--output")
	kind, name, ok := k.object()
	if !ok || format == "" || format == "wide" {
		return nil, reads
	}
	c := w.Cluster(k.context)
	if c == nil {
		return nil, outcome(NotRead, "cluster %s was not read", k.context)
	}
	rows := w.kindOf(kind)
	namespace := k.place()
	if len(rows) > 0 && !namespaced(rows[0]) {
		namespace = ""
	}
	found, gone, why := w.find(c, rows, namespace, name)
	switch {
	case gone:
		return nil, outcome(Refused, "there is no %s %s", kind, name)
	case len(found) == 0:
		return nil, why
	}
	m, err := toMap(found.fullest(rows))
	if err != nil {
		return nil, refusal(err)
	}
	text, ok := show(format, m)
	if !ok {
		return nil, reads // for a person
	}
	return text, reads
}

// show is an object in one of kubectl's formats; false for one that is not simulated.
func show(format string, m map[string]any) ([]byte, bool) {
	if text, ok := strings.CutPrefix(format, "jsonpath="); ok {
		return jsonPath(text, m)
	}
	if text, ok := strings.CutPrefix(format, "go-template="); ok {
		t, err := template.New("").Parse(text)
		if err != nil {
			return nil, false
		}
		var out bytes.Buffer
		if t.Execute(&out, m) != nil {
			return nil, false
		}
		return out.Bytes(), true
	}
	return nil, false
}

// jsonPath is a template of texts in quotes and of fields: {"a"}{.spec.b}c.
func jsonPath(text string, m map[string]any) ([]byte, bool) {
	var out bytes.Buffer
	for text != "" {
		before, rest, found := strings.Cut(text, "{")
		out.WriteString(before)
		if !found {
			break
		}
		if quoted, err := strconv.QuotedPrefix(rest); err == nil {
			literal, err := strconv.Unquote(quoted)
			if err != nil || !strings.HasPrefix(rest[len(quoted):], "}") {
				return nil, false
			}
			out.WriteString(literal)
			text = rest[len(quoted)+1:]
			continue
		}
		path, after, closed := strings.Cut(rest, "}")
		if !closed || !strings.HasPrefix(path, ".") || strings.ContainsAny(path, "[]*@?\\ ") {
			return nil, false
		}
		var at any = m
		for part := range strings.SplitSeq(path[1:], ".") {
			in, ok := at.(map[string]any)
			if !ok {
				return nil, false
			}
			at = in[part]
		}
		switch value := at.(type) {
		case nil:
		case map[string]any, []any:
			text, err := json.Marshal(value)
			if err != nil {
				return nil, false
			}
			out.Write(text)
		default:
			fmt.Fprint(&out, value)
		}
		text = after
	}
	return out.Bytes(), true
}
