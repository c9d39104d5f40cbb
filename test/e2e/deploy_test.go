//go:build unix

package e2e

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
	"github.com/kubectl-mesh/kubectl-mesh/test/bed/topology"
)

// commandsIn are the commands that the comment at the head of a file says to run.
func commandsIn(t *testing.T, text string) []string {
	t.Helper()
	var out []string
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "#") {
			break
		}
		if command, ok := strings.CutPrefix(line, "#   "); ok {
			out = append(out, strings.TrimSpace(command))
		}
	}
	if len(out) == 0 {
		t.Fatal("there are no commands in it")
	}
	return out
}

// What deploy/cronjob.yaml says to run makes a Job on real API servers that finds what an administrator finds, but
// for what takes the right to list all Secrets.
func TestCronJobOnRealServers(t *testing.T) {
	t.Parallel() // it has a fleet of its own
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	fleet := startTopology(t, ctx, topology.Topology{Clusters: []topology.Cluster{{Name: "east", Network: "n1"}, {Name: "west", Network: "n1"}}})
	_, env := kubectl(t)
	dir := filepath.Join(t.TempDir(), "deploy")
	if err := os.CopyFS(dir, os.DirFS("../../deploy")); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(fleet.Kubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(config, text, 0o600); err != nil {
		t.Fatal(err)
	}
	try := func(command string) (string, error) {
		cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", command)
		cmd.Dir, cmd.Env = dir, append(append(os.Environ(), "KUBECONFIG="+config), env...)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	run := func(command string) string {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Second) { // the token takes a moment
			out, err := try(command)
			if err == nil {
				return out
			}
			if !strings.Contains(out, "has no token") || time.Now().After(deadline) {
				t.Fatalf("%s: %v\n%s", command, err, out)
			}
		}
	}
	for _, command := range commandsIn(t, read(t, dir, "cronjob.yaml")) {
		if strings.HasSuffix(command, "# in every cluster of the fleet") {
			run("kubectl config use-context west && " + command)
			run("kubectl config use-context east")
		}
		run(command)
	}
	secret := run("kubectl -n mesh-check get secret mesh-check-fleet -o 'go-template={{.data.kubeconfig | base64decode}}'")

	// job runs what the API server has of the CronJob, and returns what its log says.
	job := func() report.CheckUp {
		t.Helper()
		var job batchv1.CronJob
		if err := json.Unmarshal([]byte(run("kubectl -n mesh-check get cronjob mesh-check -o json")), &job); err != nil {
			t.Fatal(err)
		}
		mounts := t.TempDir()
		var args []string
		for _, arg := range job.Spec.JobTemplate.Spec.Template.Spec.Containers[0].Args {
			args = append(args, strings.Replace(arg, "=/", "="+mounts+"/", 1))
		}
		for _, m := range job.Spec.JobTemplate.Spec.Template.Spec.Containers[0].VolumeMounts {
			if err := os.MkdirAll(filepath.Join(mounts, m.MountPath), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(mounts, "etc/mesh-check/kubeconfig"), []byte(secret), 0o600); err != nil {
			t.Fatal(err)
		}
		out := mesh(t, options{program: checkBinary, kubeconfig: filepath.Join(mounts, "none")}, args...)
		var doc report.CheckUp
		if err := json.Unmarshal([]byte(out.stdout), &doc); err != nil || len(doc.Clusters) != 2 {
			t.Fatalf("%v: exit code %d\n%s%s", err, out.code, out.stdout, out.stderr)
		}
		return doc
	}
	admin, _ := checkUp(t, fleet.Kubeconfig(), "--contexts", "east,west")
	found := func(doc report.CheckUp) (out []string) {
		for _, f := range doc.Findings {
			out = append(out, f.ID)
		}
		return out
	}
	doc := job()
	if diff := cmp.Diff(found(admin), found(doc)); diff != "" {
		t.Errorf("(-administrator +job):\n%s", diff)
	}
	for _, u := range doc.Unknowns {
		if u.Reason.Kind == finding.Forbidden && !slices.Equal(u.Codes, []finding.Code{"SEC002"}) {
			t.Errorf("%s: %v is not checked: %s", u.Cluster, u.Codes, u.Reason.Text)
		}
	}

	for _, command := range commandsIn(t, read(t, dir, "textfile.yaml")) {
		run(command)
	}
	if diff := cmp.Diff(found(admin), found(job())); diff != "" {
		t.Errorf("with metrics (-administrator +job):\n%s", diff)
	}
	for _, rights := range []string{"reader-linkerd.yaml", "reader-gloo.yaml", "alerts.yaml"} {
		if out, err := try("kubectl apply -f " + rights); (err == nil) != (rights != "alerts.yaml") {
			t.Errorf("%s: %v\n%s", rights, err, out)
		}
	}
}

func read(t *testing.T, dir, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
