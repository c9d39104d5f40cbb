package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"math"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istioapi"
	"github.com/kubectl-mesh/kubectl-mesh/internal/meshtest"
	"github.com/kubectl-mesh/kubectl-mesh/test/bed"
)

// A large fleet. What it costs is measured and held to no limit: all of its pods
// are kept in memory while they are judged.
const (
	scaleClusters = 5
	scalePods     = 10_000 // in each
	scaleRounds   = 3
)

// scale puts mesh-network verify on a large fleet beside kubectl get pods -A, which
// reads the pods of one of its clusters in chunks.
func scale(ctx context.Context, b *table, r runner, binary, kubectl string) (err error) {
	var names []string
	for i := range scaleClusters {
		names = append(names, fmt.Sprintf("large-%d", i+1))
	}
	fleet, err := bed.Start(ctx, bed.Config{Clusters: names})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, fleet.Stop()) }()
	if err := fill(ctx, fleet, names); err != nil {
		return err
	}
	verify := []string{"verify", "--timeout", "2m", "--contexts", strings.Join(names, ",")}
	var ours, theirs []usage
	for i := range scaleRounds + 1 {
		for _, c := range []struct {
			out  *[]usage
			args []string
		}{
			{&ours, append([]string{binary}, verify...)},
			{&theirs, []string{kubectl, "--context", names[0], "get", "pods", "-A"}},
		} {
			u, err := r.run(ctx, fleet.Kubeconfig(), c.args...)
			if err != nil {
				return err
			}
			if i > 0 { // the first fills caches
				*c.out = append(*c.out, u)
			}
		}
	}
	wall, memory := func(u usage) float64 { return u.wall.Seconds() }, func(u usage) float64 { return float64(u.memory) }
	what := fmt.Sprintf("mesh-network verify, %d clusters of %d pods", scaleClusters, scalePods)
	b.row(what+", wall time, against kubectl get pods -A on one", median(ours, wall), median(theirs, wall), seconds, math.Inf(1))
	b.row(what+", peak memory, against the same", median(ours, memory), median(theirs, memory), megabytes, math.Inf(1))

	requests, read, err := count(ctx, r, fleet, names, append([]string{binary}, verify...)...)
	if err != nil {
		return err
	}
	kubectlRequests, kubectlRead, err := count(ctx, r, fleet, names[:1], kubectl, "--context", names[0], "get", "pods", "-A")
	if err != nil {
		return err
	}
	b.note(what+", requests, kubectl's", fmt.Sprint(requests), fmt.Sprint(kubectlRequests))
	b.note(what+", bytes read, kubectl's", megabytes(float64(read)), megabytes(float64(kubectlRead)))
	return nil
}

