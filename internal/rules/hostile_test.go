package rules_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode"

	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-mesh/kubectl-mesh/internal/dump"
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiomesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/kinds"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// everyHostile has each string of each fleet replaced, which takes long; without it a
// sample is.
var everyHostile = flag.Bool("every-hostile", false, "replace every string of every fleet")

// oneIn is how large the sample is.
const oneIn = 120

// payloads are what a name can be in a dump that somebody else made, or that an API
// server takes for a label, an annotation, a key or a free text.
var payloads = []string{
	"x;touch PWNED", "$(touch PWNED)", "`touch PWNED`", "a'b\"c", "-rf", "a\ntouch PWNED", "\x1b[31mred", "\u202egnp", "x${IFS}y|z&",
	"{{.}}", "~/x/y", "=ls", "a b", "%s%n", "'\\''", "!!",
}

// fixtures are the fleets whose strings are replaced.
func fixtures() map[string]*istiotest.Fleet {
	out := map[string]*istiotest.Fleet{}
	for _, list := range [][]istiotest.Case{istiotest.Faults, istiotest.NetworkFaults} {
		for _, c := range list {
			out[c.Name] = c.Fleet()
		}
	}
	for _, c := range istiotest.EndpointFaults {
		out["endpoints: "+c.Name] = c.Fleet()
	}
	return out
}

// Whatever stands where a fleet has a name, a label, a key, a host or a subject: every
// command of a fix is the words that it was made of, no sentence holds what a shell would run, and
// a terminal is shown nothing that it would obey.
func TestHostileNames(t *testing.T) {
	tries, findings := 0, 0
	fleets := fixtures()
	for _, name := range slices.Sorted(maps.Keys(fleets)) {
		f := fleets[name]
		documents := map[string][]any{} // by cluster
		words := map[string]bool{}
		for _, c := range f.Clusters {
			for _, o := range c.Objects() {
				documents[c.Name] = append(documents[c.Name], document(t, o))
			}
			for _, d := range documents[c.Name] {
				gather(d, words)
			}
			words[c.Name] = true
		}
		for _, word := range slices.Sorted(maps.Keys(words)) {
			hash := fnv.New32a()
			_, _ = hash.Write([]byte(name + word))
			if n := hash.Sum32(); *everyHostile || n%oneIn == 0 {
				payload := payloads[int(n/oneIn)%len(payloads)]
				tries++
				findings += hostile(t, fmt.Sprintf("%s: %q for %q", name, payload, word), f, documents, word, payload)
			}
		}
	}
	if tries < 300 || findings < 300 {
		t.Errorf("only %d tries with %d findings", tries, findings)
	}
	t.Logf("%d tries, %d findings", tries, findings)
}

// hostile judges a fleet in which a word is replaced, and returns how many findings there were.
func hostile(t *testing.T, name string, f *istiotest.Fleet, documents map[string][]any, word, payload string) int {
	t.Helper()
	fleet := &facts.Fleet{At: istiotest.Now}
	for _, c := range f.Clusters {
		cluster := facts.Cluster{Context: swap(c.Name, word, payload), Server: c.Server, SystemNamespace: swap(istiotest.System, word, payload)}
		objects := []runtime.Object{&authorizationv1.SubjectAccessReview{Status: authorizationv1.SubjectAccessReviewStatus{Allowed: !c.ReaderDenied}}}
		for _, d := range documents[c.Name] {
			if o := object(replaced(d, word, payload)); o != nil {
				objects = append(objects, o)
			}
		}
		dump.Fill(&cluster, objects, resources.All)
		fleet.Clusters = append(fleet.Clusters, cluster)
	}
	result := istiomesh.Judge(model.New(fleet, model.Options{}), rule.Options{}, areas...)
	for _, found := range result.Findings {
		for _, step := range found.Fix {
			if strings.ContainsAny(payload, "$`;|&<>'\n\x1b") && strings.Contains(step.Say, payload) {
				t.Errorf("%s: %s says %q", name, found.Code, step.Say)
			}
			for _, c := range step.Run {
				parsed(t, name, found.Code, c)
			}
		}
	}
	var screen bytes.Buffer
	report.NewPage(&screen, false, 80, true).Findings(result, nil, true)
	if i := bytes.IndexFunc(screen.Bytes(), func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }); i >= 0 {
		t.Errorf("%s: the screen holds %q", name, screen.Bytes()[max(0, i-20):min(screen.Len(), i+20)])
	}
	return len(result.Findings)
}

