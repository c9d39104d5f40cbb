package oracle

import (
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"sync"

	"istio.io/istio/security/pkg/pki/ca"
	"istio.io/istio/security/pkg/pki/util"
)

// identity is a workload's.
const identity = "spiffe://cluster.local/ns/sample/sa/default"

// newCSR is a workload's request, the same for all: nothing depends on its key.
var newCSR = sync.OnceValues(func() ([]byte, error) {
	csr, _, err := util.GenCSR(util.CertOptions{Host: identity, ECSigAlg: util.EcdsaSigAlg})
	return csr, err
})

// workload has istiod sign a workload's certificate and returns what the workload
// presents to its peers: security/pkg/server/ca/server.go, CreateCertificate, up
// to the root that it appends for the workload itself.
func workload(istiod *ca.IstioCA) ([]string, error) {
	csr, err := newCSR()
	if err != nil {
		return nil, err
	}
	leaf, err := istiod.Sign(csr, ca.CertOpts{SubjectIDs: []string{identity}})
	if err != nil {
		return nil, fmt.Errorf("istiod does not sign: %w", err)
	}
	var presented []string
	for _, text := range [][]byte{leaf, istiod.GetCAKeyCertBundle().GetCertChainPem()} {
		for _, cert := range util.PemCertBytestoString(text) {
			presented = append(presented, cert+"\n")
		}
	}
	return presented, nil
}

// verify does what a peer does with the certificates that a workload presents:
// it knows these and its own roots, and nothing else.
func verify(presented []string, roots string) error {
	leaf, err := util.ParsePemEncodedCertificate([]byte(presented[0]))
	if err != nil {
		return err
	}
	opts := x509.VerifyOptions{
		Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	}
	if !opts.Roots.AppendCertsFromPEM([]byte(roots)) {
		return errors.New("the peer has no root")
	}
	opts.Intermediates.AppendCertsFromPEM([]byte(strings.Join(presented[1:], "")))
	_, err = leaf.Verify(opts)
	return err
}