// fill puts a healthy mesh of several networks into the clusters, with many pods
// as an injector writes them.
func fill(ctx context.Context, fleet *bed.Fleet, names []string) error {
	if err := istioapi.AddToScheme(scheme.Scheme); err != nil {
		return err
	}
	mesh := meshtest.Networked(names...)
	for _, c := range mesh.Clusters {
		c.Server = fleet.Cluster(c.Name).URL()
	}
	for i, c := range mesh.Clusters {
		cluster := fleet.Cluster(c.Name)
		if err := cluster.Apply(ctx, bed.GatewayDefinitions()...); err != nil {
			return err
		}
		model := c.Network.Pods[0]
		asInjected(model)
		if err := cluster.Apply(ctx, c.Objects()...); err != nil {
			return err
		}
		err := fleet.Multiply(ctx, c.Name, model.Namespace, model.Name, scalePods, func(n int, p *corev1.Pod) {
			p.Name, p.UID = fmt.Sprintf("helloworld-5d5c8b9f7-n%05d", n), types.UID(fmt.Sprintf("00000000-0000-4000-8000-%06d%06d", i, n))
			p.Status.PodIP = fmt.Sprintf("10.%d.%d.%d", i, 20+n/200, 1+n%200)
			p.Status.PodIPs = []corev1.PodIP{{IP: p.Status.PodIP}}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// asInjected gives a pod about as much as a sidecar injector gives to one.
func asInjected(p *corev1.Pod) {
	proxy := &p.Spec.Containers[0]
	for i := range 24 {
		proxy.Env = append(proxy.Env, corev1.EnvVar{Name: fmt.Sprintf("ISTIO_META_SETTING_%02d", i), Value: strings.Repeat("value ", 8)})
	}
	for i := range 8 {
		name := fmt.Sprintf("istio-volume-%d", i)
		proxy.VolumeMounts = append(proxy.VolumeMounts, corev1.VolumeMount{Name: name, MountPath: "/var/run/" + name})
		p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}})
	}
	proxy.Args = []string{"proxy", "sidecar", "--domain", "$(POD_NAMESPACE).svc.cluster.local", "--proxyLogLevel=warning", "--proxyComponentLogLevel=misc:error"}
	p.Spec.Containers = append(p.Spec.Containers, corev1.Container{
		Name: "app", Image: "registry.example/app:1", ImagePullPolicy: "IfNotPresent", TerminationMessagePolicy: "File",
		Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}},
	})
	p.Annotations = map[string]string{
		"sidecar.istio.io/status": strings.Repeat(`{"initContainers":["istio-init"],"containers":["istio-proxy"]},`, 6),
		"prometheus.io/scrape":    "true", "prometheus.io/port": "15020", "prometheus.io/path": "/stats/prometheus",
	}
	for _, kind := range []corev1.PodConditionType{corev1.PodScheduled, corev1.PodInitialized, corev1.ContainersReady} {
		p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{Type: kind, Status: corev1.ConditionTrue})
	}
	for _, c := range p.Spec.Containers {
		p.Status.ContainerStatuses = append(p.Status.ContainerStatuses, corev1.ContainerStatus{Name: c.Name, Image: c.Image, ImageID: c.Image + "@sha256:" + strings.Repeat("0", 64), Ready: true})
	}
}

// count runs a command once more by way of proxies that count its requests and
// the bytes of the answers, as they come over the wire.
func count(ctx context.Context, r runner, fleet *bed.Fleet, names []string, args ...string) (requests, read int64, err error) {
	var asked, got atomic.Int64
	config := map[string]any{"apiVersion": "v1", "kind": "Config"}
	var clusters, users, contexts []any
	for _, name := range names {
		cluster := fleet.Cluster(name)
		to, err := url.Parse(cluster.URL())
		if err != nil {
			return 0, 0, err
		}
		server := httptest.NewUnstartedServer(&httputil.ReverseProxy{
			Rewrite:   func(p *httputil.ProxyRequest) { p.SetURL(to) },
			Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true, DisableCompression: true},
			ModifyResponse: func(answer *http.Response) error {
				asked.Add(1)
				answer.Body = &counted{answer.Body, &got}
				return nil
			},
			ErrorLog: log.New(io.Discard, "", 0),
		})
		server.EnableHTTP2 = true
		server.StartTLS()
		defer server.Close()
		clusters = append(clusters, map[string]any{"name": name, "cluster": map[string]any{"server": server.URL, "insecure-skip-tls-verify": true}})
		users = append(users, map[string]any{"name": name, "user": map[string]any{"token": cluster.RESTConfig(bed.Admin).BearerToken}})
		contexts = append(contexts, map[string]any{"name": name, "context": map[string]any{"cluster": name, "user": name}})
	}
	config["clusters"], config["users"], config["contexts"], config["current-context"] = clusters, users, contexts, names[0]
	text, err := json.Marshal(config)
	if err != nil {
		return 0, 0, err
	}
	kubeconfig := filepath.Join(r.home, "counted")
	if err := os.WriteFile(kubeconfig, text, 0o600); err != nil {
		return 0, 0, err
	}
	if _, err := r.run(ctx, kubeconfig, args...); err != nil {
		return 0, 0, err
	}
	return asked.Load(), got.Load(), nil
}

// counted counts the bytes of an answer.
type counted struct {
	io.ReadCloser
	bytes *atomic.Int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.bytes.Add(int64(n))
	return n, err
}

// note is a row of what has no limit.
func (b *table) note(what, measured, against string) {
	fmt.Fprintf(b.w, "%s\t%s\t%s\t\t-\t\n", what, measured, against)
}
