package podaccess

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gorilla/websocket"
	"k8s.io/client-go/rest"
)

// A command that fails is a result; that it could not be run is an error.
func TestExitCode(t *testing.T) {
	for name, c := range map[string]struct {
		status string
		code   int
		fails  bool
	}{
		"done":    {status: `{"status":"Success"}`},
		"failed":  {status: `{"status":"Failure","reason":"NonZeroExitCode","message":"exit code 7","details":{"causes":[{"reason":"ExitCode","message":"7"}]}}`, code: 7},
		"not run": {status: `{"status":"Failure","reason":"InternalError","message":"no such program","code":500}`, fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if want := "/api/v1/namespaces/shop/pods/cart/exec"; r.URL.Path != want || r.URL.Query().Get("container") != "proxy" {
					t.Errorf("asked for %s", r.URL)
				}
				conn, err := (&websocket.Upgrader{Subprotocols: []string{"v5.channel.k8s.io"}}).Upgrade(w, r, nil)
				if err != nil {
					t.Error(err)
					return
				}
				defer func() { _ = conn.Close() }()
				for channel, text := range map[byte]string{1: "out", 2: "err"} {
					_ = conn.WriteMessage(websocket.BinaryMessage, append([]byte{channel}, text...))
				}
				_ = conn.WriteMessage(websocket.BinaryMessage, append([]byte{3}, c.status...))
				_ = conn.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""))
			}))
			defer server.Close()
			result, err := Exec(t.Context(), &rest.Config{Host: server.URL}, Pod{Namespace: "shop", Name: "cart", Container: "proxy"}, []string{"try"}, 100)
			switch {
			case c.fails && err == nil:
				t.Errorf("no error, but %+v", result)
			case !c.fails && (err != nil || result.Code != c.code || string(result.Stdout) != "out" || string(result.Stderr) != "err" || result.Truncated):
				t.Errorf("%+v, %v", result, err)
			}
		})
	}
}
