package oracle

import (
	"crypto"
	"crypto/rsa"
	"encoding/pem"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
)

// edit does to the text of a Secret what people do to it.
func (g *generator) edit(data map[string]string) {
	keys := slices.Sorted(maps.Keys(data))
	if len(keys) == 0 {
		return
	}
	key, other := pick(g, keys...), pick(g, keys...)
	blocks := split(data[key])
	edits := []struct {
		name string
		do   func()
	}{
		{"drop the key", func() { delete(data, key) }},
		{"empty", func() { data[key] = "" }},
		{"white space", func() { data[key] = " \n" }},
		{"swap with " + other, func() { data[key], data[other] = data[other], data[key] }},
		{"append " + other, func() { data[key] += data[other] }},
		{"put " + other + " before it", func() { data[key] = data[other] + data[key] }},
		{"copy a block of " + other, func() {
			if from := split(data[other]); len(from) > 0 {
				data[key] = strings.Join(g.insert(blocks, pick(g, from...)), "")
			}
		}},
		{"drop a block", func() {
			if n := len(blocks); n > 0 {
				i := g.IntN(n)
				data[key] = strings.Join(slices.Delete(blocks, i, i+1), "")
			}
		}},
		{"double a block", func() {
			if len(blocks) > 0 {
				data[key] = strings.Join(g.insert(blocks, pick(g, blocks...)), "")
			}
		}},
		{"shuffle the blocks", func() {
			g.Shuffle(len(blocks), func(i, j int) { blocks[i], blocks[j] = blocks[j], blocks[i] })
			data[key] = strings.Join(blocks, "")
		}},
		{"CRLF", func() { data[key] = strings.ReplaceAll(data[key], "\n", "\r\n") }},
		{"text before each block", func() {
			data[key] = "Bag Attributes\n    friendlyName: ca\n" + strings.Join(blocks, "subject=CN = ca\n\n")
		}},
		{"text after it", func() { data[key] += "\n# the end" }},
		{"indent", func() { data[key] = "  " + strings.ReplaceAll(data[key], "\n", "\n  ") }},
		{"no newline at the end", func() { data[key] = strings.TrimSpace(data[key]) }},
		{"no newline between blocks", func() { data[key] = strings.ReplaceAll(data[key], "-----\n-----", "----------") }},
		{"append " + other + " without a newline", func() { data[key] = strings.TrimSpace(data[key]) + data[other] }},
		{"blank lines between blocks", func() { data[key] = strings.Join(blocks, "\n\n") }},
		{"a header", func() { data[key] = withHeader(data[key]) }},
		{"cut short", func() { data[key] = data[key][:len(data[key])/2] }},
		{"another block type", func() { data[key] = strings.Replace(data[key], "BEGIN ", "BEGIN X509 ", 1) }},
		{"damage", func() { data[key] = strings.Replace(data[key], "M", "N", 1) }},
		{"a key of somebody else", func() { data[key] = istiotest.Root(istiotest.Spec{}).KeyPEM() }},
		{"a certificate of somebody else", func() { data[key] = istiotest.Root(istiotest.Spec{}).PEM() }},
		{"EC parameters before it", func() {
			data[key] = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n" + data[key]
		}},
	}
	e := pick(g, edits...)
	g.steps = append(g.steps, key+": "+e.name)
	e.do()
}

// split gives the PEM blocks of a text, each with the text before it.
func split(text string) []string {
	var out []string
	for rest := []byte(text); ; {
		block, after := pem.Decode(rest)
		if block == nil {
			return out
		}
		out = append(out, string(rest[:len(rest)-len(after)]))
		rest = after
	}
}

// outline lists the PEM blocks of a Secret, for a failure.
func outline(data map[string]string) string {
	var out strings.Builder
	for _, key := range slices.Sorted(maps.Keys(data)) {
		fmt.Fprintf(&out, "  %s, %d bytes:\n", key, len(data[key]))
		for _, text := range split(data[key]) {
			block, _ := pem.Decode([]byte(text))
			fmt.Fprintf(&out, "    %s %s\n", block.Type, subjectOf(block))
		}
	}
	return out.String()
}

func isRSA(key crypto.PrivateKey) bool {
	_, ok := key.(*rsa.PrivateKey)
	return ok
}
