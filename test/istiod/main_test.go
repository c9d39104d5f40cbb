package istiod

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/kubectl-mesh/kubectl-mesh/test/bed"
)

var (
	topologies = flag.Int("topologies", 25, "how many topologies TestTopologies draws")
	listed     = flag.Int("listed", 4, "how many topologies TestTopologiesListed draws")
	seed       = flag.Uint64("seed", 1, "seed of the first topology; the others count on from it")
)

// names are those of the clusters that topologies are made of.
var names = []string{"a", "b", "c", "d"}

// fleet is what all topologies run in, one after the other.
var fleet *bed.Fleet

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	flag.Parse()
	if fleet, err = bed.Start(context.Background(), bed.Config{Clusters: names}); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, fleet.Stop()) }()
	return m.Run(), nil
}
