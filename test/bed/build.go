package bed

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// cacheVariable names the environment variable that says where compiled binaries
// are kept.
const cacheVariable = "KUBECTL_MESH_BED_CACHE"

// Build returns the path of one of the Binaries. It compiles it first if that
// has not been done before with these sources, flags and this version of Go,
// and tells log about it. Several processes may build at the same time.
func Build(ctx context.Context, name string, log io.Writer) (string, error) {
	b, err := binaryNamed(name)
	if err != nil {
		return "", err
	}
	source, err := sourceDir(ctx)
	if err != nil {
		return "", err
	}
	path, err := b.build(ctx, filepath.Join(source, "servers", b.module), log)
	if err != nil {
		return "", fmt.Errorf("build %s: %w", name, err)
	}
	return path, nil
}

// build returns the path of the binary, compiled from a module's folder.
func (b binary) build(ctx context.Context, moduleDir string, log io.Writer) (string, error) {
	hash, err := b.hash(ctx, moduleDir)
	if err != nil {
		return "", err
	}
	cache, err := cacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, b.name+"-"+hash)
	path := filepath.Join(dir, b.name)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}

	if err := os.MkdirAll(cache, 0o700); err != nil {
		return "", fmt.Errorf("make the cache of binaries: %w", err)
	}
	progress := startProgress(log, b.name)
	defer progress.end()
	lock, err := awaitLock(ctx, dir+".lock")
	if err != nil {
		return "", err
	}
	defer lock.unlock()
	// Whoever held the lock may have built it.
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if err := b.compile(ctx, moduleDir, dir); err != nil {
		return "", err
	}
	return path, nil
}

// compile compiles the binary into dir, which exists only if it is complete.
func (b binary) compile(ctx context.Context, moduleDir, dir string) error {
	// Left by a build that was killed.
	unfinished := dir + ".unfinished"
	if err := os.RemoveAll(unfinished); err != nil {
		return fmt.Errorf("remove an unfinished build: %w", err)
	}
	cmd := goCommand(ctx, moduleDir, "build", "-trimpath", "-buildvcs=false",
		"-tags="+b.tags, "-ldflags="+b.ldflags, "-o", filepath.Join(unfinished, b.name), b.pkg)
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Run(); err != nil {
		err = errors.Join(context.Cause(ctx), err)
		return fmt.Errorf("%w; the end of the compiler's output:\n%s", err, lastLines(output.String(), 20))
	}
	if err := os.Rename(unfinished, dir); err != nil {
		return fmt.Errorf("move the build into the cache: %w", err)
	}
	return nil
}

// hash identifies all that makes the binary what it is.
func (b binary) hash(ctx context.Context, moduleDir string) (string, error) {
	version, err := goCommand(ctx, moduleDir, "env", "GOVERSION").Output()
	if err != nil {
		return "", fmt.Errorf("find out the version of Go: %w", err)
	}
	sum := sha256.New()
	fmt.Fprintf(sum, "%s\n%s/%s\n%s\n%s\n%s\n", bytes.TrimSpace(version),
		runtime.GOOS, runtime.GOARCH, b.pkg, b.tags, b.ldflags)
	files := []string{filepath.Join(moduleDir, "go.mod"), filepath.Join(moduleDir, "go.sum")}
	if strings.HasPrefix(b.pkg, ".") {
		sources, err := filepath.Glob(filepath.Join(moduleDir, b.pkg, "*.go"))
		if err != nil {
			return "", fmt.Errorf("list the sources: %w", err)
		}
		files = append(files, sources...)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return "", fmt.Errorf("read the sources: %w", err)
		}
		fmt.Fprintf(sum, "%s %d\n%s", filepath.Base(file), len(content), content)
	}
	return fmt.Sprintf("%x", sum.Sum(nil)[:8]), nil
}

// goCommand is a go command in a module of its own right, for this machine, with
// the settings of the official binaries. It ends, with what it started, when the
// context does.
func goCommand(ctx context.Context, moduleDir string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = moduleDir
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=", "CGO_ENABLED=0",
		"GOOS="+runtime.GOOS, "GOARCH="+runtime.GOARCH)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	return cmd
}

// cacheDir is where compiled binaries are kept.
func cacheDir() (string, error) {
	if dir := os.Getenv(cacheVariable); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the cache of binaries (%s says where): %w", cacheVariable, err)
	}
	return filepath.Join(dir, "kubectl-mesh", "bed"), nil
}

// awaitLock locks a file, waiting for whoever holds it as long as the context
// allows.
func awaitLock(ctx context.Context, path string) (*fileLock, error) {
	for {
		lock, err := tryLockFile(path)
		if !errors.Is(err, errLocked) {
			return lock, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for another build: %w", context.Cause(ctx))
		case <-time.After(100 * time.Millisecond):
		}
	}
}
