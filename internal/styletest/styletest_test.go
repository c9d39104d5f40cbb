package styletest_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/internal/styletest"
)

func TestRefused(t *testing.T) {
	for text, want := range map[string]string{
		"mend the cause":                              "mend",
		"have the pods made anew":                     "anew",
		"istiod does not count it":                    "does not count",
		"nodes are announced":                         "announced",
		"istiod reads another cluster":                "reads another cluster",
		"no primary takes the cluster for its own":    "takes the cluster for its own",
		"each decides for its own":                    "",
		"132 rules not judged":                        "judged",
		"it stands\napart":                            "apart",
		"nothing apart from that":                     "",
		"one plane":                                   "plane",
		"the control plane and the data-plane":        "",
		"the management plane of Gloo Mesh":           "",
		"2 paths partly broken":                       "",
		"partly ok":                                   "partly",
		"Some are partly broken, some partly there":   "partly",
		"which are none":                              "are none",
		"there are none":                              "",
		"x is no Service":                             "is no",
		"there is no Service, and it is no longer so": "",
		"it can't be":                                 "can't",
	} {
		got := styletest.Refused(text)
		switch {
		case want == "" && len(got) > 0:
			t.Errorf("%q: %v", text, got)
		case want != "" && (len(got) != 1 || !strings.HasPrefix(got[0], `"`+want+`" in `)):
			t.Errorf("%q: %v, not %q", text, got, want)
		}
	}
}

func TestProse(t *testing.T) {
	const page = "It is `odd`, see [this page](odd.md), [odd-1](x) or https://odd.example/odd.\n\n1. Run:\n   ```\n   odd\n   ```\n\n```\nodd\n```\nEnd.\n"
	const want = "It is …, see [this page], … or …\n\n1. Run:\n…\n\n…\nEnd.\n"
	if diff := cmp.Diff(want, styletest.Prose(page)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
