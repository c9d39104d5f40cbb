//go:build unix

package attack

import (
	"os"
	"runtime"
	"syscall"
)

// peak is the most memory that a process took, in bytes.
func peak(p *os.ProcessState) int64 {
	usage, ok := p.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	if runtime.GOOS == "darwin" {
		return usage.Maxrss // bytes there
	}
	return usage.Maxrss << 10
}
