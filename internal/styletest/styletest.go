// Package styletest holds what people read to the words of the project: one noun for one thing,
// and none of the phrases that readers stumbled over.
package styletest

import (
	"fmt"
	"regexp"
	"strings"
)

// phrase is one that is not written.
type phrase struct {
	// bad is what is refused, but apart from what matches fine.
	bad, fine *regexp.Regexp
	write     string
}

// never makes a phrase; fine may be "".
func never(bad, fine, write string) phrase {
	p := phrase{bad: regexp.MustCompile(`(?i)` + bad), write: write}
	if fine != "" {
		p.fine = regexp.MustCompile(`(?i)` + fine)
	}
	return p
}

// phrases are the glossary, then sentences that were hard to understand, then habits.
var phrases = []phrase{
	never(`\bmend(s|ed|ing)?\b`, ``, "fix"),
	never(`\banew\b`, ``, "recreate, reinstall, again"),
	never(`\b(does|do|did) not count\b|\bcounts? (as|for) (a|the|an|its|no)\b`, ``, "is used, is ignored by istiod"),
	never(`\bannounc(e|es|ed|ing|ement)\b`, ``, "advertise, push"),
	never(
		`\b(reads?|sees?|looks? after|follows?) (an?|the|this|that|each|every|other|another|no|any|its|remote|all)( remote| other)? clusters?\b`,
		`\bread the clusters from\b|\bclusters? (roles?|IDs?)\b`,
		"watch, discover a cluster",
	),
	never(`\btak(e|es|en|ing)\b[^.;:]{1,40}\bfor (its|their) own\b`, ``, "manage a cluster"),
	never(`\bjudg(e|es|ed|ing|ement|ements)\b`, ``, "check, not checked, unknown"),
	never(`\bapart\b|\bnot in (this|the) mesh\b`, `\bapart from\b`, "not part of the mesh; distinguish; separate"),
	never(`\bfrozen\b|\bstand(s|ing)? still\b`, ``, "stale endpoints"),
	never(`\bodd\b`, ``, "differs, mismatch"),
	never(`\bmesh networks\b`, ``, "meshNetworks"),
	never(`\b(bear|bears|bearing|bore|borne)\b`, ``, "has, with"),
	never(`\bbeneath\b`, ``, "issued by; below"),
	never(`\bstray\b|\bloose\b`, ``, "unlabeled, misplaced"),
	never(`\bplanes?\b`, `\b(control|data|management)[ -]planes?\b`, "control plane"), // Gloo Mesh has a management plane
	never(`\bpartly\b`, `\bpartly broken\b`, "partly broken; in part"),
	never(`\bknown to\b`, ``, "visible to; X knows"),
	never(`\bbeside\b`, ``, "besides, with, next to"),
	never(`\b(is|are|was|were) none\b`, `\bthere (is|are|was|were) none\b`, "is not a Service"),
	never(`\bis no\b`, `\b(there|where|here) is no\b|\bis no longer\b`, "is not a Service"),
	never(`\bfor want of\b`, ``, "because X is missing"),
	never(`\bwithout a word\b`, ``, "silently drops"),

	never(
		`\bwith (its|their) next certificates?\b|\bwhich else\b`,
		``,
		"without a restart, proxies pick up the new roots when they next renew, within about 12 hours",
	),
	never(`\bwhat is no(t a)? read\b`, ``, "anything that is not a read is an access review"),
	never(`\btrust the one\b|\bnow so\b`, ``, "whichever wrote last decides which one proxies trust and connect to"),
	never(`\bwhat comes for (it|them)\b`, ``, "advertises nodes that drop gateway traffic"),
	never(`\bdo(es)? not get to (it|them)\b`, ``, "cannot reach them"),
	never(`\bwith means\b`, ``, "is weak enough to be broken"),
	never(`\bof before\b`, ``, "its previous certificate; from before a change"),
	never(`\bnetworks? for others\b`, ``, "other clusters see it on network A, it sees itself on network B"),
	never(`\bof a person\b`, ``, "a user's"),
	never(`\bleads? \w+ nowhere\b|\bleads? nowhere\b`, ``, "is not reachable from istiod's pod"),
	never(`\b(one|someone|somebody) who asks\b|\bwho asks\b`, ``, "error in diagnose, note in verify"),
	never(`\bCA material\b`, ``, "CA files"),
	never(`\ba surprise\b`, ``, "unexpected content"),
	never(`\blost its ground\b`, ``, "is no longer valid"),

	never(`\b(\w+n't|it's|they're|we're|you're|you'll|that's|there's|let's|what's)\b`, ``, "no contractions"),
	never(`\b(infos|an info)\b`, ``, "note"),
}

// Refused are the phrases of a text that are not written, each with what to write in its place.
func Refused(text string) []string {
	text = strings.Join(strings.Fields(text), " ")
	var out []string
	for _, p := range phrases {
		left := text
		if p.fine != nil {
			left = p.fine.ReplaceAllString(text, "…")
		}
		for _, at := range p.bad.FindAllStringIndex(left, -1) {
			before := []rune(left[:at[0]])
			after := []rune(left[at[1]:])
			around := string(before[max(0, len(before)-40):]) + left[at[0]:at[1]] + string(after[:min(40, len(after))])
			out = append(out, fmt.Sprintf("%q in %q: write %q", left[at[0]:at[1]], around, p.write))
		}
	}
	return out
}

var (
	fence = regexp.MustCompile("(?ms)^ *```.*?^ *```$")
	code  = regexp.MustCompile("``[^`]+``|`[^`\n]+`")
	name  = regexp.MustCompile(`\[[\w-]+\]\([^)\s]+\)`)
	link  = regexp.MustCompile(`\]\([^)\s]+\)`)
	path  = regexp.MustCompile(`\S*[\w…]/\S*`)
)

// Prose is what a Markdown text says in sentences: without commands, code, paths and links to what has a
// name of one word.
func Prose(markdown string) string {
	for _, left := range []*regexp.Regexp{fence, code, name} {
		markdown = left.ReplaceAllString(markdown, "…")
	}
	return path.ReplaceAllString(link.ReplaceAllString(markdown, "]"), "…")
}
