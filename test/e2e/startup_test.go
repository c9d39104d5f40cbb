package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// initialised is a line that the runtime writes of each package that does something before main.
var initialised = regexp.MustCompile(`(?m)^init (\S+) @\S+ ms, \S+ ms clock, (\d+) bytes, \d+ allocs$`)

// What packages may allocate before main. A plugin that asks no cluster is there in ten
// milliseconds, and about half of it is this.
const (
	mostOwn = 280_000 // bytes, in the packages of this module
	mostAll = 1_730_000
)

// starts is how often each plugin is started; the least counts. A regular expression takes memory
// from a pool of its processor: a start that is moved to another one meanwhile counts 37 KB more.
const starts = 15

func TestLittleIsDoneBeforeMain(t *testing.T) {
	if *racing {
		t.Skip("the race detector has packages allocate more")
	}
	for _, plugin := range []string{binary, network, endpointsBinary, checkBinary} {
		own, all, out := leastBeforeMain(t, plugin)
		if name := filepath.Base(plugin); own > mostOwn || all > mostAll {
			t.Errorf("%s allocates %d bytes before main, %d of them in packages of its own; at most %d and %d are allowed\n%s",
				name, all, own, mostAll, mostOwn, out)
		}
	}
}

// leastBeforeMain gives what a plugin allocates before main in that of several starts that
// allocates least: in bytes, in the packages of this module and in all, and what the runtime says.
func leastBeforeMain(t *testing.T, plugin string) (own, all int, says string) {
	t.Helper()
	for range starts {
		cmd := exec.Command(plugin, "version")
		cmd.Env = append(os.Environ(), "GODEBUG=inittrace=1")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s version: %v\n%s", plugin, err, out)
		}
		ownNow, allNow := 0, 0
		for _, line := range initialised.FindAllStringSubmatch(string(out), -1) {
			bytes, err := strconv.Atoi(line[2])
			if err != nil {
				t.Fatal(err)
			}
			allNow += bytes
			if strings.HasPrefix(line[1], "github.com/kubectl-mesh/") {
				ownNow += bytes
			}
		}
		if allNow == 0 {
			t.Fatalf("the runtime says nothing of packages:\n%s", out)
		}
		if says == "" || ownNow < own {
			own, all, says = ownNow, allNow, string(out)
		}
	}
	return own, all, says
}
