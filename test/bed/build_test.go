package bed

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// greeter is a program that is compiled in no time.
var greeter = binary{name: "greeter", pkg: ".", ldflags: "-X main.whom=world"}

const greeterSource = `package main

var whom string

func main() { println("hello", whom) }
`

// greeterModule writes the module of the greeter and returns its folder. The
// cache is the test's own.
func greeterModule(t *testing.T, source string) string {
	t.Helper()
	t.Setenv(cacheVariable, t.TempDir())
	dir := t.TempDir()
	for name, content := range map[string]string{
		"go.mod":  "module example.com/greeter\n\ngo 1.26.0\n",
		"go.sum":  "",
		"main.go": source,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestBuild(t *testing.T) {
	dir := greeterModule(t, greeterSource)
	var builds sync.WaitGroup
	logs := make([]bytes.Buffer, 3)
	paths := make([]string, len(logs))
	for i := range logs {
		builds.Go(func() {
			var err error
			if paths[i], err = greeter.build(t.Context(), dir, &logs[i]); err != nil {
				t.Error(err)
			}
		})
	}
	builds.Wait()
	if paths[0] == "" || paths[0] != paths[1] || paths[0] != paths[2] {
		t.Fatalf("the builds are at %q", paths)
	}
	out, err := exec.Command(paths[0]).CombinedOutput()
	if err != nil || string(out) != "hello world\n" {
		t.Errorf("it said %q, %v", out, err)
	}
	if log := logs[0].String(); !strings.Contains(log, "building greeter") {
		t.Errorf("nobody was told: %q", log)
	}

	var silent bytes.Buffer
	again, err := greeter.build(t.Context(), dir, &silent)
	if err != nil || again != paths[0] || silent.Len() > 0 {
		t.Errorf("built again: %q, %v, %q", again, err, silent.String())
	}

	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(greeterSource+"// changed\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	changed, err := greeter.build(t.Context(), dir, &silent)
	if err != nil || changed == paths[0] {
		t.Errorf("a change of the source made no other build: %q, %v", changed, err)
	}
}

func TestBuildFailure(t *testing.T) {
	dir := greeterModule(t, "package main\n\nfunc main() { undefinedFunction() }\n")
	_, err := greeter.build(t.Context(), dir, &bytes.Buffer{})
	if err == nil || !strings.Contains(err.Error(), "undefined: undefinedFunction") {
		t.Errorf("got %v", err)
	}
	if _, err := Build(t.Context(), "kubelet", &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), "kube-apiserver") {
		t.Errorf("an unknown binary: %v", err)
	}
}

func TestBuildWaitsForAnother(t *testing.T) {
	dir := greeterModule(t, greeterSource)
	hash, err := greeter.hash(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	cache, err := cacheDir()
	if err != nil {
		t.Fatal(err)
	}
	lock, err := lockFile(filepath.Join(cache, greeter.name+"-"+hash+".lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err = greeter.build(ctx, dir, &bytes.Buffer{})
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "wait for another build") {
		t.Errorf("got %v", err)
	}
}
