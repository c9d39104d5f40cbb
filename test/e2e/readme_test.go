//go:build unix

package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// blocks returns the fenced blocks of a language in the README.
func blocks(t *testing.T, language string) []string {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile("(?s)\n```"+language+"\n(.*?)```").FindAllSubmatch(text, -1)
	if found == nil {
		t.Fatalf("the README has no block of %s", language)
	}
	var out []string
	for _, f := range found {
		out = append(out, string(f[1]))
	}
	return out
}

// The screens in the README are what their commands print on a terminal, for the
// recorded fleets.
func TestREADMEScreens(t *testing.T) {
	recordings := map[string]struct{ program, folder string }{
		"$ kubectl mesh-certs ": {binary, "broken"}, "$ kubectl mesh-network ": {network, "networks"},
		"$ kubectl mesh-endpoints ": {endpointsBinary, "services"}, "$ kubectl mesh-check ": {checkBinary, "fleet"},
	}
	seen := map[string]bool{}
	for _, want := range blocks(t, "console") {
		var got strings.Builder
		for line := range strings.Lines(want) {
			for prefix, r := range recordings {
				command, ok := strings.CutPrefix(line, prefix)
				if !ok {
					continue
				}
				seen[prefix] = true
				examples, err := filepath.Abs(filepath.Join("../../examples", r.folder))
				if err != nil {
					t.Fatal(err)
				}
				if got.Len() > 0 {
					got.WriteString("\n")
				}
				got.WriteString(line)
				screen, _ := programOnTerminal(t, r.program, fleet.Kubeconfig(), []string{"NO_COLOR=1"}, nil, append(strings.Fields(command), "--from", examples)...)
				readFrom := false // a sentence about the recording, of as many lines as its path needs
				for line := range strings.Lines(strings.ReplaceAll(screen, "\r\n", "\n")) {
					if readFrom = readFrom || strings.HasPrefix(line, "Read from "); readFrom {
						readFrom = !strings.HasSuffix(line, ".\n")
						continue
					}
					got.WriteString(strings.ReplaceAll(line, " --from "+examples, ""))
				}
			}
		}
		if diff := cmp.Diff(want, got.String()); diff != "" {
			t.Errorf("a screen of the README (-want +got):\n%s", diff)
		}
	}
	if len(seen) != len(recordings) {
		t.Errorf("of %d plugins only %v have a screen", len(recordings), seen)
	}
}
