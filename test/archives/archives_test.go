package archives

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/plugintest"
)

var binaries = flag.String("binaries", os.Getenv("KUBECTL_MESH_BINARIES"), "the folder of the plugins; they are built if it is not given")

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(plugintest.WithBinaries(binaries, m.Run))
}

// result is what is compared of a document.
type result struct {
	Findings []found           `json:"findings"`
	Unknowns []finding.Unknown `json:"unknowns"`
}

type found struct {
	ID       string           `json:"id"`
	Code     finding.Code     `json:"code"`
	Severity finding.Severity `json:"severity"`
	Clusters []string         `json:"clusters"`
	CausedBy string           `json:"causedBy"`
}

// plugins are the commands that judge, by the file with what they found live.
var plugins = map[string][]string{
	"check": {"kubectl-mesh_check"}, "certs": {"kubectl-mesh_certs", "verify"}, "network": {"kubectl-mesh_network", "verify"},
	"endpoints": {"kubectl-mesh_endpoints", "verify"},
}

// sources are what tools wrote of both clusters, with the codes that they cannot tell and that were found live, by
// plugin: of each it is said that it is not checked.
var sources = map[string]struct {
	files  string
	cannot map[string][]finding.Code
}{
	"istioctl bug-report": {
		files: "bug-report-%s.tar.gz",
		cannot: map[string][]finding.Code{ // Secrets say who is told of whom
			"check":     {"EP030", "EP031", "GW001", "SEC010", "SEC015"},
			"network":   {"GW001"},
			"endpoints": {"EP030", "EP031", "SEC010", "SEC015"},
		},
	},
	"kubectl cluster-info dump": {
		files: "cluster-info-%s.tar.gz",
		cannot: map[string][]finding.Code{ // there are no ConfigMaps either
			"check":     {"CERT002", "CERT021", "EP030", "EP031", "GW001", "SEC010", "SEC015"},
			"certs":     {"CERT002", "CERT021"},
			"network":   {"GW001"},
			"endpoints": {"EP030", "EP031", "SEC010", "SEC015"},
		},
	},
}

// What the plugins find in archives is what they found live, of all that an archive can tell; of the rest they say that it
// is not checked.
func TestArchives(t *testing.T) {
	for tool, source := range sources {
		for plugin, command := range plugins {
			t.Run(tool+" "+plugin, func(t *testing.T) {
				live := read(t, plugin+".json")
				var args []string
				for _, cluster := range []string{"east", "west"} {
					args = append(args, "--from", cluster+"="+filepath.Join("testdata", strings.ReplaceAll(source.files, "%s", cluster)))
				}
				got := run(t, append(slices.Clone(command), args...))
				for _, f := range got.Findings {
					if !slices.ContainsFunc(live.Findings, func(l found) bool { return cmp.Equal(l, f) }) {
						t.Errorf("found, and not live: %+v", f)
					}
				}
				var cannot []finding.Code
				for _, l := range live.Findings {
					if slices.ContainsFunc(got.Findings, func(f found) bool { return f.ID == l.ID }) {
						continue
					}
					switch {
					case slices.ContainsFunc(got.Unknowns, func(u finding.Unknown) bool {
						return slices.Contains(l.Clusters, u.Cluster) && slices.Contains(u.Codes, l.Code)
					}):
						cannot = append(cannot, l.Code)
					case !explains(live.Findings, got.Findings, l):
						t.Errorf("neither found, nor said not to be checked: %+v", l)
					}
				}
				slices.Sort(cannot)
				if diff := cmp.Diff(source.cannot[plugin], slices.Compact(cannot)); diff != "" {
					t.Errorf("what it cannot tell (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// explains reports whether a finding is only there to explain others, of which none is found: it is one of another
// plugin's then, or explains one that is.
func explains(live, got []found, l found) bool {
	explained := false
	for _, f := range live {
		if f.CausedBy != l.ID {
			continue
		}
		if slices.ContainsFunc(got, func(g found) bool { return g.ID == f.ID }) {
			return false
		}
		explained = true
	}
	return explained
}

func read(t *testing.T, name string) (out result) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	if len(out.Findings) == 0 {
		t.Fatalf("nothing was found live: %s", name)
	}
	return out
}

func run(t *testing.T, command []string) (out result) {
	t.Helper()
	cmd := exec.Command(filepath.Join(*binaries, command[0]), append(command[1:], "-o", "json")...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if err := json.Unmarshal(stdout.Bytes(), &out); err != nil {
		t.Fatalf("%v\n%s\n%s", err, stdout.String(), stderr.String())
	}
	return out
}
