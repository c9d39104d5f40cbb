package probing

import (
	"cmp"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// Topic is what a run asks for that tries addresses.
const Topic rule.Topic = "probe"

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

// Trials are what came of trying addresses; a run that tried gives them to rules
// (model.Given).
type Trials []Trial

// Given are the trials of the run; none where nothing was tried.
func Given(m *model.Mesh) Trials {
	trials, _ := model.Given[Trials](m)
	return trials
}

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

	// Target and Vantage are what was tried, and from where.
	Target  Target        `json:"-"`
	Vantage facts.Vantage `json:"-"`
	// PodNetwork is that of the pod that tried; "" where it is not known.
	PodNetwork string `json:"-"`
	// AsClient: it was tried from where clients are: from a pod of another network, or of
	// the cluster that uses a control plane.
	AsClient bool `json:"-"`
	// Doubtful: it went through a proxy, which answers for others.
	Doubtful bool `json:"-"`
	// TrustUnknown: whether the certificate is accepted is not known.
	TrustUnknown bool `json:"-"`
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

// Same reports whether another attempt was at the same address for the same purpose, from the same place.
func (r Trial) Same(other Trial) bool {
	return r.Address == other.Address && r.IP == other.IP && r.Port == other.Port && r.Purpose == other.Purpose && r.From == other.From
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
	if r.Vantage.Pod == "" {
		return ""
	}
	return strings.TrimSuffix(strings.Join([]string{r.Vantage.Context, r.Vantage.Namespace, r.Vantage.Pod, r.Vantage.Container}, "/"), "/")
}

// String is the verdict in words.
func (v Verdict) String() string {
	return map[Verdict]string{
		Trusted: "reachable and trusted", OtherRoot: "reachable, but other root", NotMesh: "reachable, but not a mesh gateway",
		NotDirect: "not reached directly", NotControlPlane: "reachable, but not istiod", OtherName: "reachable, but for another name",
		Refused: "refused", TimedOut: "timed out", Reset: "reset", NoRoute: "no route", Unresolved: "name not resolved",
		Reachable: "reachable", NotTried: "not tried",
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
