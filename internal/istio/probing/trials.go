package probing

import (
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
)

// NewTrials says what came of attempts at targets, which are in the same order, by the
// roots of each cluster. They were made now, which is later than the facts of a dump.
func NewTrials(m *model.Mesh, targets []Target, attempts [][]facts.Attempt, roots map[string][]pki.Certificate, now time.Time) Trials {
	out := Trials{}
	for i, t := range targets {
		for _, a := range attempts[i] {
			r := newTrial(t, a)
			r.decide(a, roots, now)
			r.PodNetwork = podNetwork(m, a.From)
			if t.Purpose == Requests || t.Purpose == PodToPod {
				r.AsClient = r.PodNetwork != "" && r.PodNetwork != t.Network
			} else {
				r.AsClient = a.From.Pod != "" && a.From.Context == t.For
			}
			out = append(out, r)
		}
	}
	return out
}

func newTrial(t Target, a facts.Attempt) Trial {
	ms := func(d time.Duration) float64 {
		return float64(d.Round(100*time.Microsecond)) / float64(time.Millisecond)
	}
	r := Trial{
		Cluster: t.Cluster, Network: t.Network, Object: t.Object, Purpose: t.Purpose, For: t.For,
		Address: t.Address, Port: t.Port, ServerName: t.ServerName, Protocol: t.Protocol,
		From: a.From.String(), Tool: a.Tool, Milliseconds: Milliseconds{ms(a.Name), ms(a.Connect), ms(a.Handshake)},
		Target: t, Vantage: a.From,
	}
	if a.IP != t.Address {
		r.IP = a.IP
	}
	if len(a.Certificates) > 0 {
		c := pki.NewCertificate(a.Certificates[0])
		r.Certificate = &ShownCertificate{
			Identity: identity(c.Certificate), Subject: c.Subject(), DNSNames: c.DNSNames,
			Issuer: c.Issuer(), SHA256: c.SHA256, NotAfter: c.NotAfter.UTC(),
		}
	}
	return r
}

// identity is what a certificate of the mesh is for: a workload has a SPIFFE ID
// (security/pkg/pki/util/generate_cert.go).
func identity(c *x509.Certificate) string {
	for _, u := range c.URIs {
		if u.Scheme == "spiffe" {
			return u.String()
		}
	}
	return ""
}

// decide takes the verdict from what was seen.
func (r *Trial) decide(a facts.Attempt, roots map[string][]pki.Certificate, now time.Time) {
	r.Detail = a.Detail
	if r.Purpose == PodToPod {
		r.sawPod(a, roots, now)
		return
	}
	switch a.Outcome {
	case facts.Unresolved:
		r.Result = Unresolved
	case facts.Refused:
		r.Result = Refused
	case facts.NoRoute:
		r.Result = NoRoute
	case facts.Unanswered:
		if r.Result = TimedOut; r.Detail == "" {
			r.Detail = "nothing answers: a firewall?"
		}
	case facts.Silent:
		r.Result, r.Detail = TimedOut, "it accepts connections, and does not answer to TLS"
	case facts.Reset:
		r.Result = Reset
		if r.Detail == "" {
			r.Detail = "it accepts connections, and closes them without an answer to TLS"
		}
	case facts.Foreign:
		if r.Result = NotMesh; r.Purpose != Requests {
			r.Result = NotControlPlane
		}
		if r.Certificate != nil {
			r.Detail += "; its certificate is " + r.Certificate.Describe()
		}
	case facts.Answered:
		if r.Purpose == Requests {
			r.sawGateway(a, roots, now)
		} else {
			r.sawControlPlane(a, now)
		}
	case facts.Opened:
		r.Result = Reachable
		if r.Target.Blind != "" {
			r.Detail = "TLS was not tried: " + r.Target.Blind
		} else if r.Detail != "" {
			r.Detail = "what it is was not seen: " + r.Detail
		}
	default:
		r.Result = NotTried
	}
	if a.From.Proxied && r.Certificate == nil {
		// The proxy accepts every connection, and closes it when it gets no further.
		switch a.Outcome {
		case facts.Opened:
			r.Result, r.Detail = NotTried, "the pod's own proxy accepts every connection of that container"
		case facts.Reset, facts.Silent, facts.Unanswered, facts.Refused:
			r.Doubtful = true
			r.Detail = "through the pod's own proxy, which does not tell why"
		default: // not of the proxy's making
		}
	}
	if r.IP != "" && r.Result != NotTried {
		if ip := model.AddressOf(r.IP); model.IsLocalAddress(ip) || model.IsPrivateAddress(ip) {
			kind := "private"
			if model.IsLocalAddress(ip) {
				kind = "local"
			}
			r.Detail = strings.TrimPrefix(r.Detail+"; the name leads to a "+kind+" address", "; ")
		}
	}
}

// sawGateway asks of each cluster on another network whether its workloads
// accept what they would be shown.
func (r *Trial) sawGateway(a facts.Attempt, roots map[string][]pki.Certificate, now time.Time) {
	if r.Certificate.Identity == "" {
		r.Result, r.Detail = NotMesh, "its certificate is "+r.Certificate.Describe()+", and not that of a workload"
		return
	}
	r.DistrustedBy, r.TrustedBy = nil, nil
	var unknown []string
	expired := false
	for _, context := range r.Target.Clients {
		known, ok := roots[context]
		if !ok {
			unknown = append(unknown, context)
			continue
		}
		err := verifies(a.Certificates, known, now)
		if err == nil {
			r.TrustedBy = append(r.TrustedBy, context)
			continue
		}
		r.DistrustedBy = append(r.DistrustedBy, context)
		invalid := x509.CertificateInvalidError{}
		expired = expired || errors.As(err, &invalid) && invalid.Reason == x509.Expired
	}
	switch {
	case expired:
		r.Result, r.Detail = OtherRoot, r.Certificate.outOfTime()
	case len(r.DistrustedBy) > 0:
		r.Result, r.Detail = OtherRoot, fmt.Sprintf("%s has no root for %s", listed(r.DistrustedBy), r.Certificate.Describe())
	case len(r.TrustedBy) == 0:
		r.Result, r.Detail, r.TrustUnknown = Reachable, "the roots of "+listed(unknown)+" are not known", true
	default:
		r.Result, r.Detail = Trusted, "by "+listed(r.TrustedBy)
		if unknown != nil {
			r.Detail += "; the roots of " + listed(unknown) + " are not known"
		}
	}
}

func listed(names []string) string {
	if len(names) == 0 {
		return "other clusters"
	}
	return finding.List(names)
}

// verifies reports why a chain does not lead to one of the roots.
func verifies(chain []*x509.Certificate, roots []pki.Certificate, now time.Time) error {
	intermediates := x509.NewCertPool()
	for _, c := range chain[1:] {
		intermediates.AddCert(c)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{
		Roots: pki.Pool(roots), Intermediates: intermediates, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	return err
}

// outOfTime says that a certificate of the chain is not valid now.
func (c *ShownCertificate) outOfTime() string {
	return fmt.Sprintf("a certificate of its chain has expired or is not valid yet: %s, until %s",
		c.Describe(), c.NotAfter.Format(time.RFC3339))
}
