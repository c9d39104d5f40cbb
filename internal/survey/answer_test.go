package survey

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime"
)

// A list whose connection breaks before it is answered is asked for again, a page that breaks off is not.
func TestListIsAskedForAgain(t *testing.T) {
	for name, test := range map[string]struct {
		breaks func(http.ResponseWriter)
		times  int32 // so often it breaks
		asked  int32
		err    string
	}{
		"the connection broke":       {hangUp, 1, 2, ""},
		"it breaks again and again":  {hangUp, 9, 3, "EOF"},
		"later, says the server":     {later, 2, 3, ""},
		"later, again and again":     {later, 9, 3, "too many requests"},
		"the answer breaks off":      {breakOff, 1, 1, "reading the answer: unexpected EOF"},
		"the answer is garbled gzip": {notGzip, 1, 1, "reading the answer: gzip: invalid header"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int32
			got, err := listFrom(t, func(w http.ResponseWriter, _ *http.Request) {
				if asked.Add(1) <= test.times {
					test.breaks(w)
					return
				}
				w.Header().Set("Content-Type", runtime.ContentTypeProtobuf)
				_, _ = w.Write(encoded(t, configMaps("", "a"), runtime.ContentTypeProtobuf))
			}, itself)
			switch {
			case test.err == "" && err != nil:
				t.Error(err)
			case test.err == "":
				if diff := cmp.Diff(configMaps("", "a").Items, got); diff != "" {
					t.Errorf("items (-want +got):\n%s", diff)
				}
			case err == nil || !strings.Contains(err.Error(), test.err):
				t.Errorf("error %v, not one that says %q", err, test.err)
			}
			if asked.Load() != test.asked {
				t.Errorf("asked %d times, not %d", asked.Load(), test.asked)
			}
		})
	}
}

// hangUp ends the connection without an answer.
func hangUp(http.ResponseWriter) { panic(http.ErrAbortHandler) }

// later asks to be asked again.
func later(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "0")
	http.Error(w, "too many requests", http.StatusTooManyRequests)
}

// breakOff sends less than it says.
func breakOff(w http.ResponseWriter) {
	w.Header().Set("Content-Type", runtime.ContentTypeProtobuf)
	w.Header().Set("Content-Length", "1000")
	_, _ = w.Write([]byte("k8s\x00"))
}

func notGzip(w http.ResponseWriter) {
	w.Header().Set("Content-Encoding", "gzip")
	_, _ = w.Write([]byte("not gzip at all"))
}
