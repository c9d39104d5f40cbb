package bed

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"time"
)

// The authorities of a mesh live as long as those that people make for one: one
// that is about to end is a fault.
const (
	meshRootLife         = 10 * 365 * 24 * time.Hour
	meshIntermediateLife = 2 * 365 * 24 * time.Hour
)

// meshCA is the root that the certificate authorities of a mesh have in common.
type meshCA struct{ root *authority }

func newMeshCA() (*meshCA, error) {
	key, cert, err := issueCA("Root CA", meshRootLife, nil)
	if err != nil {
		return nil, fmt.Errorf("make the root of the mesh: %w", err)
	}
	return &meshCA{root: &authority{key: key, cert: cert, pem: certificatePEM(cert.Raw)}}, nil
}

// issue makes the authority of a cluster, as the data of Secret cacerts.
func (m *meshCA) issue(cluster string) (map[string][]byte, error) {
	key, cert, err := issueCA("Intermediate CA of "+cluster, meshIntermediateLife, m.root)
	if err != nil {
		return nil, fmt.Errorf("make the mesh CA of %s: %w", cluster, err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode the mesh CA key of %s: %w", cluster, err)
	}
	own := certificatePEM(cert.Raw)
	return map[string][]byte{
		"ca-cert.pem":    own,
		"ca-key.pem":     pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER}),
		"cert-chain.pem": append(append([]byte(nil), own...), m.root.pem...),
		"root-cert.pem":  m.root.pem,
	}, nil
}

// issueCA makes an authority, signed by another or, if there is none, by itself.
func issueCA(name string, life time.Duration, issuer *authority) (*ecdsa.PrivateKey, *x509.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := certificateTemplate(name)
	template.Subject.Organization = []string{"Istio"}
	template.NotAfter = template.NotBefore.Add(life)
	template.IsCA = true
	template.BasicConstraintsValid = true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature
	parent, signer := template, key
	if issuer != nil {
		parent, signer = issuer.cert, issuer.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		return nil, nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return key, cert, err
}
