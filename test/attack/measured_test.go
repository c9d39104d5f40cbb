package attack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// runs makes the test binary a program that runs another one, for so long at most, and says how much memory
// it took. The peak of a process counts what it had before it became another program: the memory
// of whoever started it, which is that of all hostile servers here.
const runs = "KUBECTL_MESH_ATTACK_RUNS"

// peaked begins the last line that it writes.
const peaked = "\npeak memory in bytes: "

// measured runs the program that the arguments name, and gives its exit code.
func measured(most time.Duration) int {
	ctx, cancel := context.WithTimeout(context.Background(), most)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[1], os.Args[2:]...)
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, runs+"=") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		fmt.Fprintln(os.Stderr, err)
		return 126
	}
	fmt.Fprintf(os.Stderr, "%s%d", peaked, peak(cmd.ProcessState))
	if code := cmd.ProcessState.ExitCode(); code >= 0 {
		return code
	}
	return 125 // a signal ended it
}

// cutPeak takes out of what a program wrote how much memory it took, in bytes.
func cutPeak(t *testing.T, stderr string) (string, int64) {
	t.Helper()
	at := strings.LastIndex(stderr, peaked)
	if at < 0 {
		t.Fatalf("it did not run: %s", short(stderr))
	}
	memory, err := strconv.ParseInt(stderr[at+len(peaked):], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return stderr[:at], memory
}
