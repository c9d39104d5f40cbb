package report

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"k8s.io/client-go/util/jsonpath"
)

// customColumns begins the format that makes a table of a document's list, as kubectl's does:
// custom-columns=CODE:.code,WHERE:.clusters. bareColumns is that without headers.
const (
	customColumns = "custom-columns="
	bareColumns   = "custom-columns-no-headers="
)

// WithoutHeaders is the format with which a table has no headers.
func (f Format) WithoutHeaders() Format {
	if text, ok := strings.CutPrefix(string(f), customColumns); ok {
		return Format(bareColumns + text)
	}
	return f
}

// lists are the fields that hold what a document lists, of which each has one that comes first.
var lists = []string{
	"findings", "fixed", "paths", "gateways", "probes", "routes", "pairs", "certificates", "trust", "sources", "codes", "clusters", "meshes",
}

// nothing is a cell for which there is nothing in the document.
const nothing = "<none>"

// column is one of the columns that the user wants.
type column struct {
	header string
	path   *jsonpath.JSONPath
}

// parseColumns reads the columns of a format, and returns what writes them.
func parseColumns(s string) (func(io.Writer, any) error, error) {
	text, headers := strings.CutPrefix(s, customColumns)
	text = strings.TrimPrefix(text, bareColumns)
	var columns []column
	for _, spec := range strings.Split(text, ",") {
		header, path, ok := strings.Cut(spec, ":")
		if !ok || header == "" || path == "" {
			return nil, fmt.Errorf("-o %s takes columns as HEADER:.path, with commas between them", customColumns+"…")
		}
		if !strings.HasPrefix(path, "{") {
			path = "{." + strings.TrimPrefix(path, ".") + "}"
		}
		j := jsonpath.New(header).AllowMissingKeys(true)
		if err := j.Parse(path); err != nil {
			return nil, fmt.Errorf("-o %s: %w", s, err)
		}
		columns = append(columns, column{header, j})
	}
	return func(w io.Writer, data any) error { return writeColumns(w, columns, data, headers) }, nil
}

func writeColumns(w io.Writer, columns []column, data any, headers bool) error {
	document, _ := data.(map[string]any)
	var rows []any
	found := false
	for _, name := range lists {
		if rows, found = document[name].([]any); found {
			break
		}
	}
	if !found {
		return errors.New("this document has no list to make a table of")
	}
	table := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	cells := make([]string, len(columns))
	line := func(cell func(column) (string, error)) error {
		for i, c := range columns {
			text, err := cell(c)
			if err != nil {
				return err
			}
			cells[i] = text
		}
		_, err := fmt.Fprintln(table, strings.Join(cells, "\t"))
		return err
	}
	if headers {
		if err := line(func(c column) (string, error) { return c.header, nil }); err != nil {
			return err
		}
	}
	for _, row := range rows {
		if err := line(func(c column) (string, error) { return c.of(row) }); err != nil {
			return err
		}
	}
	return table.Flush()
}

// of is the cell of a row: what the path leads to, several with commas.
func (c column) of(row any) (string, error) {
	results, err := c.path.FindResults(row)
	if err != nil {
		return "", err
	}
	var out []string
	for _, values := range results {
		for _, v := range values {
			if !v.IsValid() || !v.CanInterface() || v.Interface() == nil {
				continue
			}
			var text bytes.Buffer
			if list, ok := v.Interface().([]any); ok {
				for i, item := range list {
					if i > 0 {
						text.WriteByte(',')
					}
					fmt.Fprint(&text, item)
				}
			} else {
				fmt.Fprint(&text, v.Interface())
			}
			out = append(out, strings.Join(strings.Fields(text.String()), " "))
		}
	}
	return cmp.Or(strings.Join(out, ","), nothing), nil
}
