package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/kinds"
	"github.com/kubectl-mesh/kubectl-mesh/test/bed"
	"github.com/kubectl-mesh/kubectl-mesh/test/bed/ads"
	"github.com/kubectl-mesh/kubectl-mesh/test/bed/topology"
)

// A large fleet.
const (
	scalePods   = 10_000 // in each cluster of the fleet without control planes
	scaleRounds = 3
	pause       = 30 * time.Second
	settles     = 5 * time.Minute
)

// Limits of what is judged of a large fleet, against what kubectl reads of one of its clusters.
const (
	mostNetworkTime     = 1.0
	mostNetworkMemory   = 120e6 // bytes
	mostDumpTime        = 3.0
	mostDumpMemory      = 200e6 // bytes
	mostEndpointsTime   = 2.0
	mostEndpointsMemory = 250e6 // bytes
)

// Limits of what is checked of everything in a large fleet, against mesh-endpoints verify.
const (
	mostCheckTime   = 1.3
	mostCheckMemory = 280e6 // bytes
)

// size is how large a fleet is: its clusters, and the services and pods of each.
type size struct {
	called                   string
	clusters, services, pods int
}

// large is a fleet of large clusters, medium one of a few usual ones.
var (
	large  = size{"large", 5, 1_000, scalePods}
	medium = size{"medium", 3, 100, 1_000}
)

func (s size) names() []string {
	var names []string
	for i := range s.clusters {
		names = append(names, fmt.Sprintf("%s-%d", s.called, i+1))
	}
	return names
}

func (s size) String() string {
	return fmt.Sprintf("%d clusters of %d services and %d pods", s.clusters, s.services, s.pods)
}

// scaleNetworks puts mesh-network verify on a large fleet, and a dump of all that is read of it, beside kubectl get
// pods -A, which reads the pods of one of its clusters in chunks.
func scaleNetworks(ctx context.Context, b *table, r *runner, binary, check, kubectl string, wanted func(string) bool) (err error) {
	names := large.names()
	done := b.prepares(fmt.Sprintf("filling %d clusters with %d pods each", large.clusters, scalePods))
	fleet, err := bed.Start(ctx, bed.Config{Clusters: names})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, fleet.Stop()) }()
	if err := fill(ctx, fleet, names); err != nil {
		return err
	}
	done()
	pods := []string{kubectl, "--context", names[0], "get", "pods", "-A"}
	if wanted("networks") {
		if err := b.scale(ctx, r, fleet, comparison{
			what: fmt.Sprintf("mesh-network verify, %d clusters of %d pods", large.clusters, scalePods),
			ours: []string{binary, "verify", "--timeout", "2m", "--contexts", strings.Join(names, ",")}, among: names,
			theirs: pods, time: mostNetworkTime, memory: mostNetworkMemory,
		}); err != nil {
			return err
		}
	}
	if !wanted("dump") {
		return nil
	}
	// It does not write over what is there.
	into := filepath.Join(r.home, "fleet.tar.gz")
	again := fmt.Sprintf(`rm -f %[2]s && exec %[1]s dump %[2]s --timeout 2m --contexts %[3]s`, check, into, strings.Join(names, ","))
	return b.scale(ctx, r, fleet, comparison{
		what: fmt.Sprintf("mesh-check dump, %d clusters of %d pods", large.clusters, scalePods),
		ours: []string{"bash", "-c", again}, among: names,
		theirs: pods, time: mostDumpTime, memory: mostDumpMemory,
	})
}

// comparison is a command of ours on a large fleet, and what kubectl reads of its first cluster.
type comparison struct {
	what         string
	ours, theirs []string
	among        []string // the clusters of the fleet
	against      string   // what theirs is, where it is not kubectl
	time, memory float64  // the most that ours may take: of their time, and in bytes
}

