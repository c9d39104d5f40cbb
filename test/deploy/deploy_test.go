package deploy

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/kubectl-mesh/kubectl-mesh/internal/plugintest"
)

var binaries = flag.String("binaries", os.Getenv("KUBECTL_MESH_BINARIES"), "the folder of the plugins; they are built if it is not given")

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(plugintest.WithBinaries(binaries, m.Run))
}

// file is one of deploy/.
func file(t *testing.T, name string) string {
	t.Helper()
	return read(t, filepath.Join("../../deploy", name))
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func write(t *testing.T, name, text string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

// strictly reads YAML, and no field that is unknown.
func strictly(t *testing.T, text string, into any) {
	t.Helper()
	if err := yaml.UnmarshalStrict([]byte(text), into); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
}

// example is the folder of a recorded fleet.
func example(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("../../examples", name))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// ended is how a program ended.
type ended struct {
	code           int
	stdout, stderr string
}

// execute runs a program in a folder of its own, with these variables in place of those of who runs the test.
func execute(t *testing.T, env []string, name string, args ...string) ended {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = t.TempDir()
	cmd.Env = append([]string{"HOME=" + cmd.Dir, "KUBERC=off", "KUBECONFIG=" + filepath.Join(cmd.Dir, "none")}, env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s: %v", name, err)
	}
	return ended{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// tools is a folder with scripts by their names, and a PATH on which they come first, and then the plugins.
func tools(t *testing.T, scripts map[string]string) (path string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("these scripts are for a POSIX shell")
	}
	bin := t.TempDir()
	for name, text := range scripts {
		write(t, filepath.Join(bin, name), "#!/usr/bin/env bash\nset -eu\n"+text, 0o755)
	}
	return "PATH=" + strings.Join([]string{bin, *binaries, os.Getenv("PATH")}, string(os.PathListSeparator))
}

// README.md tells of every file.
func TestFilesAreTold(t *testing.T) {
	told := file(t, "README.md")
	err := filepath.WalkDir("../../deploy", func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == "README.md" {
			return err
		}
		name, err := filepath.Rel("../../deploy", path)
		if !strings.Contains(told, "]("+filepath.ToSlash(name)+")") {
			t.Errorf("README.md has no link to %s", name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
