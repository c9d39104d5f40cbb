package ads

import (
	"net/http/httptest"
	"testing"

	adminv3 "github.com/envoyproxy/go-control-plane/envoy/admin/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// The stand-in has no secrets. What Envoy says of its own, in Envoy's own messages, is
// what internal/istio/envoy reads; private keys are as Envoy has them.
func TestSecretsOfEnvoy(t *testing.T) {
	pack := func(m proto.Message) *anypb.Any {
		packed, err := anypb.New(m)
		if err != nil {
			t.Fatal(err)
		}
		return packed
	}
	inline := func(text string) *corev3.DataSource {
		return &corev3.DataSource{Specifier: &corev3.DataSource_InlineBytes{InlineBytes: []byte(text)}}
	}
	dump := &adminv3.ConfigDump{}
	for _, s := range []*tlsv3.Secret{
		{Name: "default", Type: &tlsv3.Secret_TlsCertificate{TlsCertificate: &tlsv3.TlsCertificate{CertificateChain: inline("the chain"), PrivateKey: inline("[redacted]")}}},
		{Name: "ROOTCA", Type: &tlsv3.Secret_ValidationContext{ValidationContext: &tlsv3.CertificateValidationContext{TrustedCa: inline("the roots")}}},
	} {
		dump.Configs = append(dump.Configs, pack(&adminv3.SecretsConfigDump_DynamicSecret{Name: s.Name, VersionInfo: "1", Secret: pack(s)}))
	}
	answer := httptest.NewRecorder()
	answerJSON(answer, dump, false)
	golden(t, "config_dump-secrets.json", answer.Body.String())
}
