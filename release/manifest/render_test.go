package manifest

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseSums(t *testing.T) {
	a, b := strings.Repeat("a", 64), strings.Repeat("b", 64)
	got, err := ParseSums(a + "  one.tar.gz\n" + b + " *two.zip\n")
	if diff := cmp.Diff(Sums{"one.tar.gz": a, "two.zip": b}, got); diff != "" || err != nil {
		t.Error(err, diff)
	}
	for _, text := range []string{"", a, a[1:] + "  one", strings.ToUpper(a) + "  one"} {
		if got, err := ParseSums(text); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}

const small = `
kind: Plugin
spec:
  version: "{{ .Tag }}"
  platforms:
  - uri: https://example.com/{{ .Tag }}/a.tar.gz
    sha256: '{{ sha256 "a.tar.gz" }}'
  - uri: https://example.com/{{ .Tag }}/b.tar.gz
    sha256: '{{ sha256 "b.tar.gz" }}'
`

func TestRender(t *testing.T) {
	a, b := strings.Repeat("a", 64), strings.Repeat("b", 64)
	out, err := Render("small", small, "v1.2.3", Sums{"a.tar.gz": a, "b.tar.gz": b}, false)
	want := strings.NewReplacer("{{ .Tag }}", "v1.2.3", `{{ sha256 "a.tar.gz" }}`, a, `{{ sha256 "b.tar.gz" }}`, b).Replace(small)
	if diff := cmp.Diff(want, string(out)); diff != "" || err != nil {
		t.Error(err, diff)
	}
	if _, err := Render("small", small, "v1.2.3", Sums{"a.tar.gz": a}, false); err == nil || err.Error() != "the checksums lack b.tar.gz" {
		t.Error(err)
	}
	if _, err := Render("small", "{{ .Version }}", "v1.2.3", nil, false); err == nil {
		t.Error("a field that there is not is passed over")
	}
	if _, err := Render("small", "{{ .Tag", "v1.2.3", nil, false); err == nil {
		t.Error("a broken template is passed over")
	}

	// A release for some platforms alone.
	out, err = Render("small", small, "v1.2.3", Sums{"b.tar.gz": b}, true)
	if err != nil {
		t.Fatal(err)
	}
	got, err := parse(out)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Platform{{URI: "https://example.com/v1.2.3/b.tar.gz", SHA256: b}}, got.Spec.Platforms); diff != "" {
		t.Error(diff)
	}
}
