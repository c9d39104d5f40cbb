package command

import (
	"encoding/json"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

func stamp(t *testing.T, v, c, d string) {
	t.Helper()
	before := [3]string{version, commit, date}
	version, commit, date = v, c, d
	t.Cleanup(func() { version, commit, date = before[0], before[1], before[2] })
}

func TestVersion(t *testing.T) {
	stdout, _, code := run(t, "version")
	if code != ExitOK || !regexp.MustCompile(`^mesh-test \S+ go1\.\S+ \w+/\w+\n$`).MatchString(stdout) {
		t.Errorf("exit code %d: %q", code, stdout)
	}
	stamp(t, "v1.2.3", "0123456789abcdef0123456789abcdef01234567", "2026-01-02T03:04:05Z")
	if stdout, _, _ := run(t, "version"); !strings.HasPrefix(stdout, "mesh-test v1.2.3 (commit 0123456789ab) go1.") {
		t.Errorf("of a release: %q", stdout)
	}
	stdout, stderr, code := run(t, "version", "-o", "table")
	if code != ExitFailed || stdout != "" || !strings.Contains(stderr, `"table"; -o takes one of json, yaml`) {
		t.Errorf("exit code %d: %q %q", code, stdout, stderr)
	}
}

func TestVersionDocument(t *testing.T) {
	const gitCommit = "0123456789abcdef0123456789abcdef01234567"
	here := func(v clientVersion) clientVersion {
		v.GoVersion, v.Compiler, v.Platform = runtime.Version(), runtime.Compiler, runtime.GOOS+"/"+runtime.GOARCH
		return v
	}
	for _, c := range []struct {
		name                  string
		version, commit, date string
		want                  clientVersion
	}{
		{"release", "v1.2.3", gitCommit, "2026-01-02T03:04:05Z", clientVersion{
			Major: "1", Minor: "2", GitVersion: "v1.2.3", GitCommit: gitCommit, GitTreeState: "clean", BuildDate: "2026-01-02T03:04:05Z"}},
		{"changed since", "v0.1.0-3-gabc1234-dirty", "abc1234", "", clientVersion{
			Major: "0", Minor: "1", GitVersion: "v0.1.0-3-gabc1234-dirty", GitCommit: "abc1234", GitTreeState: "dirty"}},
		{"no version", "dev", "", "", clientVersion{GitVersion: "dev"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			stamp(t, c.version, c.commit, c.date)
			want := versionDocument{Plugin: "mesh-test", ClientVersion: here(c.want)}
			want.APIVersion, want.Kind = "kubectl-mesh.dev/v1", "Version"
			for format, read := range map[string]func([]byte, any) error{
				"json": json.Unmarshal,
				"yaml": func(b []byte, into any) error { return yaml.UnmarshalStrict(b, into) },
			} {
				stdout, stderr, code := run(t, "version", "-o", format)
				var got versionDocument
				if err := read([]byte(stdout), &got); err != nil || code != ExitOK {
					t.Fatalf("exit code %d, %v: %s%s", code, err, stdout, stderr)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s: %s", format, diff)
				}
			}
		})
	}
}
