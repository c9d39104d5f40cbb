package e2e

import (
	"bytes"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
)

// noSecrets holds that a text has no private key and no token of a test fleet.
func noSecrets(t *testing.T, where, text string) {
	t.Helper()
	for _, bad := range []string{"BEGIN PRIVATE KEY", "BEGIN EC PRIVATE KEY", "BEGIN RSA PRIVATE KEY", "eyJhbGciOiJ", "c2lnbmF0dXJl"} {
		if strings.Contains(text, bad) || strings.Contains(text, base64.StdEncoding.EncodeToString([]byte(bad))[:12]) {
			t.Errorf("%s holds %q:\n%s", where, bad, text)
		}
	}
}

// pieces are parts of a private key's PEM, as it stands and in the base64 of a
// Secret, at each of the three alignments.
func pieces(pem string) []string {
	lines := strings.Split(strings.TrimSpace(pem), "\n")
	middle := lines[len(lines)/2]
	out := []string{middle}
	for shift := range 3 {
		encoded := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", shift) + middle))
		out = append(out, encoded[8:32])
	}
	return out
}

// Every output, every dump and every error is searched for key material.
func TestNoKeyMaterialAnywhere(t *testing.T) {
	f := istiotest.Healthy("east", "west")
	east, west := f.Clusters[0], f.Clusters[1]
	secrets := append(pieces(east.CACerts["ca-key.pem"]), pieces(west.CACerts["ca-key.pem"])...)
	secrets = append(secrets, istiotest.Token("east"), istiotest.Token("west"))
	// Keys where they do not belong, and spoilt ones.
	west.CACerts["root-cert.pem"] += west.CACerts["ca-key.pem"]
	west.Published = west.CACerts["root-cert.pem"]
	west.CACerts["notes.txt"] = west.CACerts["ca-key.pem"]
	west.CACerts["cert-chain.pem"] = strings.TrimSuffix(west.CACerts["ca-key.pem"], "-----END PRIVATE KEY-----\n")
	east.CACerts["ca-cert.pem"] = strings.ReplaceAll(east.CACerts["ca-key.pem"], "PRIVATE KEY", "CERTIFICATE")
	plant(t, f)

	var texts bytes.Buffer
	dir := filepath.Join(t.TempDir(), "fleet")
	for _, args := range [][]string{
		{"verify"}, {"verify", "-o", "wide"}, {"verify", "-o", "json"}, {"verify", "-o", "yaml"}, {"verify", "-o", "name"},
		{"list"}, {"list", "-o", "wide"}, {"list", "-o", "json"}, {"list", "-o", "yaml"}, {"list", "-o", "name"},
		{"diff"}, {"diff", "-o", "wide"}, {"diff", "-o", "json"}, {"dump", dir},
	} {
		out := mesh(t, options{}, append(args, "--contexts", "east,west")...)
		texts.WriteString(out.stdout + out.stderr)
	}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		texts.Write(text)
		noSecrets(t, path, string(text))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if texts.Len() < 10000 {
		t.Fatalf("only %d bytes of output were searched", texts.Len())
	}
	for _, secret := range secrets {
		if bytes.Contains(texts.Bytes(), []byte(secret)) {
			t.Errorf("%q is in the output", secret)
		}
	}
}
