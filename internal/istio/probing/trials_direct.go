package probing

import (
	"errors"
	"strings"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
)

// sawPod takes the certificate of a workload in the pod's namespace, which the one that
// tries accepts, for proof that it is that pod.
func (r *Trial) sawPod(a facts.Attempt, roots map[string][]pki.Certificate, now time.Time) {
	seen := r.Detail
	r.Result = NotDirect
	if a.Outcome == facts.NotTried || a.Outcome == facts.Opened {
		r.Result = NotTried
		return
	}
	if a.Outcome != facts.Answered {
		if seen == "" {
			seen = map[facts.Outcome]string{
				facts.Refused: "refused", facts.NoRoute: "no route", facts.Unanswered: "timed out",
				facts.Silent: "it does not answer to TLS", facts.Reset: "reset",
			}[a.Outcome]
		}
		r.Detail = "as usual between networks: " + seen
		return
	}
	known, ok := roots[a.From.Context]
	err := errors.New("its roots are not known")
	if ok {
		err = verifies(a.Certificates, known, now)
	}
	switch {
	case !strings.Contains(r.Certificate.Identity, "/ns/"+r.Object.Namespace+"/sa/"):
		r.Detail = "something else has that address: " + r.Certificate.Describe()
	case err != nil:
		r.Detail = a.From.Context + " does not accept the certificate there: " + r.Certificate.Describe()
	default:
		r.Result, r.Detail, r.TrustedBy = Trusted, "past the gateway, as "+r.Certificate.Identity, []string{a.From.Context}
	}
}

// Expected reports whether nothing has to be fixed for what was seen.
func (r Trial) Expected() bool { return r.Result == Trusted || r.Purpose == PodToPod }
