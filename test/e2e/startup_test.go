package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
)

// initialised is a line that the runtime writes of each package that does something before main.
var initialised = regexp.MustCompile(`(?m)^init (\S+) @\S+ ms, \S+ ms clock, (\d+) bytes, \d+ allocs$`)

// What packages may allocate before main. A plugin that asks no cluster is there in ten
// milliseconds, and about half of it is this.
const (
	mostOwn = 260_000 // bytes, in the packages of this module
	mostAll = 1_700_000
)

func TestLittleIsDoneBeforeMain(t *testing.T) {
	for _, plugin := range []string{binary, network, endpointsBinary, checkBinary} {
		cmd := exec.Command(plugin, "version")
		cmd.Env = append(os.Environ(), "GODEBUG=inittrace=1")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s version: %v\n%s", plugin, err, out)
		}
		own, all := 0, 0
		for _, line := range initialised.FindAllStringSubmatch(string(out), -1) {
			bytes, err := strconv.Atoi(line[2])
			if err != nil {
				t.Fatal(err)
			}
			all += bytes
			if ours, _ := regexp.MatchString(`^github\.com/kubectl-mesh/`, line[1]); ours {
				own += bytes
			}
		}
		if all == 0 {
			t.Fatalf("the runtime says nothing of packages:\n%s", out)
		}
		if name := filepath.Base(plugin); own > mostOwn || all > mostAll {
			t.Errorf("%s allocates %d bytes before main, %d of them in packages of its own; at most %d and %d are allowed\n%s",
				name, all, own, mostAll, mostOwn, out)
		}
	}
}
