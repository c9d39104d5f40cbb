package report

import (
	"bytes"
	"strings"
	"testing"
)

// What kubectl users type picks something out of a document; what acts on a terminal does not
// come through.
func TestTemplates(t *testing.T) {
	document := NewReport("mesh-test verify", fleet, result())
	for format, want := range map[string]string{
		"jsonpath={.summary.errors}":                      "2",
		"jsonpath=.summary.errors":                        "2",
		`jsonpath={range .findings[*]}{.code}{"\n"}{end}`: "CERT002\nCERT004\nCERT032\nCERT021\n",
		"go-template={{.summary.errors}}":                 "2",
		`go-template={{range $i, $f := .findings}}{{if $i}},{{end}}{{.code}}{{end}}{{printf "\n%d" (len .findings)}}`: "CERT002,CERT004,CERT032,CERT021\n4",
		`go-template={{if eq .summary.errors 2.0}}{{.nothing}}{{end}}`:                                                "<no value>",
		`go-template={{(index (index .findings 1).evidence 1).value}}`:                                                `CN=\x1b[31mred\u202e,` + "\nO=evil",
		`jsonpath={.findings[1].evidence[1].value}`:                                                                   `CN=\x1b[31mred\u202e,` + "\nO=evil",
	} {
		f, err := ParseFormat(format)
		if err != nil {
			t.Fatal(err)
		}
		if f.Kind() != JSON {
			t.Errorf("%s is of kind %s", format, f.Kind())
		}
		var out bytes.Buffer
		if err := Encode(&out, f, document); err != nil {
			t.Fatalf("%s: %v", format, err)
		}
		if out.String() != want {
			t.Errorf("%s writes %q, want %q", format, out.String(), want)
		}
	}
	for _, format := range []string{"jsonpath={.summary", "jsonpath={.findings[}", "custom-columns=CODE:{.code", "go-template={{.summary", "go-template={{nosuch 1}}"} {
		if _, err := ParseFormat(format); err == nil || !strings.Contains(err.Error(), "-o "+format) {
			t.Errorf("%s: %v, want an error that names it", format, err)
		}
	}
	for _, format := range []string{"jsonpath={.nothing}", "go-template={{index .findings 99}}", "go-template={{.kind.nothing}}"} {
		f, err := ParseFormat(format)
		if err != nil {
			t.Fatal(err)
		}
		if err := Encode(&bytes.Buffer{}, f, document); err == nil || !strings.Contains(err.Error(), "-o "+format) {
			t.Errorf("%s: %v, want an error that names it", format, err)
		}
	}
	if f, err := ParseFormat("yml"); f != YAML || err != nil {
		t.Errorf("yml is %q, %v", f, err)
	}
}

// A table of the user's own columns is that of kubectl: a row for each of what the document lists.
func TestCustomColumns(t *testing.T) {
	document := map[string]any{"kind": "Report", "clusters": []string{"east"}, "findings": []map[string]any{
		{"code": "GW002", "clusters": []string{"east", "west"}, "object": map[string]any{"name": "a\x1b[31mb"}}, {"code": "SEC001", "clusters": []string{"east"}},
	}}
	const spec = "custom-columns=CODE:.code,WHERE:{.clusters},FIRST:clusters[0],NAME:.object.name"
	want := "CODE     WHERE       FIRST   NAME\n" +
		`GW002    east,west   east    a\x1b[31mb` + "\n" +
		"SEC001   east        east    <none>\n"
	for _, headers := range []bool{true, false} {
		f, err := ParseFormat(spec)
		if err != nil {
			t.Fatal(err)
		}
		if !headers {
			f, want = f.WithoutHeaders(), "GW002    east,west   east   "+`a\x1b[31mb`+"\nSEC001   east        east   <none>\n"
		}
		var out bytes.Buffer
		if err := Encode(&out, f, document); err != nil || out.String() != want {
			t.Errorf("%v\n%s\nwant\n%s", err, out.String(), want)
		}
	}
	for _, format := range []string{"custom-columns=", "custom-columns=CODE", "custom-columns=CODE:.code,"} {
		if _, err := ParseFormat(format); err == nil || !strings.Contains(err.Error(), "HEADER:.path") {
			t.Errorf("%s: %v", format, err)
		}
	}
	f, err := ParseFormat(spec)
	if err != nil {
		t.Fatal(err)
	}
	if err := Encode(&bytes.Buffer{}, f, map[string]any{"version": "v1"}); err == nil {
		t.Error("a document without a list is no error")
	}
}
