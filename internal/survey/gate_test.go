package survey

import (
	"context"
	"errors"
	"net/http"
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
func TestFirstAloneOpensOnAnyAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		slow := roundTrip(func(*http.Request) (*http.Response, error) {
			if asked.Add(1) == 1 {
				time.Sleep(time.Second)
			}
			return &http.Response{StatusCode: http.StatusForbidden, Body: http.NoBody}, nil
		})
		f := &firstAlone{next: slow}
		ended := make(chan time.Duration, 3)
		began := time.Now()
		for range 3 {
			go func() {
				request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://east.example", nil)
				if err != nil {
					t.Error(err)
				}
				response, err := f.RoundTrip(request)
				if err != nil || response.StatusCode != http.StatusForbidden {
					t.Errorf("%v, %v", response, err)
					ended <- 0
					return
				}
				_ = response.Body.Close()
				ended <- time.Since(began)
			}()
		}
		synctest.Wait()
		if n := asked.Load(); n != 1 {
			t.Errorf("%d requests were sent at first", n)
		}
		for range 3 {
			if after := <-ended; after != time.Second {
				t.Errorf("a request ended after %s", after)
			}
		}
	})
}
