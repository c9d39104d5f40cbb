package main

import (
	"slices"
	"testing"
)

// A host name that is not resolved is not there, and keeps nobody waiting.
func TestResolve(t *testing.T) {
	got := resolve(t.Context(), []string{"localhost", "no..name", ""})
	if len(got) != 1 || !slices.Contains(got["localhost"], "127.0.0.1") && !slices.Contains(got["localhost"], "::1") {
		t.Errorf("%v", got)
	}
	if got := resolve(t.Context(), nil); len(got) != 0 {
		t.Errorf("%v", got)
	}
}
