package bed

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// modulePath is the path of the module of this package.
const modulePath = "github.com/kubectl-mesh/kubectl-mesh/test/bed"

// sourceDir returns the folder of this package's source, beside which are the
// servers and the scenarios. They cannot be embedded: modules are not.
func sourceDir(ctx context.Context) (string, error) {
	if _, file, _, ok := runtime.Caller(0); ok && filepath.IsAbs(file) {
		dir := filepath.Dir(file)
		if _, err := os.Stat(filepath.Join(dir, "servers")); err == nil {
			return dir, nil
		}
	}
	// With -trimpath a binary does not know, but the module that it is used in
	// does.
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", modulePath).Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w: %s", err, strings.TrimSpace(string(exit.Stderr)))
		}
		return "", fmt.Errorf("find the source of %s: %w", modulePath, err)
	}
	return strings.TrimSpace(string(out)), nil
}
