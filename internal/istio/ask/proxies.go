package ask

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/envoy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/podaccess"
	"github.com/kubectl-mesh/kubectl-mesh/internal/printable"
	"github.com/kubectl-mesh/kubectl-mesh/internal/survey"
)

// Ports of the mesh's own pods, which answer on the loopback interface alone or
// without authentication there.
const (
	envoyAdminPort  = 15000
	istiodDebugPort = 15014
)

// atOnce is how many pods of a cluster are talked to at the same time.
const atOnce = 16

// agentLimit is how much, in bytes, is kept of what a command in a pod prints.
const agentLimit = 64 << 20

// errNotConnected is why an istiod knows nothing of a proxy.
var errNotConnected = errors.New("the proxy is not connected to this istiod")

// Envoys asks proxies what endpoints they have for all ports and subsets of hosts, side
// by side; the answers are in the order of the pods. Each costs one port-forward, which
// is two round trips on a new connection, and a request; where an endpoint is not
// healthy, another one tells why. Where port-forwards are forbidden, the same is asked
// by a command in the pod. Absent is a pod that is not there.
func Envoys(ctx context.Context, cluster survey.Cluster, pods []podaccess.Pod, hosts []string) []facts.Read[[]envoy.Cluster] {
	out := make([]facts.Read[[]envoy.Cluster], len(pods))
	beside(len(pods), func(i int) {
		a := &admin{cluster: cluster, pod: podaccess.Pod{Namespace: pods[i].Namespace, Name: pods[i].Name, Container: istio.ProxyContainer}}
		clusters, err := a.endpoints(ctx, hosts)
		out[i] = podOutcome(ctx, clusters, err)
	})
	return out
}

// beside calls do for 0 to n-1, several at a time.
func beside(n int, do func(int)) {
	var wait sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for i := range n {
		wait.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			do(i)
		})
	}
	wait.Wait()
}

// admin is the admin interface of one proxy.
type admin struct {
	cluster survey.Cluster
	pod     podaccess.Pod
	client  *http.Client // of a port-forward; nil where commands are run instead
}

func (a *admin) endpoints(ctx context.Context, hosts []string) (clusters []envoy.Cluster, err error) {
	err = a.reach(ctx, func(a *admin) (err error) {
		clusters, err = a.ask(ctx, hosts)
		return err
	})
	return clusters, err
}

// reach asks by port-forward, or, where that is forbidden, by commands in the pod.
func (a *admin) reach(ctx context.Context, ask func(*admin) error) error {
	a.client = a.cluster.Pod(ctx, podaccess.Pod{Namespace: a.pod.Namespace, Name: a.pod.Name}, envoyAdminPort)
	defer a.client.CloseIdleConnections()
	err := ask(a)
	if !apierrors.IsForbidden(err) {
		return err
	}
	if err = ask(&admin{cluster: a.cluster, pod: a.pod}); err != nil && !apierrors.IsForbidden(err) {
		err = fmt.Errorf("port-forward is forbidden, and by exec: %w", err)
	}
	return err
}

// Materials asks proxies which certificates they present and which roots they trust, side
// by side; the answers are in the order of the pods. Each costs what one of Envoys does.
func Materials(ctx context.Context, cluster survey.Cluster, pods []podaccess.Pod) []facts.Read[facts.Material] {
	out := make([]facts.Read[facts.Material], len(pods))
	beside(len(pods), func(i int) {
		a := &admin{cluster: cluster, pod: podaccess.Pod{Namespace: pods[i].Namespace, Name: pods[i].Name, Container: istio.ProxyContainer}}
		var m facts.Material
		err := a.reach(ctx, func(a *admin) (err error) {
			m, err = a.material(ctx)
			return err
		})
		out[i] = podOutcome(ctx, m, err)
	})
	return out
}

func (a *admin) material(ctx context.Context) (m facts.Material, err error) {
	err = a.get(ctx, envoy.SecretsPath, func(body io.Reader) (err error) {
		m.Chain, m.Roots, err = envoy.ReadSecrets(body)
		return err
	})
	return m, err
}

func (a *admin) ask(ctx context.Context, hosts []string) ([]envoy.Cluster, error) {
	wanted := envoy.Of(hosts)
	clusters, err := a.clusters(ctx, hosts, wanted)
	if err != nil || !slices.ContainsFunc(clusters, suspicious) {
		return clusters, err
	}
	var health map[string]map[string]envoy.Health
	err = a.get(ctx, envoy.HealthPath, func(body io.Reader) (err error) {
		health, err = envoy.ReadHealth(body, wanted)
		return err
	})
	if err == nil { // else what they are is known, and why they are not healthy is not
		envoy.AddHealth(clusters, health)
	}
	return clusters, nil
}

func suspicious(c envoy.Cluster) bool {
	return slices.ContainsFunc(c.Endpoints, func(e envoy.Endpoint) bool { return e.Health != envoy.Healthy && e.Health != envoy.Unknown })
}

func (a *admin) clusters(ctx context.Context, hosts []string, wanted func(string) bool) (out []envoy.Cluster, err error) {
	read := func(body io.Reader) (err error) {
		out, err = envoy.ReadEndpoints(body, wanted)
		return err
	}
	err = a.get(ctx, envoy.EndpointsPath(hosts), read)
	if status := new(statusError); errors.As(err, &status) && status.code == http.StatusBadRequest {
		err = a.get(ctx, envoy.EndpointsPath(nil), read) // a proxy that does not take the expression
	}
	return out, err
}