// scale measures both in turn.
func (b *table) scale(ctx context.Context, r *runner, fleet *bed.Fleet, c comparison) error {
	var err error
	done := b.prepares("waiting until " + c.what + " finds nothing")
	for deadline := time.Now().Add(settles); ; time.Sleep(10 * time.Second) { // control planes have much to read
		if _, err = r.run(ctx, fleet.Kubeconfig(), c.ours...); err == nil {
			break
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s finds something in a healthy fleet: %w", c.what, err)
		}
	}
	done()
	var ours, theirs []usage
	for i := range scaleRounds + 1 {
		for _, run := range []struct {
			out  *[]usage
			args []string
		}{{&ours, c.ours}, {&theirs, c.theirs}} {
			u, err := r.run(ctx, fleet.Kubeconfig(), run.args...)
			if err != nil {
				return err
			}
			if i > 0 { // the first fills caches
				*run.out = append(*run.out, u)
			}
		}
	}
	b.against(
		c.what+", wall time, against "+cmp.Or(c.against, "kubectl get "+strings.Join(c.theirs[4:], " ")+" on one"),
		ours, theirs, wallTime, c.time,
	)
	b.fixed(c.what+", peak memory, against what is allowed", ours, peakMemory, c.memory, 1)
	b.note(cmp.Or(c.against, "kubectl")+", peak memory", megabytes(middle(theirs, peakMemory.of)), "")

	requests, read, err := count(ctx, r, fleet, c.among, c.ours...)
	if err != nil {
		return err
	}
	among := c.among[:1]
	if c.against != "" {
		among = c.among
	}
	theirRequests, theirRead, err := count(ctx, r, fleet, among, c.theirs...)
	if err != nil {
		return err
	}
	b.note(c.what+", requests, theirs", fmt.Sprint(requests), fmt.Sprint(theirRequests))
	b.note(c.what+", bytes read, theirs", megabytes(float64(read)), megabytes(float64(theirRead)))
	return nil
}

// scaleEndpoints puts mesh-endpoints verify on a large fleet with real control planes beside
// kubectl get services,endpointslices,pods -A, and mesh-check beside it.
func scaleEndpoints(ctx context.Context, b *table, r *runner, binary, check, kubectl string, wanted func(string) bool) error {
	return onFleet(ctx, b, large, func(fleet *bed.Fleet, names []string) error {
		flags := []string{"--timeout", "2m", "--contexts", strings.Join(names, ",")}
		verify := append([]string{binary, "verify"}, flags...)
		if wanted("endpoints") {
			if err := b.scale(ctx, r, fleet, comparison{
				what: "mesh-endpoints verify, " + large.String(), ours: verify, among: names,
				theirs: []string{kubectl, "--context", names[0], "get", "services,endpointslices,pods", "-A"},
				time:   mostEndpointsTime, memory: mostEndpointsMemory,
			}); err != nil {
				return err
			}
		}
		if !wanted("check") {
			return nil
		}
		return b.scale(ctx, r, fleet, comparison{
			what: "mesh-check, " + large.String(), ours: append([]string{check}, flags...), among: names,
			theirs: verify, against: "mesh-endpoints verify", time: mostCheckTime, memory: mostCheckMemory,
		})
	})
}

// onFleet measures on a healthy fleet of a size, with real control planes.
func onFleet(ctx context.Context, b *table, of size, measure func(fleet *bed.Fleet, names []string) error) (err error) {
	const namespace, model = "sample", "model"
	top := topology.Topology{Everywhere: topology.Contents{
		Namespaces: []topology.Namespace{{Name: namespace, Labels: map[string]string{"istio-injection": "enabled"}}},
		Services:   []topology.Service{{Namespace: namespace, Name: model}},
		Workloads:  []topology.Workload{{Namespace: namespace, Name: model}},
	}}
	names := of.names()
	for i, name := range names {
		top.Clusters = append(top.Clusters, topology.Cluster{
			Name: name, Network: fmt.Sprintf("network-%d", i+1),
			Contents: topology.Contents{Gateways: []topology.Gateway{{IPs: []string{fmt.Sprintf("127.1.0.%d", i+1)}}}},
		})
	}
	done := b.prepares("filling " + of.String() + ", with their control planes")
	fleet, err := bed.StartTopology(ctx, top, bed.Config{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, fleet.Stop()) }()
	fleet.Mesh().Freeze() // else it is long until all is written again
	// As they come about in a cluster: a control plane that hears of endpoints before it
	// hears of their Service or their pods does not always come to know them.
	for _, step := range []func(context.Context, *bed.Fleet, copies) error{copyPods, copyServices, copySlices} {
		for i, name := range names {
			if err := step(ctx, fleet, copies{size: of, cluster: name, at: i, namespace: namespace, model: model}); err != nil {
				return err
			}
		}
		time.Sleep(pause)
	}
	for _, name := range names {
		connection, err := connectGateway(ctx, fleet, name)
		if err != nil {
			return err
		}
		defer func() { _ = connection.Close() }()
	}
	done()
	return measure(fleet, names)
}

