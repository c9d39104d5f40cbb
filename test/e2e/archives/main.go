// Command archives records what the tools of others write of a fleet with real control planes, and beside it what the
// plugins find there live: archives of istioctl bug-report, and the output of kubectl cluster-info dump. What no rule
// reads is left out of them, and nothing that is secret is in them.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
	"github.com/kubectl-mesh/kubectl-mesh/test/bed"
	"github.com/kubectl-mesh/kubectl-mesh/test/bed/ads"
	"github.com/kubectl-mesh/kubectl-mesh/test/bed/topology"
)

func main() {
	binaries := flag.String("binaries", "", "the folder with the plugins")
	into := flag.String("into", "", "the folder that the archives go to")
	page := flag.String("page", "", "only write what is at this URL: in pods, this is the program that istioctl asks istiod with")
	flag.Parse()
	if *page != "" {
		if err := get(context.Background(), *page, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if err := record(context.Background(), *binaries, *into); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// settles is how long what is wrong has to be there, before rules take it for wrong.
const settles = 150 * time.Second

// shop is service cart in two clusters, each on a network of its own. The gateway of west has no address yet, west's istiod
// is told of east at an address where nothing is, and has a root of its own.
func shop() topology.Topology {
	return topology.Topology{
		Everywhere: topology.Contents{
			Namespaces: []topology.Namespace{{Name: "shop", Labels: map[string]string{"istio-injection": "enabled"}}},
			Services:   []topology.Service{{Namespace: "shop", Name: "cart"}},
			Workloads:  []topology.Workload{{Namespace: "shop", Name: "cart"}},
		},
		Clusters: []topology.Cluster{
			{Name: "east", Network: "network1", Contents: topology.Contents{Gateways: []topology.Gateway{{IPs: []string{"127.1.0.81"}}}}},
			{Name: "west", Network: "network2", OwnRoot: true, Contents: topology.Contents{Gateways: []topology.Gateway{{}}}},
		},
		RemoteSecrets: []topology.RemoteSecret{{In: "east", Of: "west"}, {In: "west", Of: "east", Server: "https://127.0.0.1:1"}},
	}
}

func record(ctx context.Context, binaries, into string) (err error) {
	istioctl, err := bed.Build(ctx, "istioctl", os.Stderr)
	if err != nil {
		return err
	}
	kubectl, err := bed.Build(ctx, "kubectl", os.Stderr)
	if err != nil {
		return err
	}
	fleet, err := bed.StartTopology(ctx, shop(), bed.Config{Log: os.Stderr})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, fleet.Stop()) }()
	programs, err := os.MkdirTemp("", "archives-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(programs) }()
	for _, c := range fleet.Clusters() {
		if err := askable(fleet, c, programs); err != nil {
			return err
		}
		disconnect, err := connect(ctx, fleet, c)
		if err != nil {
			return err
		}
		defer disconnect()
	}
	fmt.Fprintf(os.Stderr, "waiting for %s until what is wrong is taken for wrong\n", settles)
	time.Sleep(settles)
	if err := os.RemoveAll(into); err != nil {
		return err
	}
	if err := os.MkdirAll(into, 0o755); err != nil {
		return err
	}
	env := append(os.Environ(), "KUBECONFIG="+fleet.Kubeconfig(), "PATH="+filepath.Dir(kubectl)+":"+os.Getenv("PATH"))
	for name, command := range map[string][]string{
		"check": {"kubectl-mesh_check"}, "certs": {"kubectl-mesh_certs", "verify"}, "network": {"kubectl-mesh_network", "verify"},
		"endpoints": {"kubectl-mesh_endpoints", "verify"},
	} {
		if err := live(ctx, env, filepath.Join(binaries, command[0]), command[1:], filepath.Join(into, name+".json")); err != nil {
			return err
		}
	}
	for _, c := range fleet.Clusters() {
		if err := bugReport(ctx, env, istioctl, c.Name(), into); err != nil {
			return fmt.Errorf("%s: %w", c.Name(), err)
		}
		if err := clusterInfo(ctx, env, kubectl, c.Name(), into); err != nil {
			return fmt.Errorf("%s: %w", c.Name(), err)
		}
	}
	return nil
}

// connect makes of a cluster what istioctl expects of one: its pods have owners, and its proxies are connected to their
// control plane.
func connect(ctx context.Context, fleet *bed.Fleet, c *bed.Cluster) (disconnect func(), err error) {
	client, err := kubernetes.NewForConfig(c.RESTConfig(bed.Admin))
	if err != nil {
		return nil, err
	}
	if err := own(ctx, client); err != nil {
		return nil, err
	}
	var open []io.Closer
	disconnect = func() {
		for _, o := range open {
			_ = o.Close()
		}
	}
	pods, err := client.CoreV1().Pods("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	for i := range pods.Items {
		pod := &pods.Items[i]
		if pod.Namespace != "shop" && pod.Labels["istio"] != "eastwestgateway" {
			continue
		}
		proxy, err := ads.FromPod(pod)
		if err != nil {
			return disconnect, err
		}
		connected, err := ads.Connect(ctx, fleet.Mesh().Istiod(c.Name()).GRPC(), proxy, ads.WithoutListeners())
		if err != nil {
			return disconnect, err
		}
		open = append(open, connected)
	}
	return disconnect, nil
}

// live writes what a plugin finds of the fleet.
func live(ctx context.Context, env []string, program string, args []string, file string) error {
	cmd := exec.CommandContext(ctx, program, append(args, "--contexts", "east,west", "-o", "json", "--fail-on", "never")...)
	cmd.Env, cmd.Stderr = env, os.Stderr
	text, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("%s: %w", program, err)
	}
	var doc struct {
		Findings []report.IdentifiedFinding `json:"findings"`
		Unknowns json.RawMessage            `json:"unknowns"`
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		return err
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(doc); err != nil {
		return err
	}
	return os.WriteFile(file, b.Bytes(), 0o644)
}

// bugReport records an archive of istioctl.
func bugReport(ctx context.Context, env []string, istioctl, name, into string) error {
	dir, err := os.MkdirTemp("", "archives-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	cmd := exec.CommandContext(ctx, istioctl, "bug-report", "--context", name, "--skip-analyze", "--skip-coredumps", "--skip-netstat",
		"--output-dir", dir, "--dir", filepath.Join(dir, "work"), "--timeout", "3m")
	cmd.Env, cmd.Dir = env, dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return pack(filepath.Join(dir, "bug-report.tar.gz"), filepath.Join(into, "bug-report-"+name+".tar.gz"))
}

// clusterInfo records what kubectl cluster-info dump writes into a folder.
func clusterInfo(ctx context.Context, env []string, kubectl, name, into string) error {
	dir, err := os.MkdirTemp("", "archives-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	cmd := exec.CommandContext(ctx, kubectl, "--context", name, "cluster-info", "dump", "-A", "--output-directory", filepath.Join(dir, name))
	cmd.Env, cmd.Dir = env, dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return packFolder(dir, filepath.Join(into, "cluster-info-"+name+".tar.gz"))
}
