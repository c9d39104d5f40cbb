package plugintest

import (
	"fmt"
	"os"
	"os/exec"
)

// WithBinaries runs tests that run the plugins as programs. Where folder, a flag of theirs, does not say where
// they are, they are built for the time of the run.
func WithBinaries(folder *string, tests func() int) int {
	if *folder != "" {
		return tests()
	}
	built, err := os.MkdirTemp("", "kubectl-mesh-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(built) }()
	build := exec.Command("go", "build", "-o", built, "../../plugins/...")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building the plugins: %v\n%s", err, out)
		return 1
	}
	*folder = built
	return tests()
}
