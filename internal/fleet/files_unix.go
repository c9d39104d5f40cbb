//go:build unix

package fleet

import "syscall"

// mostFiles is how many files this process may have open, connections among them; 0 where that is
// not known.
func mostFiles() uint64 {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return 0
	}
	return uint64(limit.Cur) //nolint:unconvert // its type is another one on other systems
}