func (a *admin) get(ctx context.Context, path string, read func(io.Reader) error) error {
	if a.client == nil {
		return a.run(ctx, path, read)
	}
	return get200(ctx, a.client, path, read)
}

// run asks through the agent beside the proxy.
func (a *admin) run(ctx context.Context, path string, read func(io.Reader) error) error {
	command := []string{"pilot-agent", "request", "GET", strings.TrimPrefix(path, "/")}
	result, err := podaccess.Exec(ctx, a.cluster.Config, a.pod, command, agentLimit)
	switch {
	case err != nil:
		return err
	case result.Truncated:
		return fmt.Errorf("pilot-agent in pod %s prints more than %d bytes", a.pod, agentLimit)
	case result.Code != 0:
		return fmt.Errorf("pilot-agent in pod %s failed: %s", a.pod, firstLine(result.Stderr))
	}
	return read(bytes.NewReader(result.Stdout))
}

// statusError is an answer that is none.
type statusError struct {
	code int
	text string
}

func (e *statusError) Error() string {
	if e.text == "" {
		return fmt.Sprintf("it answers %d", e.code)
	}
	return fmt.Sprintf("it answers %d: %s", e.code, e.text)
}

// get200 asks for a path, and lets read have the answer as it arrives.
func get200(ctx context.Context, client *http.Client, path string, read func(io.Reader) error) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost"+path, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 200))
		return &statusError{response.StatusCode, firstLine(text)}
	}
	return read(response.Body)
}

func firstLine(text []byte) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	return printable.Line(line[:min(len(line), 200)])
}

// podOutcome is outcome for what was asked of a pod rather than of the API server.
func podOutcome[T any](ctx context.Context, value T, err error) facts.Read[T] {
	switch {
	case err == nil, apierrors.IsNotFound(err):
		return survey.Outcome(value, err)
	case apierrors.IsForbidden(err):
		return facts.Read[T]{State: facts.Forbidden, Reason: "to reach into pods is forbidden (pods/portforward)"}
	case errors.Is(err, podaccess.ErrUnanswered):
		return facts.Read[T]{Reason: podaccess.ErrUnanswered.Error()}
	case ctx.Err() != nil, errors.Is(err, context.DeadlineExceeded):
		return facts.Read[T]{State: facts.Failed, Reason: "no answer in time"}
	}
	return facts.Read[T]{State: facts.Failed, Reason: podReason(err)}
}

// podReason is what the API server or a connection into a pod said, without addresses.
func podReason(err error) string {
	if status := apierrors.APIStatus(nil); errors.As(err, &status) {
		return survey.ReasonOf(err)
	}
	if request := new(url.Error); errors.As(err, &request) {
		err = request.Err
	}
	// net/http tells where in it an error arose.
	return printable.Line(strings.TrimPrefix(err.Error(), "readLoopPeekFailLocked: "))
}

// Proxy is a proxy as a control plane knows it.
type Proxy struct{ Namespace, Pod string }

// IstiodEndpoints asks the replicas of a control plane which endpoints they have sent to
// proxies for all ports and subsets of hosts; the answers are in the order of the
// proxies. A proxy is connected to one replica, so that all are asked: each costs one
// port-forward, which is two round trips on a new connection, and a request for each proxy.
func IstiodEndpoints(
	ctx context.Context,
	cluster survey.Cluster,
	istiods []podaccess.Pod,
	proxies []Proxy,
	hosts []string,
) []facts.Read[[]envoy.Cluster] {
	answers, wanted := make([][]answer, len(proxies)), envoy.Of(hosts)
	for j := range proxies {
		answers[j] = make([]answer, len(istiods))
	}
	beside(len(istiods), func(i int) {
		client := cluster.Pod(ctx, istiods[i], istiodDebugPort)
		defer client.CloseIdleConnections()
		for j, p := range proxies {
			a := &answers[j][i]
			a.err = get200(ctx, client, envoy.DebugPath(p.Namespace, p.Pod), func(body io.Reader) (err error) {
				a.clusters, err = envoy.ReadEndpoints(body, wanted)
				return err
			})
			if status := new(statusError); errors.As(a.err, &status) && status.code == http.StatusNotFound {
				a.err = errNotConnected
				if !strings.Contains(status.text, "not connected") {
					a.err = errors.New("the debug interface of istiod is turned off")
				}
			}
		}
	})
	out := make([]facts.Read[[]envoy.Cluster], len(proxies))
	for j := range proxies {
		out[j] = ofReplicas(ctx, answers[j])
	}
	return out
}

// answer is what one replica says of one proxy.
type answer struct {
	clusters []envoy.Cluster
	err      error
}

// ofReplicas is the answer of the replica to which a proxy is connected, else why there is none.
func ofReplicas(ctx context.Context, answers []answer) facts.Read[[]envoy.Cluster] {
	out := facts.Read[[]envoy.Cluster]{State: facts.Failed, Reason: "it is connected to no istiod of the control plane"}
	if len(answers) == 0 {
		out.Reason = "the control plane has no pod that is ready"
	}
	for _, a := range answers {
		switch {
		case a.err == nil:
			return facts.Read[[]envoy.Cluster]{State: facts.OK, Value: a.clusters}
		case !errors.Is(a.err, errNotConnected): // what this one would have said is not known
			out = podOutcome(ctx, a.clusters, a.err)
		}
	}
	return out
}
