package oracle

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/certs"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
	"github.com/kubectl-mesh/kubectl-mesh/internal/view"
)

// TestCases holds every fleet of package istiotest against istiod: each cluster
// with a plugged-in CA by itself, then each ordered pair of clusters; now, and
// just after each of its certificates has ended.
func TestCases(t *testing.T) {
	for _, c := range slices.Concat(istiotest.HealthyCases, istiotest.Faults) {
		t.Run(c.Name, func(t *testing.T) {
			fleet := c.Fleet()
			when := []time.Time{istiotest.Now}
			for _, cluster := range fleet.Clusters {
				for _, cert := range certificates(cluster.CACerts) {
					if end := cert.NotAfter.Add(time.Second); end.After(istiotest.Now) {
						when = append(when, end)
					}
				}
			}
			slices.SortFunc(when, time.Time.Compare)
			for _, at := range slices.CompactFunc(when, time.Time.Equal) {
				holdFleet(t, fleet, at, beyond[c.Name] == "")
			}
		})
	}
}

// beyond are fleets in which something decides about trust between clusters that this oracle
// does not have, and what.
var beyond = map[string]string{
	"two roots of which this release hands out the last":                  "a bug of the release",
	"two roots of one name, trusted everywhere, that nothing tells apart": "Envoy, which chooses an issuer by its name",
	"caCertificates that ambient workloads do not get":                    "ztunnel",
}

func holdFleet(t *testing.T, fleet *istiotest.Fleet, when time.Time, pairs bool) {
	read := fleet.Facts()
	read.At = when
	result := judge(t, read)
	relations := certs.Compare(read).Trust
	for _, to := range fleet.Clusters {
		if !pluggedIn(to) {
			continue
		}
		v, differences := hold(t, when, to.CACerts, result, to.Name)
		for _, d := range differences {
			t.Errorf("%s, %s: %s", when.Format(time.DateOnly), to.Name, d)
		}
		if !pairs || v.presented == nil || !inUse(to, v) {
			continue
		}
		for _, from := range fleet.Clusters {
			if from == to {
				continue
			}
			i := slices.IndexFunc(relations, func(r view.Relation) bool { return r.From == from.Name && r.To == to.Name })
			claims := append(refuted(result, to.Name), refusedBy(result, from.Name, to.Name)...)
			claimed := relations[i].Verdict == certs.Trusts && len(claims) == 0
			var err error
			at(t, when, func() { err = verify(v.presented, roots(from, v)) })
			if claimed != (err == nil) {
				t.Errorf("%s, a certificate of %s in %s: %s; the relation is %q (%s), with %s",
					when.Format(time.DateOnly), to.Name, from.Name, orFine(err), relations[i].Verdict, relations[i].Reason, titles(claims))
			}
		}
	}
}

// judge runs the rules of mesh-certs on a fleet. A rule that panics, or does what it
// does not declare, fails the test.
func judge(t *testing.T, fleet *facts.Fleet) finding.Result {
	t.Helper()
	return rule.Run(model.New(fleet, model.Options{}), certs.Rules(), rule.Options{Violated: func(what string) { t.Error(what) }})
}

// pluggedIn reports whether istiod takes its CA from Secret cacerts: it runs
// there, signs itself (pilot/pkg/bootstrap/server.go, maybeCreateCA), and did
// not make the Secret (istio_ca.go, createIstioCA).
func pluggedIn(c *istiotest.Cluster) bool {
	_, generated := c.CACerts["istio-generated"]
	return c.Image != "" && c.CACerts != nil && !generated && c.Env[istio.EnvEnableCAServer] != "false" && c.Env[istio.EnvExternalCA] == ""
}

// inUse reports whether istiod runs on the CA that is in the Secret: what it
// publishes is root-cert.pem, byte by byte (pilot/pkg/bootstrap/server.go,
// updateRootCertAndGenKeyCert).
func inUse(c *istiotest.Cluster, v verdict) bool {
	return c.Published == "" || c.Published == string(v.istiod.GetCAKeyCertBundle().GetRootCertPem())
}

// roots are those that workloads of a cluster have: what its istiod publishes and,
// with ISTIO_MULTIROOT_MESH, the mesh config's caCertificates
// (pilot/pkg/trustbundle/trustbundle.go, UpdateTrustAnchor). Where
// nothing is published yet, both clusters are taken to publish the same.
func roots(c *istiotest.Cluster, v verdict) string {
	out := []string{c.Published}
	if c.Published == "" {
		out[0] = string(v.istiod.GetCAKeyCertBundle().GetRootCertPem())
	}
	if c.Env[istio.EnvMultiRoot] == "true" {
		further, _ := c.Mesh["istio"]["caCertificates"].([]any)
		for _, f := range further {
			out = append(out, f.(map[string]any)["pem"].(string))
		}
	}
	return strings.Join(out, "\n")
}
