package bed

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// ownerFile is locked by the process that a fleet's directory belongs to, for
// as long as that process lives: the kernel gives the lock up with the process,
// and unlike a process id it cannot come to mean another process.
const ownerFile = "owner"

// defaultBase is where fleets keep their directories unless told otherwise.
func defaultBase() string {
	return filepath.Join(os.TempDir(), fmt.Sprintf("kubectl-mesh-bed-%d", os.Getuid()))
}

// workdir is the directory of one fleet.
type workdir struct {
	path  string
	owner *fileLock
}

// newWorkdir makes a directory below base, and removes those there whose
// owners are gone.
func newWorkdir(base string) (*workdir, error) {
	if err := os.MkdirAll(base, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the fleets: %w", err)
	}
	// Until its owner is locked, a new directory looks as if it had been left.
	guard, err := lockFile(filepath.Join(base, "lock"))
	if err != nil {
		return nil, err
	}
	defer guard.unlock()

	removeAbandoned(base)
	path, err := os.MkdirTemp(base, "fleet-")
	if err != nil {
		return nil, fmt.Errorf("make the directory of a fleet: %w", err)
	}
	owner, err := lockFile(filepath.Join(path, ownerFile))
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(path))
	}
	return &workdir{path: path, owner: owner}, nil
}

// removeAbandoned removes the directories below base that no process owns. What
// it cannot remove is left to the next start: it is in nobody's way.
func removeAbandoned(base string) {
	paths, err := filepath.Glob(filepath.Join(base, "fleet-*"))
	if err != nil {
		return
	}
	for _, path := range paths {
		owner, err := tryLockFile(filepath.Join(path, ownerFile))
		if err != nil {
			continue
		}
		_ = os.RemoveAll(path)
		owner.unlock()
	}
}

// join is the path of a file in the directory.
func (w *workdir) join(elem ...string) string {
	return filepath.Join(append([]string{w.path}, elem...)...)
}

// remove ends the directory.
func (w *workdir) remove() error {
	defer w.owner.unlock()
	if err := os.RemoveAll(w.path); err != nil {
		return fmt.Errorf("remove the directory of the fleet: %w", err)
	}
	return nil
}
