package mesh

import "time"

// Wishes that meshes know.
type (
	// Since is how far back restarts count.
	Since time.Duration
	// ExpiryWarn is how long before its end a certificate is reported.
	ExpiryWarn time.Duration
	// AskProxies asks some proxies of each cluster which certificates they have.
	AskProxies struct{}
	// Probing tries the addresses of gateways and control planes.
	Probing struct {
		// FromPods are the pods to try from, as context/namespace/pod[/container]; from
		// this machine where there is none.
		FromPods []string
		// Wait is how long a name, a connection or TLS may take.
		Wait time.Duration
	}
	// Services are those that are checked.
	Services struct {
		// Namespace is theirs; "" for any.
		Namespace string
		// Selects tells by the labels; nil for all.
		Selects func(labels map[string]string) bool
	}
)

// What is taken where the user does not say.
const (
	DefaultSince = 24 * time.Hour
	ProbeWait    = 5 * time.Second
)