// parsed holds that a shell makes of a printed command the words that it was made of.
func parsed(t *testing.T, name string, code finding.Code, c finding.Command) {
	t.Helper()
	var want [][]string
	for part := &c; part != nil; part = part.Pipe {
		want = append(want, part.Args)
	}
	line := c.String()
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(line), "")
	if err != nil {
		t.Errorf("%s: %s: a shell does not take %q: %v", name, code, line, err)
		return
	}
	var got [][]string
	syntax.Walk(file, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.CallExpr:
			fields, err := expand.Fields(&expand.Config{Env: expand.ListEnviron()}, n.Args...)
			if err != nil {
				t.Errorf("%s: %s: %q: %v", name, code, line, err)
			}
			got = append(got, fields)
		case *syntax.CmdSubst, *syntax.ParamExp, *syntax.ProcSubst, *syntax.Comment:
			t.Errorf("%s: %s: %q holds a %T", name, code, line, n)
		}
		return true
	})
	if !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("%s: %s: %q comes out as %q", name, code, line, got)
	}
}

// document is an object as JSON has it, with its kind.
func document(t *testing.T, o runtime.Object) any {
	t.Helper()
	o = o.DeepCopyObject()
	kind, _, err := kinds.Scheme().ObjectKinds(o)
	if err != nil {
		t.Fatal(err)
	}
	o.GetObjectKind().SetGroupVersionKind(kind[0])
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	var out any
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// object is the object of a document; nil where it does not fit its kind any more.
func object(document any) runtime.Object {
	text, err := json.Marshal(document)
	if err != nil {
		return nil
	}
	o, _, err := kinds.Codecs().UniversalDeserializer().Decode(text, nil, nil)
	if err != nil {
		return nil
	}
	return o
}

// nested is a document within a string, such as a mesh config.
func nested(text string) (any, bool) {
	if !strings.Contains(text, "\n") || strings.Contains(text, "-----BEGIN") {
		return nil, false
	}
	var out any
	if yaml.Unmarshal([]byte(text), &out) != nil {
		return nil, false
	}
	_, isMap := out.(map[string]any)
	return out, isMap
}

// gather collects the strings of a document, keys and those within strings too.
func gather(value any, into map[string]bool) {
	switch v := value.(type) {
	case string:
		if inner, ok := nested(v); ok {
			gather(inner, into)
		} else if v != "" && len(v) < 200 {
			into[v] = true
		}
	case []any:
		for _, e := range v {
			gather(e, into)
		}
	case map[string]any:
		for k, e := range v {
			into[k] = true
			gather(e, into)
		}
	}
}

// replaced is a document in which a string is another one.
func replaced(value any, word, payload string) any {
	switch v := value.(type) {
	case string:
		if inner, ok := nested(v); ok {
			if text, err := yaml.Marshal(replaced(inner, word, payload)); err == nil {
				return string(text)
			}
		}
		return swap(v, word, payload)
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = replaced(e, word, payload)
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for k, e := range v {
			out[swap(k, word, payload)] = replaced(e, word, payload)
		}
		return out
	}
	return value
}

// swap replaces a whole string, or a part of one of several parts: namespace/name,
// system:serviceaccount:…, a.b.svc.
func swap(text, word, payload string) string {
	if text == word {
		return payload
	}
	if len(word) < 3 {
		return text
	}
	for _, separator := range []string{"/", ":", ","} {
		if parts := strings.Split(text, separator); slices.Contains(parts, word) {
			for i := range parts {
				if parts[i] == word {
					parts[i] = payload
				}
			}
			return strings.Join(parts, separator)
		}
	}
	return text
}
