package oracle

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"istio.io/istio/security/pkg/cmd"
	"istio.io/istio/security/pkg/pki/ca"
)

// rsaKeySize is the default of CITADEL_SELF_SIGNED_CA_RSA_KEY_SIZE
// (pilot/pkg/bootstrap/istio_ca.go, caRSAKeySize).
const rsaKeySize = 2048

var (
	errIncomplete = errors.New("exits: some of the CA's files are there, and some are not")
	errOwnCA      = errors.New("makes a self-signed CA: none of the CA's files is there")
)

// mount writes the data of Secret cacerts to a directory, a file for each key,
// as the kubelet does for istiod's volume.
func mount(t testing.TB, data map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for key, value := range data {
		if err := os.WriteFile(filepath.Join(dir, key), []byte(value), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// start makes of a directory the CA that istiod makes of it at its start. The
// choice of the files is told again here, for it cannot be called from outside
// (pilot/pkg/bootstrap/istio_ca.go, createIstioCA); all that judges their
// contents is istiod's own. An error means that istiod does not run on this CA.
func start(dir string) (*ca.IstioCA, error) {
	files := choose(dir)
	present := 0
	// Of several files for the chain the first is enough, and it is there where there are several.
	needed := []string{files.SigningKeyFile, files.SigningCertFile, files.RootCertFile, files.CertChainFiles[0]}
	for _, name := range needed {
		if exists(name) {
			present++
		}
	}
	switch present {
	case len(needed):
	case 0:
		return nil, errOwnCA
	default:
		return nil, errIncomplete
	}
	options, err := ca.NewPluggedCertIstioCAOptions(files, cmd.DefaultWorkloadCertTTL, cmd.DefaultMaxWorkloadCertTTL, rsaKeySize)
	if err != nil {
		return nil, err
	}
	return ca.NewIstioCA(options)
}

// choose picks the layout: that of tls.crt wherever this file is there, which
// knows no revocation lists; else Istio's own, with ca-crl.pem if there is one, as
// PILOT_ENABLE_CA_CRL is on by default (detectSigningCABundleAndCRL).
func choose(dir string) ca.SigningCAFileBundle {
	in := func(name string) string { return filepath.Join(dir, name) }
	if exists(in(ca.TLSSecretCACertFile)) {
		cert, root := in(ca.TLSSecretCACertFile), in(ca.TLSSecretRootCertFile)
		return ca.SigningCAFileBundle{
			SigningCertFile: cert, SigningKeyFile: in(ca.TLSSecretCAPrivateKeyFile), RootCertFile: root, CertChainFiles: []string{cert, root},
		}
	}
	files := ca.SigningCAFileBundle{
		SigningCertFile: in(ca.CACertFile), SigningKeyFile: in(ca.CAPrivateKeyFile), RootCertFile: in(ca.RootCertFile),
		CertChainFiles: []string{in(ca.CertChainFile)},
	}
	if crl := in(ca.CACRLFile); exists(crl) {
		files.CRLFile = crl
	}
	return files
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// at runs do as if it were a certain time: istiod asks the clock, and the rules
// the facts. No time passes.
func at(t *testing.T, when time.Time, do func()) {
	t.Helper()
	synctest.Test(t, func(*testing.T) {
		time.Sleep(time.Until(when)) // the bubble's clock, which jumps
		do()
	})
}
