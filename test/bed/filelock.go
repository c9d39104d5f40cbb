package bed

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// errLocked is returned by tryLockFile for a file that another holds.
var errLocked = errors.New("locked by another process")

// fileLock is an exclusive lock on a file, which ends with its process.
type fileLock struct{ file *os.File }

// lockFile locks the file at path, waiting for whoever holds it.
func lockFile(path string) (*fileLock, error) {
	return flock(path, syscall.LOCK_EX)
}

// tryLockFile locks the file at path, or returns errLocked at once.
func tryLockFile(path string) (*fileLock, error) {
	return flock(path, syscall.LOCK_EX|syscall.LOCK_NB)
}

func flock(path string, how int) (*fileLock, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the lock file: %w", err)
	}
	for {
		err = syscall.Flock(int(file.Fd()), how)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		_ = file.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errLocked
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return &fileLock{file: file}, nil
}

// unlock gives the lock up.
func (l *fileLock) unlock() {
	// Closing the only descriptor of the file ends the lock on it.
	_ = l.file.Close()
}
