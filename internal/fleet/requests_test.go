package fleet

import (
	"bytes"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// -v says what was asked and how long it took, and nothing that may be a secret.
func TestTellRequests(t *testing.T) {
	var said bytes.Buffer
	answers := []func() (*http.Response, error){
		func() (*http.Response, error) { return &http.Response{Status: "200 OK"}, nil },
		func() (*http.Response, error) { return nil, errors.New("no route to host") },
	}
	next := roundTripper(func(*http.Request) (*http.Response, error) {
		answer := answers[0]
		answers = answers[1:]
		return answer()
	})
	tell := tellRequests("ea\x1bst", &said)(next)
	for range 2 {
		r, err := http.NewRequest(http.MethodGet, "https://127.0.0.1:6443/api/v1/pods?limit=500", strings.NewReader("body"))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer secret")
		if answer, err := tell.RoundTrip(r); err == nil && answer.Body != nil {
			_ = answer.Body.Close()
		}
	}
	want := regexp.MustCompile(`^ea\\x1bst: GET /api/v1/pods\?limit=500: 200 OK in \d+ ms\nea\\x1bst: GET /api/v1/pods\?limit=500: failed in \d+ ms\n$`)
	if !want.MatchString(said.String()) {
		t.Errorf("%q", said.String())
	}
}
