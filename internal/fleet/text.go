package fleet

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

const (
	maxReason = 300 // characters of a reason
	maxQuote  = 200 // characters of it that another program wrote
)

var (
	lineNumber = regexp.MustCompile(`\bline \d+`)
	// tokens are what a plugin's or server's message might carry by mistake: JSON
	// web tokens, EKS and Google tokens, and user:password in a URL.
	tokens      = regexp.MustCompile(`eyJ[\w-]{10,}(\.[\w-]*){1,4}|k8s-aws-v1\.[\w-]+|ya29\.[\w.-]+|(?i:bearer) [\w.~+/=-]{8,}`)
	urlUserInfo = regexp.MustCompile(`://[^/\s"'@]*@`)
	requestLine = regexp.MustCompile(`\b(Get|Head|Post|Put|Patch|Delete|Options) "[^"]*": `)
)

// redact removes what looks like a credential.
func redact(s string) string {
	return urlUserInfo.ReplaceAllString(tokens.ReplaceAllString(s, "[redacted]"), "://")
}

// clip shortens s to at most limit characters.
func clip(s string, limit int) string {
	if utf8.RuneCountInString(s) <= limit {
		return s
	}
	return strings.TrimRight(string([]rune(s)[:limit-1]), " ") + "…"
}
