package oracle

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"istio.io/istio/security/pkg/pki/ca"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/certs"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// verdict is what istiod makes of the CA of one cluster.
type verdict struct {
	// istiod is the running CA; nil where it refuses the Secret.
	istiod *ca.IstioCA
	// presented is what a workload of the cluster shows its peers.
	presented []string
	// err says why there is no certificate, or why it does not verify within the cluster.
	err error
}

// hold compares what the rules claim about the plugged-in CA of a cluster at a
// time with what istiod does then, and says where they differ.
func hold(t *testing.T, when time.Time, data map[string]string, result finding.Result, cluster string) (v verdict, differences []string) {
	t.Helper()
	differ := func(format string, args ...any) { differences = append(differences, fmt.Sprintf(format, args...)) }
	dir := mount(t, data)

	loads := certs.Loads(asSecret(data), when)
	if trimmed := certs.Loads(resources.Trim(asSecret(data)).(*corev1.Secret), when); trimmed != loads {
		differ("Loads is %t for the secret, and %t for what the survey leaves of it", loads, trimmed)
	}
	if valid, ok := allValid(data); ok {
		at(t, valid, func() {
			if _, err := start(dir); loads != (err == nil) {
				differ("were all its certificates valid: Loads is %t, istiod: %s", loads, orFine(err))
			}
		})
	}

	at(t, when, func() { v = try(dir) })
	refusing, refuted := refusing(result, cluster), refuted(result, cluster)
	if loads && len(refusing) > len(stale(refusing)) {
		differ("Loads is true, in spite of: %s", titles(refusing))
	}
	if !loads && len(blaming(result, cluster)) == 0 {
		differ("Loads is false, and no finding says why")
	}
	starts := loads && len(refusing) == 0
	if starts != (v.istiod != nil) {
		differ("istiod: %s; Loads is %t, with %s", orFine(v.err), loads, titles(refusing))
	}
	if claimed := starts && len(refuted) == 0; claimed != (v.err == nil) {
		differ("workloads within the cluster: %s; Loads is %t, with %s", orFine(v.err), loads, titles(append(refusing, refuted...)))
	}
	return v, differences
}

// try starts istiod on a directory and verifies a workload's certificate under
// the root that it publishes.
func try(dir string) (v verdict) {
	v.istiod, v.err = start(dir)
	if v.err != nil {
		v.istiod = nil
		return v
	}
	if v.presented, v.err = workload(v.istiod); v.err != nil {
		return v
	}
	v.err = verify(v.presented, string(v.istiod.GetCAKeyCertBundle().GetRootCertPem()))
	return v
}

func asSecret(data map[string]string) *corev1.Secret {
	s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: istiotest.System, Name: istio.CACertsSecret}, Data: map[string][]byte{}}
	for key, value := range data {
		s.Data[key] = []byte(value)
	}
	return s
}

// allValid is a time at which every certificate of a Secret is valid; ok is
// false where there is none.
func allValid(data map[string]string) (when time.Time, ok bool) {
	when, end := istiotest.Now.AddDate(-1, 0, 0), istiotest.Now.AddDate(100, 0, 0)
	for _, c := range certificates(data) {
		if c.NotBefore.After(when) {
			when = c.NotBefore
		}
		if c.NotAfter.Before(end) {
			end = c.NotAfter
		}
	}
	when = when.Add(time.Minute)
	return when, when.Before(end)
}

// certificates are all that a Secret holds, in the order of its keys.
func certificates(data map[string]string) []*x509.Certificate {
	var out []*x509.Certificate
	for _, key := range slices.Sorted(maps.Keys(data)) {
		for block, rest := pem.Decode([]byte(data[key])); block != nil; block, rest = pem.Decode(rest) {
			if c, err := x509.ParseCertificate(block.Bytes); err == nil {
				out = append(out, c)
			}
		}
	}
	return out
}

func orFine(err error) string {
	if err == nil {
		return "fine"
	}
	return err.Error()
}
