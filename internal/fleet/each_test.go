package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/fleet"
)

func made(n int) []fleet.Member {
	members := make([]fleet.Member, n)
	for i := range members {
		members[i].Context = fmt.Sprintf("c%02d", i)
	}
	return members
}

func TestEachAsksAllAtOnceAndAnswersInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		results := fleet.Each(t.Context(), made(50), 10*time.Second, nil, func(_ context.Context, m fleet.Member) (string, error) {
			time.Sleep(time.Second)
			return "value of " + m.Context, nil
		})
		if took := time.Since(start); took != time.Second {
			t.Errorf("took %s, want 1s: one after the other", took)
		}
		for i, r := range results {
			if want := fmt.Sprintf("c%02d", i); r.Context != want || r.Value != "value of "+want || r.Err != nil || r.Unreached() != nil {
				t.Errorf("result %d is %+v", i, r)
			}
		}
	})
}

// The time of a member is for all questions together: one that used it up has a fifth more for
// the others, and no more. Members that answer soon have theirs.
func TestTheTimeoutIsForAllQuestions(t *testing.T) {
	server := serve(t, namespaces)
	members := selectAll(t, map[string]entry{"quick": server, "slow": server})
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		ask := func(ctx context.Context, m fleet.Member) (int, error) {
			if m.Context == "slow" {
				<-ctx.Done()
			}
			return 1, ctx.Err()
		}
		for round, want := range []time.Duration{10 * time.Second, 12 * time.Second, 12 * time.Second} {
			results := fleet.Each(t.Context(), members, 10*time.Second, nil, ask)
			if took := time.Since(start); took > want || took < want-time.Second {
				t.Errorf("after round %d %s are over, want %s", round, took, want)
			}
			if results[0].Err != nil {
				t.Errorf("round %d, %s: %v", round, results[0].Context, results[0].Err)
			}
			if u := results[1].Unreached(); u == nil || u.Kind != facts.TimedOut {
				t.Errorf("round %d, %s: %+v", round, results[1].Context, u)
			}
		}
	})
}

func TestEachLimitsHowManyAreAskedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		results := fleet.Each(t.Context(), made(65), 1500*time.Millisecond, nil, func(ctx context.Context, _ fleet.Member) (int, error) {
			time.Sleep(time.Second)
			return 0, ctx.Err()
		})
		if took := time.Since(start); took != 2*time.Second {
			t.Errorf("65 clusters of 1s took %s, want 2s", took)
		}
		for _, r := range results {
			if r.Err != nil {
				t.Errorf("waiting for its turn counted as %s's own time: %v", r.Context, r.Err)
			}
		}
	})
}

func TestEachAbandonsOneThatDoesNotHeedItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		results := fleet.Each(t.Context(), made(3), 2*time.Second, nil, func(ctx context.Context, m fleet.Member) (string, error) {
			switch m.Context {
			case "c00":
				time.Sleep(time.Hour)
				return "too late", nil
			case "c01":
				<-ctx.Done()
				return "what there is", nil
			}
			return "quick", nil
		})
		if took := time.Since(start); took != 2*time.Second {
			t.Errorf("took %s, want 2s", took)
		}
		if err := results[0].Err; !errors.Is(err, context.DeadlineExceeded) || results[0].Value != "" {
			t.Errorf("abandoned: %q, %v", results[0].Value, err)
		}
		if got := results[0].Unreached(); got == nil || got.Kind != facts.TimedOut || got.Reason != "no answer from the API server within 2s" {
			t.Errorf("abandoned: %+v", got)
		}
		if results[1].Value != "what there is" || results[1].Err != nil {
			t.Errorf("one that heeds its context could not return what it had: %q, %v", results[1].Value, results[1].Err)
		}
		if results[2].Value != "quick" {
			t.Errorf("another was affected: %+v", results[2])
		}
		time.Sleep(2 * time.Hour) // the abandoned one returns
		if results[0].Value != "" {
			t.Error("an abandoned function wrote into what was returned")
		}
	})
}

func TestEachReturnsAtOnceWhenItsContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		start := time.Now()
		time.AfterFunc(time.Second, cancel)
		results := fleet.Each(ctx, made(70), 0, nil, func(context.Context, fleet.Member) (int, error) {
			time.Sleep(time.Hour)
			return 0, nil
		})
		if took := time.Since(start); took != time.Second {
			t.Errorf("took %s, want 1s", took)
		}
		for _, r := range results {
			if !errors.Is(r.Err, context.Canceled) {
				t.Errorf("%s: %v, want canceled", r.Context, r.Err)
			}
		}
		time.Sleep(2 * time.Hour)
	})
}

func TestEachKeepsAPanicToItsMember(t *testing.T) {
	results := fleet.Each(t.Context(), made(3), time.Minute, nil, func(_ context.Context, m fleet.Member) (int, error) {
		switch m.Context {
		case "c00":
			var none map[string]int
			none["x"] = 1 //nolint:staticcheck // the panic is what is tested
		case "c01":
			runtime.Goexit()
		}
		return 1, nil
	})
	var crash *fleet.PanicError
	if !errors.As(results[0].Err, &crash) || len(crash.Stack) == 0 {
		t.Fatalf("got %v, want a PanicError", results[0].Err)
	}
	if got, want := results[0].Err.Error(), `context "c00": internal error: assignment to entry in nil map; please report this`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if results[1].Err == nil {
		t.Error("a function that never returned has no error")
	}
	if results[2].Value != 1 || results[2].Err != nil {
		t.Errorf("another was affected: %+v", results[2])
	}
}

type recorder struct {
	started [][]string
	done    map[string]int
}

func (r *recorder) Started(contexts []string) { r.started = append(r.started, contexts) }
func (r *recorder) Done(context string)       { r.done[context]++ }

func TestProgressHearsOfEveryMember(t *testing.T) {
	p := &recorder{done: map[string]int{}}
	fleet.Each(t.Context(), made(3), time.Millisecond, p, func(ctx context.Context, m fleet.Member) (int, error) {
		switch m.Context {
		case "c00":
			panic("x")
		case "c01":
			<-ctx.Done()
		}
		return 0, nil
	})
	fleet.Each(t.Context(), nil, time.Second, p, func(context.Context, fleet.Member) (int, error) { return 0, nil })
	if diff := cmp.Diff([][]string{{"c00", "c01", "c02"}}, p.started); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]int{"c00": 1, "c01": 1, "c02": 1}, p.done); diff != "" {
		t.Error(diff)
	}
}

func TestAHangingServerDelaysOnlyItself(t *testing.T) {
	members := selectAll(t, map[string]entry{"good": serve(t, namespaces), "hangs": serve(t, hang), "other": serve(t, namespaces)})
	results := fleet.Each(t.Context(), members, 600*time.Millisecond, nil, get)
	if results[0].Err != nil || results[2].Err != nil {
		t.Errorf("others: %v, %v", results[0].Err, results[2].Err)
	}
	if got := results[1].Unreached(); got == nil || got.Kind != facts.TimedOut || got.Reason != "no answer from "+members[1].Server+" within 600ms" {
		t.Errorf("got %+v", got)
	}
}

func TestRequestsCarryTheUserAgentAndAreNotLimited(t *testing.T) {
	agents := make(chan string, 100)
	members := selectAll(t, map[string]entry{"a": serve(t, func(w http.ResponseWriter, r *http.Request) {
		agents <- r.UserAgent()
		namespaces(w, r)
	})})
	start := time.Now()
	results := fleet.Each(t.Context(), members, time.Minute, nil, func(ctx context.Context, m fleet.Member) (string, error) {
		for range 30 {
			if _, err := get(ctx, m); err != nil {
				return "", err
			}
		}
		return "", nil
	})
	if results[0].Err != nil {
		t.Fatal(results[0].Err)
	}
	// client-go's own limiter would take 4 seconds for 30 requests.
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("30 requests took %s", took)
	}
	if agent := <-agents; !strings.HasPrefix(agent, "kubectl-mesh/dev (") {
		t.Errorf("user agent %q", agent)
	}
}
