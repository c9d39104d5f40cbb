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
	return mostOf(usage)
}

func mostOf(usage *syscall.Rusage) int64 {
	if runtime.GOOS == "darwin" {
		return usage.Maxrss // bytes there
	}
	return usage.Maxrss << 10
}

// peakOfStarted is the peak of a process that this one started itself; 0 where that tells nothing, for it counts the
// memory of who started it, which is that of all hostile servers that ran here before.
func peakOfStarted(p *os.ProcessState) int64 {
	var self syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &self); err != nil {
		return 0
	}
	if most := peak(p); most > mostOf(&self) {
		return most
	}
	return 0
}