func admin(fleet *bed.Fleet, cluster string) (kubernetes.Interface, error) {
	return kubernetes.NewForConfig(fleet.Cluster(cluster).RESTConfig(bed.Admin))
}

// connectGateway connects the proxy of a cluster's gateway to its control plane, as it is
// one that was started long ago.
func connectGateway(ctx context.Context, fleet *bed.Fleet, cluster string) (*ads.Connection, error) {
	client, err := admin(fleet, cluster)
	if err != nil {
		return nil, err
	}
	pod, err := client.CoreV1().Pods(topology.SystemNamespace).Get(ctx, "istio-eastwestgateway-0", metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	proxy, err := ads.FromPod(pod)
	if err != nil {
		return nil, err
	}
	return ads.Connect(ctx, fleet.Mesh().Istiod(cluster).GRPC(), proxy, ads.WithoutListeners())
}

// copies are those of a pod, its Service and its EndpointSlice, many in each of some clusters.
type copies struct {
	size
	cluster          string
	at               int // of the cluster among the others
	namespace, model string
}

// each is how many pods a Service has.
func (c copies) each() int { return c.pods / c.services }

func (c copies) service(i int) string { return fmt.Sprintf("service-%04d", i) }
func (c copies) serviceUID(i int) types.UID {
	return types.UID(fmt.Sprintf("00000000-0000-4000-9000-%06d%06d", c.at, i))
}

func (c copies) pod(i int) string {
	return fmt.Sprintf("%s-5d5c8b9f7-n%04d", c.service(i/c.each()), i%c.each())
}

func (c copies) podUID(i int) types.UID {
	return types.UID(fmt.Sprintf("00000000-0000-4000-8000-%06d%06d", c.at, i))
}
func (c copies) podIP(i int) string { return fmt.Sprintf("10.%d.%d.%d", c.at+1, 20+i/200, 1+i%200) }

func copyPods(ctx context.Context, fleet *bed.Fleet, c copies) error {
	client, err := admin(fleet, c.cluster)
	if err != nil {
		return err
	}
	pods, err := client.CoreV1().Pods(c.namespace).List(ctx, metav1.ListOptions{LabelSelector: "app=" + c.model})
	if err != nil {
		return err
	}
	return bed.Multiply(ctx, fleet, c.cluster, c.namespace, pods.Items[0].Name, c.pods+1, func(i int, p *corev1.Pod) {
		p.Status.StartTime = nil // of one that starts it is no wonder that its proxy is not connected
		if i == c.pods {
			return // the model itself
		}
		p.Name, p.UID, p.Labels["app"] = c.pod(i), c.podUID(i), c.service(i/c.each())
		p.Status.PodIP, p.Status.PodIPs = c.podIP(i), []corev1.PodIP{{IP: c.podIP(i)}}
	})
}

func copyServices(ctx context.Context, fleet *bed.Fleet, c copies) error {
	return bed.Multiply(ctx, fleet, c.cluster, c.namespace, c.model, c.services, func(i int, s *corev1.Service) {
		s.Name, s.UID, s.Spec.Selector["app"] = c.service(i), c.serviceUID(i), c.service(i)
		s.Spec.ClusterIP = fmt.Sprintf("10.96.%d.%d", 100+i/250, i%250)
		s.Spec.ClusterIPs = []string{s.Spec.ClusterIP}
	})
}

func copySlices(ctx context.Context, fleet *bed.Fleet, c copies) error {
	client, err := admin(fleet, c.cluster)
	if err != nil {
		return err
	}
	slices, err := client.DiscoveryV1().
		EndpointSlices(c.namespace).
		List(ctx, metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=" + c.model})
	if err != nil {
		return err
	}
	return bed.Multiply(ctx, fleet, c.cluster, c.namespace, slices.Items[0].Name, c.services, func(i int, s *discoveryv1.EndpointSlice) {
		s.Name, s.UID, s.GenerateName = c.service(i)+"-abcde", c.serviceUID(i)+"-s", c.service(i)+"-"
		s.Labels[discoveryv1.LabelServiceName] = c.service(i)
		s.OwnerReferences[0].Name, s.OwnerReferences[0].UID = c.service(i), c.serviceUID(i)
		one := s.Endpoints[0]
		s.Endpoints = nil
		for k := i * c.each(); k < (i+1)*c.each(); k++ {
			e := *one.DeepCopy()
			e.Addresses, e.TargetRef.Name, e.TargetRef.UID = []string{c.podIP(k)}, c.pod(k), c.podUID(k)
			s.Endpoints = append(s.Endpoints, e)
		}
	})
}

// fill puts a healthy mesh of several networks into the clusters, with many pods
// as an injector writes them.
func fill(ctx context.Context, fleet *bed.Fleet, names []string) error {
	kinds.AddCustom(scheme.Scheme)
	mesh := istiotest.Networked(names...)
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
		err := bed.Multiply(ctx, fleet, c.Name, model.Namespace, model.Name, scalePods, func(n int, p *corev1.Pod) {
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
		p.Spec.Volumes = append(
			p.Spec.Volumes,
			corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
		)
	}
	proxy.Args = []string{
		"proxy",
		"sidecar",
		"--domain",
		"$(POD_NAMESPACE).svc.cluster.local",
		"--proxyLogLevel=warning",
		"--proxyComponentLogLevel=misc:error",
	}
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
		p.Status.ContainerStatuses = append(
			p.Status.ContainerStatuses,
			corev1.ContainerStatus{Name: c.Name, Image: c.Image, ImageID: c.Image + "@sha256:" + strings.Repeat("0", 64), Ready: true},
		)
	}
}

// count runs a command once more by way of proxies that count its requests and
// the bytes of the answers, as they come over the wire.
func count(ctx context.Context, r *runner, fleet *bed.Fleet, names []string, args ...string) (requests, read int64, err error) {
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
			Rewrite: func(p *httputil.ProxyRequest) { p.SetURL(to) },
			Transport: &upgrading{
				plain:    &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true, DisableCompression: true},
				upgraded: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}},
			},
			ModifyResponse: func(answer *http.Response) error {
				asked.Add(1)
				if stream, ok := answer.Body.(io.ReadWriteCloser); ok && answer.StatusCode == http.StatusSwitchingProtocols {
					answer.Body = &countedStream{stream, counted{stream, &got}}
					return nil
				}
				answer.Body = &counted{answer.Body, &got}
				return nil
			},
			ErrorLog: log.New(io.Discard, "", 0),
		})
		server.EnableHTTP2 = true
		server.StartTLS()
		defer server.Close()
		clusters = append(
			clusters,
			map[string]any{"name": name, "cluster": map[string]any{"server": server.URL, "insecure-skip-tls-verify": true}},
		)
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

// countedStream is counted for a connection that became another, such as a port-forward.
type countedStream struct {
	io.WriteCloser
	counted counted
}

func (c *countedStream) Read(p []byte) (int, error) { return c.counted.Read(p) }

// upgrading sends what becomes another connection over HTTP/1.1, which alone can.
type upgrading struct{ plain, upgraded http.RoundTripper }

func (u *upgrading) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Header.Get("Upgrade") != "" {
		return u.upgraded.RoundTrip(request)
	}
	return u.plain.RoundTrip(request)
}
