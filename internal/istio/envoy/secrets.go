package envoy

import (
	"errors"
	"fmt"
	"io"
)

// SecretsPath asks a proxy for the certificates that it has been given. Envoy leaves
// private keys out.
const SecretsPath = "/config_dump?resource=dynamic_active_secrets"

// Names of the secrets by which proxies of the mesh know their own certificate and what
// they trust (pkg/security/security.go).
const (
	ownSecret  = "default"
	rootSecret = "ROOTCA"
)

// maxSecret is how much, in bytes, one secret may be.
const maxSecret = 4 << 20

// ReadSecrets reads what a proxy presents and trusts from its answer to SecretsPath
// (Envoy's source/server/admin/config_dump_handler.cc; admin/v3/config_dump.proto,
// SecretsConfigDump): the chain, its own certificate first, and the roots, both PEM. They
// are empty where it has not been given any. Private keys are passed over.
func ReadSecrets(r io.Reader) (chain, roots []byte, err error) {
	s := newScan(r)
	fields, found := 0, false
	err = s.object(func(field string) error {
		if fields++; field != "configs" {
			return s.skip()
		}
		found = true
		return s.array(func() error {
			var entry dynamicSecret
			if err := s.decode(&entry, maxSecret); err != nil {
				return err
			}
			switch entry.Name {
			case ownSecret:
				chain = entry.Secret.Certificate.Chain.bytes()
			case rootSecret:
				roots = entry.Secret.Validation.Trusted.bytes()
			}
			return s.keep()
		})
	})
	if err == nil && !found && fields > 0 {
		err = errors.New("it has no configs")
	}
	if err == nil {
		err = s.end()
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, nil, fmt.Errorf("the answer is not a list of secrets: %w", err)
	}
	return chain, roots, nil
}

// dynamicSecret is a secret in the words of /config_dump, without what is private of it.
type dynamicSecret struct {
	Name   string `json:"name"`
	Secret struct {
		Certificate struct {
			Chain source `json:"certificate_chain"`
		} `json:"tls_certificate"`
		Validation validation `json:"validation_context"`
	} `json:"secret"`
}

type validation struct {
	Trusted source `json:"trusted_ca"`
}

// source is text that is in the document.
type source struct {
	Bytes  []byte `json:"inline_bytes"`
	String string `json:"inline_string"`
}

func (s source) bytes() []byte {
	if len(s.Bytes) > 0 {
		return s.Bytes
	}
	return []byte(s.String)
}
