package bed

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestClustersAreSeparate(t *testing.T) {
	ctx := t.Context()
	east, west := fleet.Cluster("east"), fleet.Cluster("west")
	resetAfter(t, east)
	if err := east.Apply(ctx, &corev1.ConfigMap{ObjectMeta: named("shop", "only-east")}); err != nil {
		t.Fatal(err)
	}
	if _, err := clientOf(t, east, Admin).CoreV1().ConfigMaps("shop").Get(ctx, "only-east", metav1.GetOptions{}); err != nil {
		t.Errorf("east: %v", err)
	}
	_, err := clientOf(t, west, Admin).CoreV1().Namespaces().Get(ctx, "shop", metav1.GetOptions{})
	if !apierrors.IsNotFound(err) {
		t.Errorf("west has the namespace of east: %v", err)
	}
	if string(east.CA()) == string(west.CA()) || east.URL() == west.URL() {
		t.Error("the clusters share a CA or a URL")
	}
}

func TestClustersByName(t *testing.T) {
	var names []string
	for _, cluster := range fleet.Clusters() {
		names = append(names, cluster.Name())
		if fleet.Cluster(cluster.Name()) != cluster {
			t.Errorf("Cluster(%q) is another", cluster.Name())
		}
	}
	if diff := cmp.Diff([]string{"east", "west"}, names); diff != "" {
		t.Error(diff)
	}
	if fleet.Cluster("north") != nil {
		t.Error("there is a cluster nobody asked for")
	}
}

func TestServerVersion(t *testing.T) {
	version, err := clientOf(t, fleet.Cluster("east"), Nobody).Discovery().ServerVersion()
	if err != nil {
		t.Fatal(err)
	}
	got := []string{version.GitVersion, version.Major, version.Minor}
	if diff := cmp.Diff([]string{kubernetesVersion, "1", "36"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestConfigErrors(t *testing.T) {
	for _, test := range []struct {
		clusters []string
		want     string
	}{
		{nil, "at least one cluster"},
		{[]string{"east", "east"}, `"east" is given twice`},
		{[]string{"../east"}, `cluster name "../east"`},
	} {
		_, err := Start(t.Context(), Config{Clusters: test.clusters, Log: io.Discard})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("clusters %q: got %v, want %q", test.clusters, err, test.want)
		}
	}
}

func TestStopLeavesNothing(t *testing.T) {
	base := t.TempDir()
	f, err := StartTopology(t.Context(), orphan, Config{Dir: base})
	if err != nil {
		t.Fatal(err)
	}
	pids := serverPIDs(f)
	if len(pids) != 5 {
		t.Errorf("there are %d servers", len(pids))
	}
	for range 2 {
		if err := f.Stop(); err != nil {
			t.Error(err)
		}
	}
	for _, pid := range pids {
		if running(t, pid) {
			t.Errorf("process %d still runs", pid)
		}
	}
	left, err := filepath.Glob(filepath.Join(base, "fleet-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestStartEndsWithItsContext(t *testing.T) {
	base := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), 700*time.Millisecond)
	defer cancel()
	_, err := Start(ctx, Config{Clusters: []string{"late"}, Dir: base})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(base, "fleet-*")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func TestStartFailureShowsTheLog(t *testing.T) {
	p, err := startProcess("server", t.TempDir(), "sh", "-c", "echo unknown flag; exit 3")
	if err != nil {
		t.Fatal(err)
	}
	err = awaitReady(t.Context(), p, func(context.Context) error { return errors.New("not yet") })
	if err == nil || !strings.Contains(err.Error(), "unknown flag") ||
		!strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("got %v", err)
	}
}

func TestStopKillsWhatDoesNotEnd(t *testing.T) {
	p, err := startProcess("server", t.TempDir(), "sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done")
	if err != nil {
		t.Fatal(err)
	}
	for !p.logHas("ready") {
		time.Sleep(pollInterval)
	}
	p.stop(200 * time.Millisecond)
	if state := p.cmd.ProcessState.String(); state != "signal: killed" {
		t.Errorf("the process ended with %q", state)
	}
}

func TestStartTriesAnotherPort(t *testing.T) {
	taken, err := HangingServer()
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	takenPort := portOf(taken)
	asked := 0
	ports := func() (int, error) {
		if asked++; asked == 1 {
			return takenPort, nil
		}
		return freePort()
	}

	binary, err := Build(t.Context(), "etcd", io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	store, err := startEtcd(t.Context(), binary, t.TempDir(), ports)
	if err != nil {
		t.Fatal(err)
	}
	defer store.stop(stopGrace)

	asked = 0
	serverBinary, err := Build(t.Context(), "kube-apiserver", io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	cluster, err := startCluster(t.Context(), clusterConfig{
		name:   "moved",
		binary: serverBinary,
		dir:    t.TempDir(),
		etcd:   store.url,
		tokens: newTokens(),
		ports:  ports,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.server.stop(stopGrace)
	if asked != 2 {
		t.Errorf("%d ports were tried, want 2", asked)
	}
}
