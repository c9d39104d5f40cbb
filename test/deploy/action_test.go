package deploy

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// action is a composite action (metadata syntax in the documentation of GitHub Actions).
type action struct {
	Name        string
	Description string
	Branding    struct{ Icon, Color string }
	Inputs      map[string]struct{ Description, Default string }
	Outputs     map[string]struct{ Description, Value string }
	Runs        struct {
		Using string
		Steps []step
	}
}

type step struct {
	ID, Name, Shell, Run string
	Env                  map[string]string
}

func theAction(t *testing.T) action {
	t.Helper()
	var a action
	strictly(t, file(t, "github-action/action.yml"), &a)
	return a
}

var expression = regexp.MustCompile(`\$\{\{ (.*?) \}\}`)

// What the action names is there, and what a workflow gives it is never part of a script.
func TestAction(t *testing.T) {
	a := theAction(t)
	if a.Runs.Using != "composite" || a.Name == "" || a.Description == "" {
		t.Errorf("%+v", a)
	}
	inputs := map[string]bool{}
	for _, s := range a.Runs.Steps {
		if s.Shell != "bash" || s.Run == "" || s.Name == "" {
			t.Errorf("%+v", s)
		}
		if strings.Contains(s.Run, "${{") {
			t.Errorf("%s: an expression is part of the script", s.Name)
		}
		for name, value := range s.Env {
			for _, e := range expression.FindAllStringSubmatch(value, -1) {
				input, is := strings.CutPrefix(e[1], "inputs.")
				if is {
					inputs[input] = true
				} else if !slices.Contains([]string{
					"github.action_ref", "runner.os", "runner.arch", "runner.temp", "env.GH_TOKEN || github.token",
				}, e[1]) {
					t.Errorf("%s: %s is %s", s.Name, name, value)
				}
			}
		}
	}
	for name, in := range a.Inputs {
		if !inputs[name] || in.Description == "" {
			t.Errorf("input %s is not used: %+v", name, in)
		}
		delete(inputs, name)
	}
	if len(inputs) > 0 {
		t.Errorf("there are no inputs %v", inputs)
	}
}

// job is the machine that a workflow runs on.
type job struct {
	t                     *testing.T
	temp, path            string
	output, summary, more string // the files of the variables GITHUB_OUTPUT, GITHUB_STEP_SUMMARY and GITHUB_PATH
}

func newJob(t *testing.T, scripts map[string]string) *job {
	t.Helper()
	j := &job{t: t, temp: t.TempDir(), path: tools(t, scripts)}
	j.output, j.summary, j.more = filepath.Join(j.temp, "output"), filepath.Join(j.temp, "summary"), filepath.Join(j.temp, "path")
	for _, name := range []string{j.output, j.summary, j.more} {
		write(t, name, "", 0o644)
	}
	return j
}

// run runs a step as a runner does.
func (j *job) run(s step, inputs map[string]string, env ...string) ended {
	j.t.Helper()
	env = append(env, j.path, "GITHUB_OUTPUT="+j.output, "GITHUB_STEP_SUMMARY="+j.summary, "GITHUB_PATH="+j.more)
	for name, value := range s.Env {
		env = append(env, name+"="+expression.ReplaceAllStringFunc(value, func(text string) string {
			switch e := expression.FindStringSubmatch(text)[1]; e {
			case "runner.temp":
				return j.temp
			case "runner.os":
				return map[string]string{"linux": "Linux", "darwin": "macOS"}[runtime.GOOS]
			case "runner.arch":
				return map[string]string{"amd64": "X64", "arm64": "ARM64"}[runtime.GOARCH]
			default:
				return inputs[e]
			}
		}))
	}
	script := filepath.Join(j.temp, "step.sh")
	write(j.t, script, s.Run, 0o644)
	return execute(j.t, env, "bash", "--noprofile", "--norc", "-eo", "pipefail", script)
}

// gh has one release, in the folder RELEASE, and notes in LOG what it is asked.
const gh = `
echo "$*" >> "$LOG"
case $1 in
release)
	patterns=()
	while [ $# -gt 0 ]; do
		if [ "$1" = --pattern ]; then patterns+=("$2"); fi
		shift
	done
	for p in "${patterns[@]}"; do cp "$RELEASE/$p" .; done ;;
attestation) test -e "$3" ;;
esac
`

