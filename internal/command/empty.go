package command

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/dump"
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/printable"
	"github.com/kubectl-mesh/kubectl-mesh/internal/reach"
)

// noMesh is the error of a run that read nothing of a mesh, in any cluster: that nothing was
// found says nothing then. It is nil where something was found, or may be there. done is what
// was to be done with it, such as "checked".
func (f *Frame) noMesh(fleet *facts.Fleet, result finding.Result, done string) error {
	reports := reach.Reports()
	ofMesh := func(found finding.Finding) bool {
		for _, r := range reports {
			if r.Code == found.Code {
				return false
			}
		}
		return true
	}
	if slices.ContainsFunc(result.Findings, ofMesh) {
		return nil
	}
	var names, contexts []string
	for _, m := range f.Plugin.Meshes {
		names = append(names, m.Name())
		for i := range fleet.Clusters {
			c := &fleet.Clusters[i]
			if c.Unreached != nil {
				continue
			}
			p := m.Presence(c)
			if p.Found || p.Unknown.Kind == finding.Forbidden || p.Unknown.Kind == finding.Failed {
				return nil
			}
			if !slices.Contains(contexts, c.Context) {
				contexts = append(contexts, c.Context)
			}
		}
	}
	if len(contexts) == 0 {
		return nil // no cluster was reached, which is said elsewhere
	}
	where := printable.Line(finding.List(contexts))
	if !f.Dumped() {
		return fmt.Errorf("there is no %s in %s: nothing was %s", either(names), where, done)
	}
	text := fmt.Sprintf(
		"--from %s: there is nothing of %s in what was read of %s: nothing was %s", finding.List(f.From), either(names), where, done,
	)
	text += fmt.Sprintf("; \"%s dump\" writes what is wanted", f.Display)
	return fmt.Errorf("%s", text)
}

// dumpsIn are the folders of a folder that are dumps, at most three.
func dumpsIn(folder string) []string {
	found, err := filepath.Glob(filepath.Join(folder, "*", dump.IndexFile))
	if err != nil {
		return nil
	}
	var out []string
	for _, path := range found[:min(len(found), 3)] {
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			out = append(out, filepath.Dir(path))
		}
	}
	return out
}

// either joins names as a sentence does: "a, b or c".
func either(names []string) string {
	if n := len(names); n > 1 {
		return strings.Join(names[:n-1], ", ") + " or " + names[n-1]
	}
	return strings.Join(names, "")
}
