package network

import (
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
)

// Verdict is what came of trying an address of a gateway.
type Verdict string

// The verdicts.
const (
	Trusted   Verdict = "reachable-and-trusted"
	OtherRoot Verdict = "reachable-but-other-root"
	NotMesh   Verdict = "reachable-but-not-a-mesh-gateway"
	// NotControlPlane: something else than istiod answers at an address of istiod's.
	NotControlPlane Verdict = "reachable-but-not-a-control-plane"
	// OtherName: it is istiod, and its certificate is not for the name by which it is called.
	OtherName  Verdict = "reachable-but-other-name"
	Refused    Verdict = "refused"
	TimedOut   Verdict = "timed-out"
	Reset      Verdict = "reset"
	NoRoute    Verdict = "no-route"
	Unresolved Verdict = "name-not-resolved"
	// Reachable: something accepts connections; what it is was not to be seen.
	Reachable Verdict = "reachable"
	// NotDirect: a pod of another network was not seen to be reached past its gateway.
	NotDirect Verdict = "not-reached-directly"
	// NotTried: there was nothing to try it with, or what was seen tells nothing.
	NotTried Verdict = "not-tried"
)

// Trial is one try of an address of a gateway or of a control plane, and the verdict
// on it.
type Trial struct {
	// Cluster, Network and Object are of the gateway; of a control plane whose address
	// belongs to no gateway that is known, its own.
	Cluster string         `json:"cluster"`
	Network string         `json:"network"`
	Object  finding.Object `json:"object"`
	// Purpose is what the address is used for, and For the context of the remote cluster
	// that is told to use an address of a control plane.
	Purpose Purpose `json:"purpose"`
	For     string  `json:"for,omitempty"`
	// Address is what the gateway has, and IP which one of a host name was tried.
	Address string `json:"address"`
	IP      string `json:"ip,omitempty"`
	Port    uint32 `json:"port"`
	// ServerName and Protocol are what TLS asked for.
	ServerName string `json:"serverName,omitempty"`
	Protocol   string `json:"protocol,omitempty"`
	// From is the vantage, and Tool the command that was used in a pod.
	From string `json:"from"`
	Tool string `json:"tool,omitempty"`
	// Result is the verdict, and Detail what was seen, in words.
	Result Verdict `json:"result"`
	Detail string  `json:"detail,omitempty"`
	// Certificate is that of the server, and TrustedBy and DistrustedBy are the
	// clusters on other networks whose workloads accept it or do not; of a control plane
	// it is the cluster that uses it.
	Certificate  *ShownCertificate `json:"certificate,omitempty"`
	TrustedBy    []string          `json:"trustedBy,omitempty"`
	DistrustedBy []string          `json:"distrustedBy,omitempty"`
	Milliseconds Milliseconds      `json:"milliseconds"`

	target     Target
	vantage    facts.Vantage
	elsewhere  bool   // from a pod of another network, or of the cluster that uses a control plane
	network    string // that of the pod that tried, "" where it is not known
	doubtful   bool   // through a proxy, which answers for others
	unanswered bool   // whether the certificate is accepted is not known
}

// Milliseconds are how long the steps of a trial took.
type Milliseconds struct {
	Name    float64 `json:"name,omitempty"`
	Connect float64 `json:"connect,omitempty"`
	TLS     float64 `json:"tls,omitempty"`
}

// ShownCertificate is what a server presented.
type ShownCertificate struct {
	// Identity is that of a workload; "" where it is none.
	Identity string    `json:"identity,omitempty"`
	Subject  string    `json:"subject"`
	DNSNames []string  `json:"dnsNames,omitempty"`
	Issuer   string    `json:"issuer"`
	SHA256   string    `json:"sha256"`
	NotAfter time.Time `json:"notAfter"`
}

