package podaccess

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/transport/spdy"
	utilexec "k8s.io/client-go/util/exec"
)

// Result is what a command printed.
type Result struct {
	Stdout, Stderr []byte
	// Code is the exit code.
	Code int
	// Truncated: there was more output than was asked for.
	Truncated bool
}

// Exec runs a command in a container that exists, without a terminal and without
// input, and keeps limit bytes of each of its outputs. It costs two round trips
// on a new connection to the API server. An error means that the command did not
// run to its end; a command that ran and failed is a Result.
func Exec(ctx context.Context, config *rest.Config, pod Pod, command []string, limit int) (Result, error) {
	fail := func(err error) (Result, error) {
		return Result{}, fmt.Errorf("exec %s in pod %s: %w", command[0], pod, err)
	}
	query := url.Values{"command": command, "stdout": {"true"}, "stderr": {"true"}}
	if pod.Container != "" {
		query.Set("container", pod.Container)
	}
	address, err := pod.address(config, "exec", query)
	if err != nil {
		return fail(err)
	}
	byWebSocket, err := remotecommand.NewWebSocketExecutor(config, http.MethodGet, address.String())
	if err != nil {
		return fail(err)
	}
	transport, upgrader, err := spdy.RoundTripperFor(config)
	if err != nil {
		return fail(err)
	}
	heard := &heard{next: transport}
	older, err := remotecommand.NewSPDYExecutorForTransports(heard, upgrader, http.MethodPost, address)
	if err != nil {
		return fail(err)
	}
	executor, err := remotecommand.NewFallbackExecutor(byWebSocket, older, bySPDY)
	if err != nil {
		return fail(err)
	}
	stdout, stderr := &bounded{limit: limit}, &bounded{limit: limit}
	err = executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdout: stdout, Stderr: stderr})
	result := Result{Stdout: stdout.kept.Bytes(), Stderr: stderr.kept.Bytes(), Truncated: stdout.more || stderr.more}
	exit := utilexec.ExitError(nil)
	switch {
	case err == nil:
	case errors.As(err, &exit) && exit.Exited():
		result.Code = exit.ExitStatus()
	default:
		return fail(heard.explain(err))
	}
	return result, nil
}

// bounded keeps the first bytes and drops the rest.
type bounded struct {
	kept  bytes.Buffer
	limit int
	more  bool
}

func (b *bounded) Write(p []byte) (int, error) {
	room := min(b.limit-b.kept.Len(), len(p))
	b.more = b.more || room < len(p)
	b.kept.Write(p[:room])
	return len(p), nil
}
