package resource

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/printable"
)

// mostClaim is how many bytes are kept of a text that somebody else wrote.
const mostClaim = 256

// ClaimsOf are those of a JSON web token that are kept, of both kinds that
// Kubernetes issues; nil where it is none.
func ClaimsOf(token string) *facts.TokenClaims {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil
	}
	var c struct {
		Subject string      `json:"sub"`
		Issuer  string      `json:"iss"`
		Issued  json.Number `json:"iat"`
		Expires json.Number `json:"exp"`
		UID     string      `json:"kubernetes.io/serviceaccount/service-account.uid"`
		Secret  string      `json:"kubernetes.io/serviceaccount/secret.name"`
		Bound   struct {
			Account struct {
				UID string `json:"uid"`
			} `json:"serviceaccount"`
			Secret struct {
				Name string `json:"name"`
			} `json:"secret"`
		} `json:"kubernetes.io"`
	}
	decoder := json.NewDecoder(bytes.NewReader(payload))
	decoder.UseNumber()
	if decoder.Decode(&c) != nil {
		return nil
	}
	out := &facts.TokenClaims{
		Subject: Clipped(c.Subject), Issuer: Clipped(c.Issuer), IssuedAt: seconds(c.Issued), Expires: seconds(c.Expires),
		AccountUID: Clipped(cmp.Or(c.UID, c.Bound.Account.UID)), Secret: Clipped(cmp.Or(c.Secret, c.Bound.Secret.Name)),
	}
	if *out == (facts.TokenClaims{}) {
		return nil
	}
	return out
}

// seconds is a time of a token; zero for what is none that a document can hold.
func seconds(n json.Number) time.Time {
	const latest = 253402300799 // the end of the year 9999
	if f, err := n.Float64(); err == nil && f > 0 && f < latest {
		return time.Unix(int64(f), 0).UTC()
	}
	return time.Time{}
}

// Clipped is a text that somebody else wrote, on one line and of bounded length.
func Clipped(s string) string {
	s = printable.Line(s)
	if len(s) > mostClaim {
		return strings.ToValidUTF8(s[:mostClaim], "") + "…"
	}
	return s
}
