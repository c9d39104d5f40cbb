package pki

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/pattern"
)

// redactedPrefix marks the type of a block whose content was taken away.
const redactedPrefix = "REDACTED "

// leftOut stands where text outside of any block was taken away.
var leftOut = pattern.Of(`^# \(\d+ bytes left out\)$`)

// Redact returns a value without anything that could be secret: certificates
// and revocation lists stay as they stand, but for PEM headers, of which it
// remains that there were some; of a private key there remains a block that
// gives the fingerprint of its public half; other blocks keep their type, other
// text its length. Redacting twice changes nothing more.
func Redact(text []byte) []byte {
	if len(bytes.TrimSpace(text)) == 0 {
		return text
	}
	if len(text) > MaxBundle {
		return fmt.Appendf(nil, "# (%d bytes left out)\n", len(text))
	}
	var out bytes.Buffer
	rest := text
	for len(rest) > 0 {
		block, after := pem.Decode(rest)
		if block == nil {
			redactText(&out, rest)
			break
		}
		read := rest[:len(rest)-len(after)]
		// The block that was decoded is the last to begin in what was read;
		// one that begins before it is broken, and is text like any other.
		begin := bytes.LastIndex(read, []byte("-----BEGIN "))
		redactText(&out, read[:begin])
		redactBlock(&out, block, read[begin:])
		rest = after
	}
	return out.Bytes()
}

func redactBlock(out *bytes.Buffer, block *pem.Block, verbatim []byte) {
	if isPublic(block) {
		public := &pem.Block{Type: clip(block.Type), Bytes: block.Bytes}
		if len(block.Headers) == 0 && public.Type == block.Type {
			out.Write(verbatim)
			return
		}
		if len(block.Headers) > 0 {
			// Whether there are any decides who reads the block.
			public.Headers = map[string]string{"Headers": "left out"}
		}
		_ = pem.Encode(out, public)
		return
	}
	kind := redactedPrefix + clip(strings.TrimPrefix(block.Type, redactedPrefix))
	headers := map[string]string{}
	if strings.HasSuffix(block.Type, "PRIVATE KEY") {
		kind = redactedPrefix + "PRIVATE KEY"
		key := privateKey(block)
		if key.Problem != "" {
			headers[headerProblem] = key.Problem
		} else {
			headers[headerPublicKey] = key.PublicKeySHA256
		}
	}
	// pem.Encode fails on nothing that is built here: no header has a colon in its name.
	_ = pem.Encode(out, &pem.Block{Type: kind, Headers: headers})
}

// isPublic reports whether the content of a block can be kept: it is a
// certificate or a revocation list, whatever its type says.
func isPublic(block *pem.Block) bool {
	b := newBlock(block)
	return b.Certificate != nil || b.Revocations != nil
}

func redactText(out *bytes.Buffer, text []byte) {
	trimmed := bytes.TrimSpace(text)
	if len(trimmed) == 0 || leftOut().Match(trimmed) {
		out.Write(text)
		return
	}
	if n := out.Len(); n > 0 && out.Bytes()[n-1] != '\n' {
		out.WriteByte('\n')
	}
	fmt.Fprintf(out, "# (%d bytes left out)\n", len(trimmed))
}
