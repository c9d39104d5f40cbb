package rules_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
)

// commands are those of fixes, by their text.
type commands map[string]finding.Command

func (c commands) add(result finding.Result) {
	for _, f := range result.Findings {
		for _, command := range finding.Commands(f.Fix) {
			c[command.String()] = command
		}
	}
}

// programName is what a program is called that a fix names.
var programName = regexp.MustCompile(`^[a-z][a-z0-9_.-]*$`)

// inShells has every shell that is here run the commands as if they were pasted, with functions
// that note their words in place of the programs: each command is the words that it was made of,
// and nothing else runs.
func (c commands) inShells(t *testing.T) {
	t.Helper()
	shells := [][]string{
		{"bash", "--norc", "--noprofile", "-i"},
		{"zsh", "-f", "-i"}, // as macOS ships it: no comments, and history expansion
	}
	lines := slices.Sorted(maps.Keys(c))
	want := make([]string, len(lines))
	programs, files := map[string]bool{}, map[string]bool{}
	for i, line := range lines {
		var calls []string
		for part := ptr(c[line]); part != nil; part = part.Pipe {
			if !programName.MatchString(part.Args[0]) {
				t.Fatalf("%q runs %q", line, part.Args[0])
			}
			programs[part.Args[0]] = true
			calls = append(calls, fmt.Sprintf("%q", part.Args))
			if part.Into != "" {
				files[part.Into] = true
			}
		}
		slices.Sort(calls) // what a pipe joins runs at once
		want[i] = strings.Join(calls, " ")
	}
	for _, shell := range shells {
		path, err := exec.LookPath(shell[0])
		if err != nil || runtime.GOOS == "windows" { // whose bash has other paths
			t.Logf("there is no %s here", shell[0])
			continue
		}
		t.Run(shell[0], func(t *testing.T) {
			dir := t.TempDir()
			log := filepath.Join(t.TempDir(), "log")
			var script strings.Builder
			script.WriteString("PS1= PS2= PATH=/nowhere\n")
			for _, program := range slices.Sorted(maps.Keys(programs)) {
				fmt.Fprintf(&script, "function %s { builtin printf '%%s\\0' call %s \"$@\" end >> \"$LOG\"; }\n", program, program)
			}
			for i, line := range lines {
				fmt.Fprintf(&script, "builtin printf '%%s\\0' line %d >> \"$LOG\"\n%s\n", i, line)
			}
			script.WriteString("exit 0\n")
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			run := exec.CommandContext(ctx, path, shell[1:]...)
			run.Dir, run.Stdin = dir, strings.NewReader(script.String())
			run.Env = []string{"LOG=" + log, "HOME=" + dir, "TERM=dumb", "HISTFILE="}
			if out, err := run.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, tail(out))
			}
			got := recorded(t, log, len(lines))
			differ := 0
			for i := range lines {
				if diff := cmp.Diff(want[i], got[i]); diff != "" {
					if differ++; differ <= 10 {
						t.Errorf("%q runs other words (-made of +run):\n%s", lines[i], diff)
					}
				}
			}
			entries, err := os.ReadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				if !files[e.Name()] {
					t.Errorf("there is a file %q", e.Name())
				}
			}
			t.Logf("%d commands of %d programs, %d with other words", len(lines), len(programs), differ)
		})
	}
}

func ptr[T any](v T) *T { return &v }

func tail(text []byte) []byte { return text[max(0, len(text)-2000):] }

// recorded are the calls of each line, as the functions noted them.
func recorded(t *testing.T, log string, lines int) []string {
	t.Helper()
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	calls := make([][]string, lines)
	words := strings.Split(strings.TrimSuffix(string(text), "\x00"), "\x00")
	at := -1
	for i := 0; i < len(words); i++ {
		switch words[i] {
		case "line":
			at++
			if i++; fmt.Sprint(at) != words[i] {
				t.Fatalf("line %s comes after line %d", words[i], at-1)
			}
		case "call":
			end := i + slices.Index(words[i:], "end")
			calls[at] = append(calls[at], fmt.Sprintf("%q", words[i+1:end]))
			i = end
		default:
			t.Fatalf("%q was noted", words[i])
		}
	}
	out := make([]string, lines)
	for i := range calls {
		slices.Sort(calls[i])
		out[i] = strings.Join(calls[i], " ")
	}
	return out
}
