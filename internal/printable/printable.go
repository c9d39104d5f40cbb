// Package printable makes strings that came from a cluster, a kubeconfig or
// another program safe to show on a terminal: nothing in them can move the
// cursor, change colours, or make text read in another order than it is stored.
package printable

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Line returns s fit for one line: newlines, carriage returns and tabs become a
// space each, and every other control character, invisible format character
// (among them those that reorder text) and invalid byte a visible escape such
// as \x1b or \u202e. Line of an already safe string is that string.
func Line(s string) string { return replace(s, false) }

// Text is like Line and keeps newlines, so that text of several lines stays
// so. "\r\n" becomes "\n".
func Text(s string) string { return replace(strings.ReplaceAll(s, "\r\n", "\n"), true) }

func replace(s string, keepNewlines bool) string {
	if safe(s, keepNewlines) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case r == '\n' && keepNewlines:
			b.WriteByte('\n')
		case r == '\n', r == '\r', r == '\t':
			b.WriteByte(' ')
		case !Hidden(r):
			b.WriteRune(r)
		case r <= 0xff:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r <= 0xffff:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
		i += size
	}
	return b.String()
}

func safe(s string, keepNewlines bool) bool {
	for i, r := range s {
		if r == '\n' && keepNewlines {
			continue
		}
		if Hidden(r) || r == utf8.RuneError && !strings.HasPrefix(s[i:], string(utf8.RuneError)) {
			return false
		}
	}
	return true
}

// Hidden reports whether r acts on the text around it instead of being seen:
// C0, DEL, C1, bidi and other format characters, line and paragraph separators.
func Hidden(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp)
}
