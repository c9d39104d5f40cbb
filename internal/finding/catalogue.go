package finding

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"github.com/kubectl-mesh/kubectl-mesh/docs"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pattern"
)

// Entry is one code of the catalogue.
type Entry struct {
	Code Code
	// Meaning is one line.
	Meaning string
	// Severities are those that a finding of the code can have, worst first.
	Severities []Severity
	// Area is what it is about.
	Area Area
	// Text is the whole page, Markdown.
	Text string
}

// codePage matches the file name of a page: other files beside them are prose.
var codePage = pattern.Of(`^([A-Z]+[0-9]{3})\.md$`)

// Catalogue returns all codes, sorted, which is not to be changed. A page that does not begin with "# CODE: meaning",
// "Severity: error, warning." and "Area: trust." is an error of the build, and found by this package's tests.
func Catalogue() ([]Entry, error) { return catalogue() }

var catalogue = sync.OnceValues(readCatalogue)

func readCatalogue() ([]Entry, error) {
	pages, err := docs.Findings()
	if err != nil {
		return nil, fmt.Errorf("reading the catalogue of findings: %w", err)
	}
	files, err := fs.ReadDir(pages, ".")
	if err != nil {
		return nil, fmt.Errorf("reading the catalogue of findings: %w", err)
	}
	var entries []Entry
	for _, file := range files {
		m := codePage().FindStringSubmatch(file.Name())
		if m == nil {
			continue
		}
		text, err := fs.ReadFile(pages, file.Name())
		if err != nil {
			return nil, fmt.Errorf("reading the catalogue of findings: %w", err)
		}
		first, _, _ := strings.Cut(string(text), "\n")
		meaning, ok := strings.CutPrefix(first, "# "+m[1]+": ")
		if !ok {
			return nil, fmt.Errorf("docs/findings/%s does not begin with \"# %s: \" and a meaning", file.Name(), m[1])
		}
		severities, area, err := declared(string(text))
		if err != nil {
			return nil, fmt.Errorf("docs/findings/%s: %w", file.Name(), err)
		}
		entries = append(entries, Entry{Code: Code(m[1]), Meaning: meaning, Severities: severities, Area: area, Text: string(text)})
	}
	slices.SortFunc(entries, func(a, b Entry) int { return strings.Compare(string(a.Code), string(b.Code)) })
	return entries, nil
}

// declared reads the lines of a page that name the severities and the area.
func declared(page string) ([]Severity, Area, error) {
	lines := strings.SplitN(page, "\n", 5)
	if len(lines) < 5 {
		return nil, "", errors.New("it has no text")
	}
	names, ok := strings.CutPrefix(strings.TrimSuffix(lines[2], "."), "Severity: ")
	if !ok {
		return nil, "", fmt.Errorf("its third line is %q, not \"Severity: …\"", lines[2])
	}
	var out []Severity
	for name := range strings.SplitSeq(names, ", ") {
		if !slices.Contains(Severities, Severity(name)) {
			return nil, "", fmt.Errorf("%q is not a severity", name)
		}
		out = append(out, Severity(name))
	}
	name, ok := strings.CutPrefix(strings.TrimSuffix(lines[3], "."), "Area: ")
	if !ok || !slices.Contains(Areas, Area(name)) {
		return nil, "", fmt.Errorf("its fourth line is %q, not \"Area: …\" with one of %v", lines[3], Areas)
	}
	return out, Area(name), nil
}

// Lookup finds a code however it is written: cert4, CERT-04 and CERT004 are
// the same. Its error lists the codes of that area.
func Lookup(name string) (Entry, error) {
	entries, err := Catalogue()
	if err != nil {
		return Entry{}, err
	}
	code := normalise(name)
	area := strings.TrimRight(string(code), "0123456789")
	if i, found := slices.BinarySearchFunc(
		entries,
		code,
		func(e Entry, c Code) int { return strings.Compare(string(e.Code), string(c)) },
	); found {
		return entries[i], nil
	}
	if area != "" && slices.ContainsFunc(entries, func(e Entry) bool { return strings.HasPrefix(string(e.Code), area) }) {
		return Entry{}, fmt.Errorf("there is no finding code %q; \"explain %s\" lists those that begin so", name, area)
	}
	return Entry{}, fmt.Errorf("there is no finding code %q; \"explain\" without a code lists all of them", name)
}

// Find finds a code as Lookup does, or the codes of an area: those that begin with the letters, such
// as GW, or those of a part of the mesh, such as trust or control-plane.
func Find(name string) (entries []Entry, isCode bool, err error) {
	all, err := Catalogue()
	if err != nil {
		return nil, false, err
	}
	prefix := normalise(name)
	for _, e := range all {
		if strings.TrimRight(string(e.Code), "0123456789") == string(prefix) || e.Area.Slug() == slug(name) {
			entries = append(entries, e)
		}
	}
	if len(entries) > 0 {
		return entries, false, nil
	}
	entry, err := Lookup(name)
	return []Entry{entry}, true, err
}

func slug(name string) string { return Area(strings.ToLower(strings.TrimSpace(name))).Slug() }

func normalise(name string) Code {
	s := strings.ToUpper(strings.NewReplacer("-", "", "_", "", " ", "").Replace(name))
	digits := s[len(strings.TrimRight(s, "0123456789")):]
	if n := len(digits); n > 0 && n < 3 {
		s = s[:len(s)-n] + strings.Repeat("0", 3-n) + digits
	}
	return Code(s)
}
