package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/dump"
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/input"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/podaccess"
)

// named takes NAME=PATH apart. A path that is there is a path, whatever is in its name.
func named(from string) (name, path string) {
	name, path, ok := strings.Cut(from, "=")
	if _, err := os.Stat(from); err == nil || !ok || name == "" {
		return "", from
	}
	return name, path
}

// readDump reads what --from names. What one of them holds of several clusters was read at
// one time only if it is a dump.
func (f *Frame) readDump(ctx context.Context) (*facts.Fleet, error) {
	if given, ok := ctx.Value(factsKey{}).(*facts.Fleet); ok {
		fleet := *given
		return &fleet, nil
	}
	var layouts []input.Layout
	for _, m := range f.Plugin.Meshes {
		if a, ok := m.(mesh.Archivist); ok {
			layouts = append(layouts, a.Layouts()...)
		}
	}
	var out *facts.Fleet
	f.answers, f.collected = map[string]podaccess.Answers{}, false
	streamed := false
	for i, from := range f.From {
		if slices.Contains(f.From[:i], from) { // completion parses flags twice
			continue
		}
		name, path := named(from)
		if path == input.Stdin {
			if streamed {
				return nil, errors.New("--from - can be given once: there is one standard input")
			}
			streamed = true
		}
		files, err := input.Open(path, f.In)
		if err != nil {
			return nil, fmt.Errorf("--from %s: %w; \"%s dump\" writes what is wanted", path, err, f.Display)
		}
		if below := dumpsIn(path); len(below) > 0 && !files.Has(dump.IndexFile) {
			return nil, fmt.Errorf("--from %s: there are dumps in it; did you mean --from %s?", path, strings.Join(below, " or --from "))
		}
		read, err := dump.ReadFiles(files, dump.Options{
			System: f.Namespace, Now: time.Now(), Rows: f.table(), Layouts: layouts, Name: name,
		})
		if err != nil {
			return nil, fmt.Errorf("--from %s: %w", path, err)
		}
		if out, err = f.joined(out, read); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// joined adds what was read to what was read before.
func (f *Frame) joined(out *facts.Fleet, read *dump.Fleet) (*facts.Fleet, error) {
	f.collected = f.collected || !read.Indexed
	for context, said := range read.Answers {
		f.answers[context] = said
	}
	if out == nil {
		return read.Fleet, nil
	}
	for _, c := range read.Clusters {
		for _, other := range out.Clusters {
			if other.Context == c.Context {
				return nil, fmt.Errorf("--from: two clusters are called %s: name one of them, with --from NAME=PATH", c.Context)
			}
		}
	}
	out.Clusters = append(out.Clusters, read.Clusters...)
	out.Beyond = append(out.Beyond, read.Beyond...)
	if read.At.After(out.At) {
		out.At = read.At
	}
	dump.Apart(out)
	return out, nil
}

// system is the system namespace of a cluster that was read from files.
func (f *Frame) system(context string) string {
	if name, ok := f.systems[context]; ok {
		return name
	}
	return f.Namespace
}
