package oracle

import (
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
)

// What the findings about a cluster's CA claim, of istiod at its start and of
// the certificates that it gives to workloads, as seen by peers in the same cluster:
//
//	finding                             istiod      workloads' certificates
//	CERT005 CERT006 CERT009             refuses     -
//	CERT032 error (SHA-1)               refuses     -
//	CERT007 CERT008                     by Loads    do not verify
//	CERT010 error, out of its time      by effect   by effect
//	CERT010 error, ending within a week loads       verify
//	CERT010 warning                     loads       verify
//	CERT011                             loads       do not verify
//	CERT019                             by Loads    verify (crypto/x509 reads no list)
//	CERT030 a private key is in it      loads       verify
//	CERT030 otherwise                   refuses     -
//	all others                          loads       verify
//
// "By Loads" and "refuses" are one claim, certs.Loads, which leaves the time
// aside. Where istiod refuses, it signs nothing, and so nothing verifies. The
// relation of two clusters by certs.Compare is about the signing certificate
// alone: a workload's certificate verifies in another cluster where that cluster
// trusts this one, this one has no finding by which its certificates do not
// verify, and that one no CERT010 of a root by which they do not verify there.

// What a finding of one code says in its title and effect where it can claim several
// things: the sentences are the claim.
const (
	saysNoStart  = "istiod does not come back"
	saysNoVerify = "certificates issued by it do not verify"
	saysOthers   = "certificates of "
	saysIn       = " do not verify in "
	saysSoon     = "from then on "
	saysLeak     = "holds a private key"
)

// refusing are the findings that claim that istiod does not start, now or at any time.
func refusing(r finding.Result, cluster string) []finding.Finding {
	return errorsOf(r, cluster, func(f finding.Finding) bool {
		switch f.Code {
		case "CERT005", "CERT006", "CERT009", "CERT032":
			return true
		case "CERT010":
			return outOfTime(f) && strings.Contains(f.Effect, saysNoStart)
		case "CERT030":
			return !strings.Contains(f.Title, saysLeak)
		}
		return false
	})
}

// blaming are the findings that can explain that istiod does not start.
func blaming(r finding.Result, cluster string) []finding.Finding {
	byLoads := errorsOf(r, cluster, func(f finding.Finding) bool {
		return slices.Contains([]finding.Code{"CERT007", "CERT008", "CERT019"}, f.Code)
	})
	return append(refusing(r, cluster), byLoads...)
}

// refuted are the findings that claim that certificates which a cluster's istiod
// gives to workloads do not verify.
func refuted(r finding.Result, cluster string) []finding.Finding {
	return errorsOf(r, cluster, func(f finding.Finding) bool {
		switch f.Code {
		case "CERT007", "CERT008", "CERT011":
			return true
		case "CERT010":
			return outOfTime(f) && strings.Contains(f.Effect, saysNoVerify)
		}
		return false
	})
}

// refusedBy are the findings that claim that one cluster's roots are out of their
// time for the certificates of another, which is not to blame.
func refusedBy(r finding.Result, from, to string) []finding.Finding {
	return errorsOf(r, from, func(f finding.Finding) bool {
		_, names, found := strings.Cut(f.Effect, saysOthers)
		names, _, _ = strings.Cut(names, saysIn)
		return f.Code == "CERT010" && outOfTime(f) && found && strings.Contains(names, to)
	})
}

func errorsOf(r finding.Result, cluster string, which func(finding.Finding) bool) []finding.Finding {
	return slices.DeleteFunc(slices.Clone(r.Findings), func(f finding.Finding) bool {
		return f.Severity != finding.Error || !slices.Contains(f.Clusters, cluster) || !which(f)
	})
}

// outOfTime reports whether a CERT010 says that a certificate is not valid now,
// rather than that it will soon not be.
func outOfTime(f finding.Finding) bool { return !strings.HasPrefix(f.Effect, saysSoon) }

// stale are those of the findings by which a certificate is not valid now.
func stale(findings []finding.Finding) []finding.Finding {
	return slices.DeleteFunc(slices.Clone(findings), func(f finding.Finding) bool { return f.Code != "CERT010" })
}

// titles names findings in a failure.
func titles(findings []finding.Finding) string {
	out := make([]string, len(findings))
	for i, f := range findings {
		out[i] = string(f.Code) + " " + f.Title
	}
	if len(out) == 0 {
		return "no finding"
	}
	return strings.Join(out, "; ")
}
