package survey

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestGateLetsOneThroughAloneAndThenTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g gate
		var inside atomic.Int32
		for range 5 {
			go func() {
				if err := g.enter(t.Context()); err != nil {
					t.Error(err)
				}
				inside.Add(1)
			}()
		}
		synctest.Wait()
		if n := inside.Load(); n != 1 {
			t.Fatalf("%d entered before the first one left", n)
		}
		g.leave(nil)
		synctest.Wait()
		if n := inside.Load(); n != 5 {
			t.Errorf("%d of 5 entered", n)
		}
		// It stays open.
		if err := g.enter(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestGateSharesTheFailureOfTheFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g gate
		if err := g.enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		outcomes := make(chan error, 4)
		for range 3 {
			go func() { outcomes <- g.enter(t.Context()) }()
		}
		synctest.Wait()
		failure := errors.New("the plugin failed")
		g.leave(failure)
		g.leave(nil) // only the first call matters
		synctest.Wait()
		outcomes <- g.enter(t.Context()) // one that comes later
		for range 4 {
			if err := <-outcomes; !errors.Is(err, failure) {
				t.Errorf("%v", err)
			}
		}
	})
}

func TestGateIsLeftWhenTheContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g gate
		if err := g.enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		if err := g.enter(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		if waited := time.Since(began); waited != time.Minute {
			t.Errorf("waited %s", waited)
		}
		// Who went away took nothing along.
		g.leave(nil)
		if err := g.enter(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// roundTrip is a transport in a function.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// A refusal by the API server is an answer: what counts is that the plugin gave
// credentials.
// The first request lets the others through as soon as it has its credentials; what the server
// makes of it is its own affair.
func TestFirstAloneWaitsForCredentialsOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plugin := &gate{}
		var asked atomic.Int32
		f := &firstAlone{gate: plugin, next: roundTrip(func(r *http.Request) (*http.Response, error) {
			n := asked.Add(1)
			if n == 1 {
				time.Sleep(time.Second) // the credential plugin runs
			}
			plugin.leave(nil) // what the wire does
			if n == 1 {
				<-r.Context().Done() // the server never answers
				return nil, r.Context().Err()
			}
			return &http.Response{StatusCode: http.StatusForbidden, Body: http.NoBody}, nil
		})}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		ended := make(chan time.Duration, 3)
		began := time.Now()
		for range 3 {
			go func() {
				request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://east.example", nil)
				if err != nil {
					t.Error(err)
				}
				if response, err := f.RoundTrip(request); err == nil {
					_ = response.Body.Close()
				}
				ended <- time.Since(began)
			}()
		}
		synctest.Wait()
		if n := asked.Load(); n != 1 {
			t.Errorf("%d requests were sent at first", n)
		}
		got := []time.Duration{<-ended, <-ended, <-ended}
		if want := []time.Duration{time.Second, time.Second, time.Minute}; !slices.Equal(got, want) {
			t.Errorf("requests ended after %v, not %v", got, want)
		}
	})
}

func TestFirstAloneSharesWhatThePluginSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failure := errors.New("getting credentials: exec: executable aws not found")
		var asked atomic.Int32
		f := &firstAlone{gate: &gate{}, next: roundTrip(func(*http.Request) (*http.Response, error) {
			asked.Add(1)
			time.Sleep(time.Second)
			return nil, failure
		})}
		ended := make(chan error, 3)
		for range 3 {
			go func() {
				request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://east.example", nil)
				if err != nil {
					t.Error(err)
				}
				_, err = f.RoundTrip(request) //nolint:bodyclose // there is none
				ended <- err
			}()
		}
		for range 3 {
			if err := <-ended; !errors.Is(err, failure) {
				t.Errorf("%v", err)
			}
		}
		if n := asked.Load(); n != 1 {
			t.Errorf("the plugin ran %d times", n)
		}
	})
}
