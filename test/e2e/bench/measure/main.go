// Command measure runs a command and writes its wall time in nanoseconds and its
// peak memory in bytes to standard error. It is a program of its own because the
// peak of a process counts what it had before it became the command: the memory
// of whoever started it.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

func main() {
	cmd := exec.Command(os.Args[1], os.Args[2:]...)
	cmd.Stdout = os.Stdout
	start := time.Now()
	err := cmd.Run()
	wall := time.Since(start)
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	memory := cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss
	if runtime.GOOS == "linux" {
		memory *= 1024 // there in kilobytes
	}
	fmt.Fprintln(os.Stderr, wall.Nanoseconds(), memory)
	os.Exit(cmd.ProcessState.ExitCode())
}
