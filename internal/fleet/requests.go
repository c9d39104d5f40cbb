package fleet

import (
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/printable"
)

// tellRequests wraps a transport so that each request of a context is said on w when its answer
// begins: method, path, status and time. Headers and bodies are never said: they hold credentials.
func tellRequests(context string, w io.Writer) func(http.RoundTripper) http.RoundTripper {
	var mu sync.Mutex
	return func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			start := time.Now()
			answer, err := next.RoundTrip(r)
			status := "failed"
			if err == nil {
				status = answer.Status
			}
			mu.Lock()
			defer mu.Unlock()
			line := fmt.Sprintf("%s: %s %s: %s in %d ms", context, r.Method, r.URL.RequestURI(), status, time.Since(start).Milliseconds())
			fmt.Fprintln(w, printable.Line(line))
			return answer, err
		})
	}
}

// roundTripper is a function as a transport.
type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip sends a request.
func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
