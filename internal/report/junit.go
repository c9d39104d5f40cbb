package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/printable"
)

// junitSuites is the document that CI servers read as the result of tests: each code that was
// checked is a test, each finding is one, in a suite for each area.
type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Skipped  int          `xml:"skipped,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name      string      `xml:"name,attr"`
	Tests     int         `xml:"tests,attr"`
	Failures  int         `xml:"failures,attr"`
	Skipped   int         `xml:"skipped,attr"`
	Timestamp string      `xml:"timestamp,attr"`
	Cases     []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	Skipped *junitMessage `xml:"skipped"`
	Failure *junitMessage `xml:"failure"`
	Out     string        `xml:"system-out,omitempty"`
}

type junitMessage struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr,omitempty"`
	Text    string `xml:",chardata"`
}

// junit writes the result as tests. What does not make the command fail passes, with the finding
// as its output.
func (p Pipeline) junit(w io.Writer) error {
	out := junitSuites{Name: p.Command}
	for _, area := range finding.Areas {
		suite := junitSuite{Name: string(area), Timestamp: p.At.UTC().Format("2006-01-02T15:04:05")}
		class := strings.ReplaceAll(p.Command, " ", ".") + "." + area.Slug()
		for _, code := range p.Codes {
			if p.About(code) == area {
				suite.Cases = append(suite.Cases, p.junitCases(class, code)...)
			}
		}
		for _, c := range suite.Cases {
			suite.Tests++
			if c.Failure != nil {
				suite.Failures++
			}
			if c.Skipped != nil {
				suite.Skipped++
			}
		}
		if suite.Tests > 0 {
			out.Suites = append(out.Suites, suite)
			out.Tests, out.Failures, out.Skipped = out.Tests+suite.Tests, out.Failures+suite.Failures, out.Skipped+suite.Skipped
		}
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(out); err != nil {
		return fmt.Errorf("writing JUnit XML: %w", err)
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// junitCases are the tests of a code: one for each finding; one that is skipped where nothing was
// found and a part was not checked.
func (p Pipeline) junitCases(class string, code finding.Code) []junitCase {
	var out []junitCase
	for _, f := range p.of(code) {
		c := junitCase{Class: class, Name: printable.Line(fmt.Sprintf("%s %s: %s", code, finding.List(f.Clusters), f.Title))}
		if p.Fails(f.Severity) {
			c.Failure = &junitMessage{Message: printable.Line(f.Title), Type: string(f.Severity), Text: prose(f)}
		} else {
			c.Out = fmt.Sprintf("%s\n%s", f.Severity, prose(f))
		}
		out = append(out, c)
	}
	for _, a := range p.Result.Apart {
		if a.Code != code {
			continue
		}
		known := "known from the baseline"
		if a.Suppressed() {
			known = "suppressed: " + a.Reason
		}
		out = append(out, junitCase{
			Class: class, Name: printable.Line(fmt.Sprintf("%s %s: %s", code, finding.List(a.Clusters), a.Title)),
			Skipped: &junitMessage{Message: printable.Line(known)},
		})
	}
	why := p.notChecked(code)
	if len(out) > 0 && len(why) == 0 {
		return out
	}
	c := junitCase{Class: class, Name: fmt.Sprintf("%s %s", code, p.Meaning(code))}
	if len(why) > 0 {
		c.Skipped = &junitMessage{Message: printable.Line("not checked: " + strings.Join(why, "; "))}
	}
	return append(out, c)
}
