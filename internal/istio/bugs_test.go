package istio_test

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/version"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
)

// Every bug names a public source, and releases in order that end with one without it.
func TestKnownBugs(t *testing.T) {
	for bug, k := range istio.KnownBugs {
		if len(k.Releases) == 0 || !strings.HasPrefix(k.Issue, "istio/istio") {
			t.Errorf("%q: %+v", bug, k)
		}
		public := false
		for _, s := range k.Sources {
			if !strings.HasPrefix(s, "https://github.com/istio/istio/") && !strings.HasPrefix(s, "https://istio.io/") {
				t.Errorf("%q: source %s", bug, s)
			}
			public = true
		}
		if !public {
			t.Errorf("%q names no public source", bug)
		}
		before := ""
		for _, r := range k.Releases {
			for _, pair := range [][2]string{{before, r.From}, {r.From, r.Before}, {r.From, r.Fixed}} {
				if pair[0] != "" && !version.MustParseGeneric(pair[1]).AtLeast(version.MustParseGeneric(pair[0])) {
					t.Errorf("%q: %s comes before %s", bug, pair[1], pair[0])
				}
			}
			at := func(v string) istio.Istiod { return istio.Istiod{Version: version.MustParseGeneric(v)} }
			if !at(r.From).Has(bug) || at(r.Fixed).Has(bug) || at(r.From).FixOf(bug) == "" || at(r.Fixed).FixOf(bug) != "" {
				t.Errorf("%q: %+v", bug, r)
			}
			before = r.Before
		}
		if (istio.Istiod{}).Has(bug) {
			t.Errorf("%q: a release that is not known has it", bug)
		}
	}
}

// The release to go to has none of the bugs that are asked for together.
func TestFixOf(t *testing.T) {
	at := istio.Istiod{Version: version.MustParseGeneric("1.29.1")}
	if got := at.FixOf(istio.BugSecretsStop, istio.BugSecretsPanic); got != "1.29.5" {
		t.Errorf("1.29.1 is told to go to %s, which has another bug of the same kind", got)
	}
}
