package oracle

import (
	"flag"
	"fmt"
	"strings"
	"testing"
	"testing/cryptotest"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
)

var (
	cases = flag.Int("cases", 150, "how many Secrets TestRandom makes")
	seed  = flag.Uint64("seed", 1, "seed of the first Secret; the others count on from it")
)

// TestRandom holds generated Secrets against istiod, now and at a time at which
// something changes.
func TestRandom(t *testing.T) {
	cryptotest.SetGlobalRandom(t, 0)
	rsaKeys() // are shared by all Secrets, and so do not depend on the first
	var loaded, verified int
	for i := range *cases {
		seed := *seed + uint64(i)
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			cryptotest.SetGlobalRandom(t, seed)
			g := newGenerator(seed)
			data := g.secret()
			v, differences := holdAlone(t, istiotest.Now, data)
			turn := g.turn(data)
			_, then := holdAlone(t, turn, data)
			for _, d := range then {
				differences = append(differences, fmt.Sprintf("at %s: %s", turn.Format(time.RFC3339), d))
			}
			if v.istiod != nil {
				loaded++
			}
			if v.err == nil {
				verified++
			}
			if len(differences) > 0 {
				t.Errorf("%s\nmade by: %s\n%swhich \"go test -run TestRandom -seed %d -cases 1\" makes again",
					strings.Join(differences, "\n"), strings.Join(g.steps, "; "), outline(data), seed)
			}
		})
	}
	t.Logf("of %d secrets, istiod loads %d, and workloads' certificates verify with %d", *cases, loaded, verified)
	if *cases >= 100 && (loaded < *cases/4 || loaded > *cases*3/4 || verified == loaded) {
		t.Errorf("of %d secrets, istiod loads %d, and %d verify: they do not cover all outcomes", *cases, loaded, verified)
	}
}