// The first step installs the archive of the release, and nothing that is another one.
func TestActionInstalls(t *testing.T) {
	a := theAction(t)
	archive := fmt.Sprintf("mesh-check_%s_%s.tar.gz", runtime.GOOS, runtime.GOARCH)
	for name, c := range map[string]struct {
		inputs map[string]string
		spoil  bool
		tag    string // that is asked for
	}{
		"the latest":         {map[string]string{"github.action_ref": "main"}, false, ""},
		"that of the action": {map[string]string{"github.action_ref": "v0.2.0"}, false, "v0.2.0 "},
		"a version":          {map[string]string{"github.action_ref": "v0.2.0", "inputs.version": "v0.1.0"}, false, "v0.1.0 "},
		"another archive":    {nil, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			j := newJob(t, map[string]string{"gh": gh})
			release, log := t.TempDir(), filepath.Join(t.TempDir(), "asked")
			content := archiveOf(t, read(t, filepath.Join(*binaries, "kubectl-mesh_check")))
			sums := fmt.Sprintf("%x  %s\n%x  other.tar.gz\n", sha256.Sum256([]byte(content)), archive, sha256.Sum256(nil))
			if c.spoil {
				content += "x"
			}
			write(t, filepath.Join(release, archive), content, 0o644)
			write(t, filepath.Join(release, "checksums.txt"), sums, 0o644)
			out := j.run(a.Runs.Steps[0], c.inputs, "RELEASE="+release, "LOG="+log)
			if c.spoil {
				if out.code == 0 || read(t, j.more) != "" {
					t.Errorf("an archive with another sum is installed: %+v", out)
				}
				return
			}
			if out.code != 0 {
				t.Fatalf("%+v", out)
			}
			const of = " --repo kubectl-mesh/kubectl-mesh"
			want := "release download " + c.tag + "--repo kubectl-mesh/kubectl-mesh --pattern " + archive + " --pattern checksums.txt --clobber\n" +
				"attestation verify " + archive + of + " --signer-workflow kubectl-mesh/kubectl-mesh/.github/workflows/release.yml\n"
			if diff := cmp.Diff(want, read(t, log)); diff != "" {
				t.Error(diff)
			}
			bin := strings.TrimSpace(read(t, j.more))
			if v := execute(t, nil, filepath.Join(bin, "kubectl-mesh_check"), "version"); v.code != 0 || !strings.HasPrefix(v.stdout, "mesh-check ") {
				t.Errorf("%+v", v)
			}
		})
	}
}

// archiveOf is an archive of a release, with a program.
func archiveOf(t *testing.T, program string) string {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	w := tar.NewWriter(z)
	err := w.WriteHeader(&tar.Header{Name: "kubectl-mesh_check", Mode: 0o755, Size: int64(len(program)), Typeflag: tar.TypeReg})
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Write([]byte(program))
	if err := errors.Join(err, w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// The second step ends as mesh-check does, and leaves the files that its outputs name.
func TestActionChecks(t *testing.T) {
	a := theAction(t)
	s := a.Runs.Steps[1]
	from := func(fleet string) string { return "--from\n" + example(t, fleet) + "\n" }
	defaults := func(inputs map[string]string) map[string]string {
		out := map[string]string{}
		for name, in := range a.Inputs {
			out["inputs."+name] = in.Default
		}
		for name, value := range inputs {
			out["inputs."+name] = value
		}
		return out
	}
	for name, c := range map[string]struct {
		inputs  map[string]string
		code    string
		summary string
	}{
		"errors":       {map[string]string{"args": from("fleet")}, "1", "GW002"},
		"two clusters": {map[string]string{"args": from("fleet"), "contexts": "east,west"}, "1", "2 clusters: "},
		"healthy":      {map[string]string{"args": from("healthy")}, "0", "2 clusters: "},
		"never":        {map[string]string{"args": from("fleet"), "fail-on": "never"}, "0", "GW002"},
		"incomplete":   {map[string]string{"args": from("healthy") + "--strict\n"}, "3", "not checked"},
		"no verdict":   {map[string]string{"args": "--from\nnowhere"}, "2", ""},
		"no script":    {map[string]string{"contexts": "$(touch owned); touch owned", "args": "$(touch owned)\n`touch owned`"}, "2", ""},
	} {
		t.Run(name, func(t *testing.T) {
			j := newJob(t, nil)
			out := j.run(s, defaults(c.inputs))
			if fmt.Sprint(out.code) != c.code {
				t.Errorf("it ends with %d\n%s%s", out.code, out.stdout, out.stderr)
			}
			outputs := map[string]string{}
			for line := range strings.Lines(read(t, j.output)) {
				name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
				outputs[name] = value
			}
			if outputs["exit-code"] != c.code {
				t.Errorf("exit-code is %s", outputs["exit-code"])
			}
			for name, o := range a.Outputs {
				if o.Value != "${{ steps."+s.ID+".outputs."+name+" }}" || outputs[name] == "" {
					t.Errorf("output %s: %+v %v", name, o, outputs)
				}
			}
			summary := read(t, j.summary)
			if !strings.Contains(summary, c.summary) || (summary == "") != (c.summary == "") {
				t.Errorf("the summary:\n%s", summary)
			}
			for name, begin := range map[string]string{"json": "{\n", "junit": "<?xml", "sarif": "{\n"} {
				text, err := os.ReadFile(outputs[name])
				if (err == nil) != (c.summary != "") || err == nil && !strings.HasPrefix(string(text), begin) {
					t.Errorf("%s: %v %.20s", name, err, text)
				}
			}
			if found, _ := filepath.Glob(filepath.Join(j.temp, "*owned*")); found != nil || strings.Contains(out.stderr, "touch: ") {
				t.Errorf("an input was run: %v", found)
			}
		})
	}
}
