package bed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

const (
	// startTimeout is how long a server may take to serve: about 3 s on an
	// idle machine, many times that on one that starts many clusters at once.
	startTimeout = 3 * time.Minute
	// pollInterval is how often the bed looks whether something has happened.
	pollInterval = 25 * time.Millisecond
)

// awaitReady waits until probe succeeds, and fails early when the process ends.
func awaitReady(ctx context.Context, p *process, probe func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout,
		fmt.Errorf("not ready after %s", startTimeout))
	defer cancel()
	// Whoever has taken the port of a process that ended may never answer.
	probing, stopProbing := context.WithCancel(ctx)
	defer stopProbing()
	go func() {
		select {
		case <-p.ended:
			stopProbing()
		case <-probing.Done():
		}
	}()
	for {
		err := probe(probing)
		if err == nil {
			return nil
		}
		select {
		case <-p.ended:
			if p.logHas("address already in use") {
				return fmt.Errorf("%s: %w", p.name, errPortTaken)
			}
			return p.failure(fmt.Errorf("ended at its start (%s)", p.cmd.ProcessState))
		case <-ctx.Done():
			return p.failure(fmt.Errorf("%w (last: %v)", context.Cause(ctx), err))
		case <-time.After(pollInterval):
		}
	}
}

// poll waits until done reports true, or fails, or the context ends.
func poll(ctx context.Context, done func(context.Context) (bool, error)) error {
	for {
		ok, err := done(ctx)
		if ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pollInterval):
		}
	}
}

// getOK returns nil when a GET of the URL is answered with 200.
func getOK(ctx context.Context, client *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	// The connection is used again only once its last answer was read.
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	return nil
}
