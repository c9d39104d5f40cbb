package ask

import (
	"errors"
	"io"
	"strings"
	"testing"
)

// endless is a document that begins and then says the same for ever.
type endless struct {
	begin string
	again string
	sent  int
}

func (e *endless) Read(p []byte) (int, error) {
	if e.sent == 0 {
		e.sent = copy(p, e.begin)
		return e.sent, nil
	}
	n := 0
	for n+len(e.again) <= len(p) {
		n += copy(p[n:], e.again)
	}
	if n == 0 {
		n = copy(p, e.again[:1])
	}
	e.sent += n
	return n, nil
}

// One text without an end is given up long before the document's own limit; a long
// document of short ones, and a long value that is passed over, are not.
func TestTextsAreBounded(t *testing.T) {
	for name, parse := range map[string]func(io.Reader) error{
		"proxies": func(r io.Reader) error { _, err := parseProxies(r); return err },
		"shards":  func(r io.Reader) error { _, err := newAddressSets().parseShards(r); return err },
		"ambient": func(r io.Reader) error { _, err := parseAmbient(r); return err },
	} {
		for _, begin := range []string{`"`, `[{"proxy": "`, `[{"x": "`, `{"a.b.c": {"d": {"Shards": {"`, `{"`} {
			e := &endless{begin: begin, again: "xxxxxxxx"}
			if err := parse(e); err == nil {
				t.Errorf("%s, %s: taken", name, begin)
			}
			if e.sent > 4*mostToken {
				t.Errorf("%s, %s: %d MB were read", name, begin, e.sent>>20)
			}
		}
	}
	long := `[` + strings.Repeat(`{"proxy": "a.b", "cluster_id": "east", "other": [`+strings.Repeat(`"x",`, 1000)+`"x"]},`, 5000) + `{"proxy": "c.d"}]`
	if len(long) < 4*mostToken {
		t.Fatal("it is not long")
	}
	if got, err := parseProxies(strings.NewReader(long)); err != nil || len(got) == 0 {
		t.Errorf("%d of a long document: %v", len(got), err)
	}
	if err := (&scanOf{`[` + strings.Repeat(`"x",`, 4*mostToken/4) + `"x"]`}).skip(); err != nil {
		t.Errorf("a long value is not passed over: %v", err)
	}
	if err := (&scanOf{`"` + strings.Repeat("x", 4*mostToken) + `"`}).skip(); !errors.Is(err, errTooMuch) {
		t.Errorf("a long text is passed over: %v", err)
	}
}

// scanOf is a document that is passed over as a whole.
type scanOf struct{ text string }

func (s *scanOf) skip() error { return newScan(strings.NewReader(s.text), mostSyncz).SkipValue() }