// Trials judges attempts at targets, which are in the same order, by the roots of
// each cluster. They were made now, which is later than the facts of a dump.
func Trials(fleet *facts.Fleet, targets []Target, attempts [][]facts.Attempt, roots map[string][]pki.Certificate, now time.Time) []Trial {
	out := []Trial{}
	networks := map[facts.Vantage]string{}
	for i, t := range targets {
		for _, a := range attempts[i] {
			r := newTrial(t, a)
			r.judge(a, roots, now)
			own, ok := networks[a.From]
			if !ok {
				own = podNetwork(fleet, a.From)
				networks[a.From] = own
			}
			r.network = own
			if t.Purpose == Requests || t.Purpose == PodToPod {
				r.elsewhere = own != "" && own != t.Network
			} else {
				r.elsewhere = a.From.Pod != "" && a.From.Context == t.For
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
		Cluster: t.Cluster, Network: t.Network, Object: t.Object, Purpose: t.Purpose, For: t.For, Address: t.Address, Port: t.Port, ServerName: t.ServerName, Protocol: t.Protocol,
		From: a.From.String(), Tool: a.Tool, Milliseconds: Milliseconds{ms(a.Name), ms(a.Connect), ms(a.Handshake)},
		target: t, vantage: a.From,
	}
	if a.IP != t.Address {
		r.IP = a.IP
	}
	if len(a.Certificates) > 0 {
		c := pki.NewCertificate(a.Certificates[0])
		r.Certificate = &ShownCertificate{
			Identity: identity(c.Certificate), Subject: c.Subject(), DNSNames: c.DNSNames, Issuer: c.Issuer(), SHA256: c.SHA256, NotAfter: c.NotAfter.UTC(),
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

func (r *Trial) judge(a facts.Attempt, roots map[string][]pki.Certificate, now time.Time) {
	r.Detail = a.Detail
	if r.Purpose == PodToPod {
		r.judgeDirect(a, roots, now)
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
			r.judgeCertificate(a, roots, now)
		} else {
			r.judgeControlPlane(a, now)
		}
	case facts.Opened:
		r.Result = Reachable
		if r.target.Blind != "" {
			r.Detail = "TLS was not tried: " + r.target.Blind
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
			r.doubtful = true
			r.Detail = "through the pod's own proxy, which does not tell why"
		}
	}
	if r.IP != "" && r.Result != NotTried {
		if ip := addressOf(r.IP); isLocal(ip) || isPrivate(ip) {
			kind := "private"
			if isLocal(ip) {
				kind = "local"
			}
			r.Detail = strings.TrimPrefix(r.Detail+"; the name leads to a "+kind+" address", "; ")
		}
	}
}

// judgeCertificate asks of each cluster on another network whether its workloads
// accept what they would be shown.
func (r *Trial) judgeCertificate(a facts.Attempt, roots map[string][]pki.Certificate, now time.Time) {
	if r.Certificate.Identity == "" {
		r.Result, r.Detail = NotMesh, "its certificate is "+r.Certificate.Describe()+", and not that of a workload"
		return
	}
	r.DistrustedBy, r.TrustedBy = nil, nil
	var unknown []string
	expired := false
	for _, context := range r.target.Judges {
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
		r.Result, r.Detail = OtherRoot, fmt.Sprintf("a certificate of its chain has expired or is not valid yet: %s, until %s", r.Certificate.Describe(), r.Certificate.NotAfter.Format(time.RFC3339))
	case len(r.DistrustedBy) > 0:
		r.Result, r.Detail = OtherRoot, fmt.Sprintf("%s has no root for %s", listed(r.DistrustedBy), r.Certificate.Describe())
	case len(r.TrustedBy) == 0:
		r.Result, r.Detail, r.unanswered = Reachable, "the roots of "+listed(unknown)+" are not known", true
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

// Describe says whose certificate it is, and who issued it.
func (c *ShownCertificate) Describe() string {
	whose := c.Identity
	if whose == "" && len(c.DNSNames) > 0 {
		whose = finding.List(c.DNSNames)
	}
	if whose == "" {
		whose = c.Subject
	}
	return whose + ", issued by " + c.Issuer
}

// Where is the address and the port that was tried.
func (r Trial) Where() string {
	text := net.JoinHostPort(r.Address, strconv.Itoa(int(r.Port)))
	if r.IP != "" {
		text += " (" + r.IP + ")"
	}
	return text
}

// ID names a trial for scripts.
func (r Trial) ID() string {
	address := net.JoinHostPort(cmp.Or(r.IP, r.Address), strconv.Itoa(int(r.Port)))
	return fmt.Sprintf("%s/%s/%s/%s", r.Cluster, strings.ReplaceAll(r.Object.String(), " ", "/"), address, string(r.Result))
}

// Pod names the pod that tried, as flag --from-pod has it; "" for this machine.
func (r Trial) Pod() string {
	if r.vantage.Pod == "" {
		return ""
	}
	return strings.TrimSuffix(strings.Join([]string{r.vantage.Context, r.vantage.Namespace, r.vantage.Pod, r.vantage.Container}, "/"), "/")
}

// String is the verdict in words.
func (v Verdict) String() string {
	return map[Verdict]string{
		Trusted: "reachable and trusted", OtherRoot: "reachable, but other root", NotMesh: "reachable, but not a mesh gateway", Refused: "refused",
		NotDirect: "not reached directly", NotControlPlane: "reachable, but not istiod", OtherName: "reachable, but for another name",
		TimedOut: "timed out", Reset: "reset", NoRoute: "no route", Unresolved: "name not resolved", Reachable: "reachable", NotTried: "not tried",
	}[v]
}

// Says is the verdict in words, and what was seen.
func (r Trial) Says() string {
	switch {
	case r.Detail == "":
		return r.Result.String()
	case r.Result == Trusted:
		return r.Result.String() + " " + r.Detail
	default:
		return r.Result.String() + ": " + r.Detail
	}
}

// Vantage checks that a pod is among those of the fleet, where they were read, and
// finds the container to try things from: that of the proxy, whose own traffic
// nothing intercepts, or the one that is asked for.
func Vantage(fleet *facts.Fleet, context, namespace, name, container string) (facts.Vantage, error) {
	out := facts.Vantage{Context: context, Namespace: namespace, Pod: name, Container: container}
	at := slices.IndexFunc(fleet.Clusters, func(c facts.Cluster) bool { return c.Context == context })
	if at < 0 || !resources.Pods.Of(&fleet.Clusters[at]).Known() {
		return out, nil
	}
	m := newMember(&fleet.Clusters[at])
	for i := range resources.Pods.Of(m.Cluster).Value {
		p := &resources.Pods.Of(m.Cluster).Value[i]
		if p.Namespace != namespace || p.Name != name {
			continue
		}
		switch sidecar := isProxy(p); {
		case !runs(p):
			return out, fmt.Errorf("pod %s/%s of %s has ended", namespace, name, context)
		case p.HostNetwork:
		case sidecar && container == "":
			out.Container = istio.ProxyContainer
		case sidecar:
			out.Proxied = container != istio.ProxyContainer
		default:
			out.Proxied = isAmbient(m.namespaces[namespace])
		}
		return out, nil
	}
	return out, fmt.Errorf("there is no pod %s in namespace %s of %s; \"kubectl --context=%s get pods -n %s\" lists those that there are", name, namespace, context, context, namespace)
}

// podNetwork is the network that a pod takes itself to be on; "" where that is
// not known.
func podNetwork(fleet *facts.Fleet, v facts.Vantage) string {
	at := slices.IndexFunc(fleet.Clusters, func(c facts.Cluster) bool { return c.Context == v.Context })
	if v.Pod == "" || at < 0 {
		return ""
	}
	m := newMember(&fleet.Clusters[at])
	for i := range resources.Pods.Of(m.Cluster).Value {
		p := &resources.Pods.Of(m.Cluster).Value[i]
		if p.Namespace == v.Namespace && p.Name == v.Pod {
			if own := variable(p, istio.EnvProxyNetwork); own != "" {
				return own
			}
		}
	}
	return m.label
}
