package ask

import (
	"bufio"
	"context"
	"io"
	"math"
	"strconv"
	"strings"
	"sync"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/podaccess"
	"github.com/kubectl-mesh/kubectl-mesh/internal/survey"
)

// mostMetrics is how much an istiod may say in its metrics, in bytes. A large mesh takes a few megabytes.
const mostMetrics = 64 << 20

// The counters of istiod's CA (security/pkg/server/ca/monitoring.go).
const (
	unauthenticated = "citadel_server_authentication_failure_count"
	unsigned        = "citadel_server_csr_sign_err_count"
)

// ReadRefusals asks replicas of a control plane how often they have refused proxies, all at once: two round
// trips for a port-forward and one for the metrics.
func ReadRefusals(ctx context.Context, cluster survey.Cluster, pods []string) map[string]facts.Read[facts.RefusalCount] {
	out := map[string]facts.Read[facts.RefusalCount]{}
	var mu sync.Mutex
	var wait sync.WaitGroup
	for _, name := range pods {
		wait.Go(func() {
			client := podaccess.Client(ctx, cluster.Config, podaccess.Pod{Namespace: cluster.Namespace, Name: name}, monitoring)
			defer client.CloseIdleConnections()
			read := istiodOutcome(monitor(ctx, client, "metrics", parseRefusals))
			mu.Lock()
			defer mu.Unlock()
			out[name] = read
		})
	}
	wait.Wait()
	return out
}

// parseRefusals adds up the counters of all labels, in the text format of Prometheus.
func parseRefusals(r io.Reader) (facts.RefusalCount, error) {
	var out facts.RefusalCount
	lines := bufio.NewScanner(&bounded{Reader: r, left: mostMetrics})
	lines.Buffer(nil, mostToken)
	for lines.Scan() {
		line := lines.Text()
		var into *int64
		switch {
		case isSample(line, unauthenticated):
			into = &out.Unauthenticated
		case isSample(line, unsigned):
			into = &out.Unsigned
		default:
			continue
		}
		value, err := strconv.ParseFloat(line[strings.LastIndexByte(line, ' ')+1:], 64)
		if err != nil || math.IsNaN(value) || value < 0 {
			return facts.RefusalCount{}, errGarbage
		}
		*into += int64(value)
	}
	if err := lines.Err(); err != nil {
		return facts.RefusalCount{}, garbled(err)
	}
	return out, nil
}

// isSample reports whether a line is the value of a metric, with labels or without.
func isSample(line, metric string) bool {
	rest, ok := strings.CutPrefix(line, metric)
	return ok && (strings.HasPrefix(rest, "{") || strings.HasPrefix(rest, " "))
}

// refusals puts two readings of the replicas of a control plane together. One that was not read
// twice makes all of them unknown: proxies may be connected to that one.
func refusals(pods []string, before, after map[string]facts.Read[facts.RefusalCount]) facts.Read[[]facts.Refusals] {
	out := facts.Read[[]facts.Refusals]{State: facts.OK}
	for _, pod := range pods {
		for _, read := range []facts.Read[facts.RefusalCount]{before[pod], after[pod]} {
			if read.State != facts.OK {
				return facts.Read[[]facts.Refusals]{State: facts.Failed, Reason: pod + ": " + read.Why()}
			}
		}
		out.Value = append(out.Value, facts.Refusals{Pod: pod, Before: before[pod].Value, After: after[pod].Value})
	}
	return out
}
