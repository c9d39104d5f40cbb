package ads

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
)

func TestCloseLeavesNothing(t *testing.T) {
	s := serve(t)
	s.set(t, testProxy, clustersOnly([]types.Resource{edsCluster(t, shop)}, []types.Resource{oneEndpoint(t, shop, "10.0.0.11")}))
	c, err := Connect(within(t, 10*time.Second), s.address, testProxy, WithoutListeners())
	if err != nil {
		t.Fatal(err)
	}
	admin := serveAdmin(t, c)
	if status, _ := get(t, admin, "/ready"); status != 200 || !running("(*Connection).run", "(*Admin)") {
		t.Fatal("they do not run")
	}
	closeIt(t, admin)
	closeIt(t, c)
	eventually(t, func() bool { return !running("(*Connection).", "(*Admin).") })
}

// running reports whether any goroutine is in one of these methods.
func running(methods ...string) bool {
	stacks := make([]byte, 1<<20)
	text := string(stacks[:runtime.Stack(stacks, true)])
	for _, method := range methods {
		if strings.Contains(text, "/ads."+method) {
			return true
		}
	}
	return false
}
