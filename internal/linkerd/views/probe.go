package views

import (
	"cmp"
	"crypto/x509"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
	"github.com/kubectl-mesh/kubectl-mesh/internal/view"
)

// transport is what proxies of other clusters ask a gateway for (linkerd/transport-header/src/lib.rs of linkerd2-proxy).
const transport = "transport.l5d.io/v1"

// Target is an address at which clusters reach a gateway, or see whether it lives.
type Target struct {
	facts.Probe
	// Cluster is that of the gateway, as the fleet or its Links call it.
	Cluster string
	// Use is what it is for, and Sources are the clusters whose Links lead there.
	Use     string
	Sources []*model.Cluster
}

// Targets are the addresses that the Links of a fleet name: of both ports of each gateway. TLS asks for the gateway by its
// identity: other names the proxy passes on.
func Targets(m *model.Mesh) []Target {
	var out []Target
	for _, l := range m.Links {
		if !l.HasGateway() {
			continue
		}
		cluster := l.TargetName()
		if l.Target != nil {
			cluster = l.Target.Context
		}
		for _, port := range []struct{ use, number string }{{"traffic", l.Spec.GatewayPort}, {"probe", l.Spec.ProbeSpec.Port}} {
			number, err := strconv.ParseUint(port.number, 10, 16)
			if err != nil || number == 0 {
				continue // NET105 says it
			}
			for _, address := range l.GatewayAddresses() {
				t := Target{
					Probe:   facts.Probe{Address: address, Port: uint32(number), Protocol: transport, ServerName: l.Spec.GatewayIdentity},
					Cluster: cluster, Use: port.use, Sources: []*model.Cluster{l.Source},
				}
				same := func(o Target) bool { return o.Probe == t.Probe && o.Cluster == t.Cluster && o.Use == t.Use }
				if i := slices.IndexFunc(out, same); i >= 0 {
					out[i].Sources = append(out[i].Sources, l.Source)
					continue
				}
				out = append(out, t)
			}
		}
	}
	return out
}

// ProbeHeader are the columns of what was tried.
var ProbeHeader = []string{"CLUSTER", "STATUS", "FOR", "ADDRESS", "CERTIFICATE", "RESULT"}

// ProbeRow is what came of an attempt, and whether it is as it should be.
func ProbeRow(t Target, a facts.Attempt, now time.Time) ([]string, bool) {
	verdict, certificate, result := judge(t, a, now)
	where := t.String()
	if a.IP != "" && a.IP != t.Address {
		where += " (" + a.IP + ")"
	}
	return []string{t.Cluster, string(verdict), t.Use, where, certificate, result}, verdict == view.Reaches
}

// judge says what was seen.
func judge(t Target, a facts.Attempt, now time.Time) (verdict view.Verdict, certificate, result string) {
	if len(a.Certificates) == 0 {
		verdict = view.Broken
		if a.Outcome == facts.NotTried {
			verdict = view.Unknown
		}
		return verdict, "none", cmp.Or(unseen[a.Outcome], string(a.Outcome)) + detail(a.Detail)
	}
	leaf := a.Certificates[0]
	shown := pki.NewCertificate(leaf)
	name := strings.Join(leaf.DNSNames, " ")
	certificate = fmt.Sprintf("%s, until %s", pki.Short(shown.SHA256), leaf.NotAfter.UTC().Format("2006-01-02"))
	switch {
	case !slices.Contains(leaf.DNSNames, t.ServerName):
		return view.Broken, certificate, fmt.Sprintf("%s answers, and the Link has %s", cmp.Or(name, shown.Subject()), t.ServerName)
	case now.After(leaf.NotAfter):
		return view.Broken, certificate, "its certificate has expired"
	case now.Before(leaf.NotBefore):
		return view.Broken, certificate, "its certificate is not yet valid"
	}
	var by, not, unknown []string
	for _, c := range t.Sources {
		switch {
		case c.Roots == nil:
			unknown = append(unknown, c.Context)
		case trusts(c, a.Certificates):
			by = append(by, c.Context)
		default:
			not = append(not, c.Context)
		}
	}
	switch {
	case len(not) > 0:
		return view.Broken, certificate,
			fmt.Sprintf("no root of %s has issued its certificate, which is issued by %s", finding.List(not), shown.Issuer())
	case len(unknown) > 0:
		return view.Unknown, certificate, "reachable; the roots of " + finding.List(unknown) + " are not known"
	default:
		return view.Reaches, certificate, "reachable, trusted by " + finding.List(by)
	}
}

// unseen says how an attempt ended that saw no certificate.
var unseen = map[facts.Outcome]string{
	facts.NotTried:   "not tried",
	facts.Unresolved: "the name has no address",
	facts.Refused:    "connection refused",
	facts.NoRoute:    "no route",
	facts.Unanswered: "nothing answers: a firewall?",
	facts.Silent:     "it accepts connections, and does not answer to TLS",
	facts.Reset:      "it accepts connections, and closes them",
	facts.Foreign:    "it is not a proxy of Linkerd",
}

func detail(text string) string {
	if text == "" {
		return ""
	}
	return ": " + text
}

// trusts reports whether the proxies of a cluster trust what a gateway showed.
func trusts(c *model.Cluster, chain []*x509.Certificate) bool {
	var all []pki.Certificate
	for _, certificate := range chain {
		all = append(all, pki.NewCertificate(certificate))
	}
	shown := model.Issuer{Certificate: &all[0], Chain: all[1:]}
	return shown.Trusted(c.Roots.Certificates)
}
