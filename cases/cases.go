// Package cases is the corpus: fleets of public reports and of healthy setups, each with
// what the plugins have to say of it. A case is a folder: case.yaml says what it is, and a
// file for each cluster holds what differs from a base, which most cases share.
package cases

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing/fstest"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/kubectl-mesh/kubectl-mesh/internal/dump"
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/podaccess"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
)

// Kind is whether something is wrong.
type Kind string

// The kinds.
const (
	Fault   Kind = "fault"
	Healthy Kind = "healthy"
)

// Case is what case.yaml says.
type Case struct {
	// Name is the folder's.
	Name string `json:"-"`
	// Title is what the case is, in a line, and About what people saw and why, in a paragraph.
	Title string `json:"title"`
	About string `json:"about"`
	// Source are public references: owner/repository#number, titles of pages, paths in a repository.
	Source []string `json:"source"`
	Kind   Kind     `json:"kind"`
	// Expect is what has to be said of a fault: the first of each command before all else.
	Expect []Expectation `json:"expect,omitempty"`
	// Commands are further ones that have to find nothing wrong: "diagnose cart.shop".
	Commands []string `json:"commands,omitempty"`
	// Missed says why what is expected is not said; "" where it is.
	Missed string `json:"missed,omitempty"`
	// Answers are what pods said when they were asked; none where nobody asked.
	Answers []Answer `json:"answers,omitempty"`

	Fleet
}

// Answer is what a pod of the system namespace of a cluster said at a path.
type Answer struct {
	Context string `json:"context"`
	Pod     string `json:"pod"`
	Path    string `json:"path"`
	Says    string `json:"says"`
}

// Said are the answers of pods in a context.
type Said []Answer

// Said are the answers of the pods of a cluster; nil where it said nothing.
func (c *Case) Said(context string) Said {
	return slices.DeleteFunc(slices.Clone(Said(c.Answers)), func(a Answer) bool { return a.Context != context })
}

// Answer is what a pod said.
func (s Said) Answer(pod podaccess.Pod, at string) ([]byte, error) {
	for _, a := range s {
		if a.Pod == pod.Name && a.Path == at {
			return []byte(a.Says), nil
		}
	}
	return nil, podaccess.ErrUnanswered
}

// Expectation is a finding that a command has to have.
type Expectation struct {
	// Command is "certs verify", "network verify", "endpoints verify" or "endpoints diagnose SERVICE".
	Command string       `json:"command"`
	Code    finding.Code `json:"code"`
	// Clusters are the contexts that it names, in any order; none for any.
	Clusters []string `json:"clusters,omitempty"`
	// Object is "kind namespace/name"; "" for any.
	Object string `json:"object,omitempty"`
	// Wanted is what has to be said, in a sentence, where no code says it.
	Wanted string `json:"wanted,omitempty"`
}

// Fleet is what a case, or a base, says of its clusters.
type Fleet struct {
	// Base is the folder in bases that the clusters differ from; "" for none.
	Base string `json:"base,omitempty"`
	// At is when the fleet was read; the base's where it is not given.
	At time.Time `json:"at,omitzero"`
	// SystemNamespace is the control planes' where it is not istio-system: what -i says.
	SystemNamespace string `json:"systemNamespace,omitempty"`
	// Clusters are those of the fleet; the base's where none is given.
	Clusters []Cluster `json:"clusters,omitempty"`
}

// Cluster is one of a fleet.
type Cluster struct {
	Context string `json:"context"`
	// Like is the base's cluster that it differs from; the one of the same name where it
	// is not given, and "none" for one that stands alone.
	Like   string `json:"like,omitempty"`
	Server string `json:"server,omitempty"`
	// SystemNamespace is that of the cluster where it is another than the fleet's.
	SystemNamespace string `json:"systemNamespace,omitempty"`
	// Reads are rows, by their files in a dump, of which the read ended otherwise than well.
	Reads     map[string]Read  `json:"reads,omitempty"`
	Unreached *facts.Unreached `json:"unreached,omitempty"`
}

// Read is how the read of a row ended.
type Read struct {
	State  facts.State `json:"state"`
	Reason string      `json:"reason,omitempty"`
}

// AnalyzeFile holds, for each case, what istioctl analyze says; a test of the oracle writes it.
const AnalyzeFile = "istioctl-analyze.yaml"

const (
	caseFile  = "case.yaml"
	bases     = "bases"
	standing  = "none"
	usualName = "istio-system"
)

// All reads all cases of a folder, by name. Errors name the file.
func All(dir fs.FS) ([]*Case, error) {
	files, err := fs.Glob(dir, "*/"+caseFile)
	if err != nil {
		return nil, fmt.Errorf("looking for cases: %w", err)
	}
	var out []*Case
	for _, file := range files {
		c := &Case{Name: path.Dir(file)}
		if err := readYAML(dir, file, c); err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

func readYAML(dir fs.FS, file string, into any) error {
	text, err := fs.ReadFile(dir, file)
	if err != nil {
		return fmt.Errorf("reading a case: %w", err)
	}
	if err := yaml.UnmarshalStrict(text, into); err != nil {
		return fmt.Errorf("reading a case: %s: %w", file, err)
	}
	return nil
}

// Facts are those of the case's fleet, as they are read of a dump.
func (c *Case) Facts(dir fs.FS, rows resource.Set) (*facts.Fleet, error) {
	fleet, err := c.resolve(dir, c.Name)
	if err != nil {
		return nil, fmt.Errorf("case %s: %w", c.Name, err)
	}
	out := &facts.Fleet{At: fleet.at}
	for _, cluster := range fleet.clusters {
		f := facts.Cluster{
			Context: cluster.Context, Server: cluster.Server, Unreached: cluster.Unreached,
			SystemNamespace: firstOf(cluster.SystemNamespace, fleet.systemNamespace, usualName),
		}
		if f.Unreached == nil {
			objects, err := cluster.objects.decode()
			if err != nil {
				return nil, fmt.Errorf("case %s: %s: %w", c.Name, cluster.Context, err)
			}
			dump.Fill(&f, objects, rows)
		}
		if err := cluster.checkReads(rows); err != nil {
			return nil, fmt.Errorf("case %s: %s: %w", c.Name, cluster.Context, err)
		}
		for _, row := range rows {
			if read, ok := cluster.Reads[row.About().File]; ok {
				row.SetState(&f, read.State, read.Reason)
			}
		}
		out.Clusters = append(out.Clusters, f)
	}
	return out, nil
}

// checkReads holds the names of rows against those that there are.
func (c *Cluster) checkReads(rows resource.Set) error {
	for file := range c.Reads {
		if !slices.ContainsFunc(rows, func(row resource.Resource) bool { return row.About().File == file }) {
			return fmt.Errorf("reads: there is no row %q", file)
		}
	}
	return nil
}

// Dump is the case's fleet as a folder that --from reads. Rows that the case does not
// speak of were read; of a row of one object which no file holds, it is absent.
func (c *Case) Dump(dir fs.FS, rows resource.Set) (fs.FS, error) {
	fleet, err := c.resolve(dir, c.Name)
	if err != nil {
		return nil, fmt.Errorf("case %s: %w", c.Name, err)
	}
	files := fstest.MapFS{}
	idx := dump.NewIndex(fleet.at)
	for _, cluster := range fleet.clusters {
		folder := Folder(cluster.Context)
		entry := dump.IndexedCluster{
			Context: cluster.Context, Folder: folder, Server: cluster.Server, Unreached: cluster.Unreached,
			SystemNamespace: firstOf(cluster.SystemNamespace, fleet.systemNamespace, usualName), Reads: map[string]dump.IndexedRead{},
		}
		text, err := cluster.objects.print()
		if err != nil {
			return nil, fmt.Errorf("case %s: %s: %w", c.Name, cluster.Context, err)
		}
		const objects = "objects.yaml"
		files[folder+"/"+objects] = &fstest.MapFile{Data: text}
		said := c.Said(cluster.Context)
		if len(said) > 0 { // what has answers says of all files what is in them
			entry.Has(objects, text)
		}
		for n, a := range said {
			file := fmt.Sprintf("answers/%d", n+1)
			files[folder+"/"+file] = &fstest.MapFile{Data: []byte(a.Says)}
			entry.Has(file, []byte(a.Says))
			entry.Answers = append(entry.Answers, dump.IndexedAnswer{Namespace: entry.SystemNamespace, Pod: a.Pod, Path: a.Path, File: file})
		}
		states, err := statesOf(text, entry.SystemNamespace, rows)
		if err != nil {
			return nil, fmt.Errorf("case %s: %s: %w", c.Name, cluster.Context, err)
		}
		if err := cluster.checkReads(rows); err != nil {
			return nil, fmt.Errorf("case %s: %s: %w", c.Name, cluster.Context, err)
		}
		maps.Copy(states, cluster.Reads)
		for file, read := range states {
			entry.Reads[file] = dump.IndexedRead{State: read.State, Reason: read.Reason}
		}
		idx.Clusters = append(idx.Clusters, entry)
	}
	text, err := yaml.Marshal(idx)
	if err != nil {
		return nil, fmt.Errorf("case %s: %w", c.Name, err)
	}
	files[dump.IndexFile] = &fstest.MapFile{Data: text}
	return files, nil
}

// Folder is the folder of a context in a dump, and with ".yaml" its file in a case.
func Folder(context string) string { return unsafe.ReplaceAllString(context, "_") }

var unsafe = regexp.MustCompile(`[^A-Za-z0-9.-]`)

func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// statesOf are how the reads of a cluster end that has these objects.
func statesOf(text []byte, systemNamespace string, rows resource.Set) (map[string]Read, error) {
	fleet, err := dump.Read(fstest.MapFS{"c/objects.yaml": &fstest.MapFile{Data: text}}, systemNamespace, time.Time{}, rows)
	if err != nil {
		return nil, err
	}
	out := map[string]Read{}
	for _, row := range rows {
		state := facts.OK
		if len(row.Objects(&fleet.Clusters[0])) == 0 {
			state = row.Empty()
		}
		out[row.About().File] = Read{State: state}
	}
	return out, nil
}

// resolved is a fleet with all that its bases say.
type resolved struct {
	at              time.Time
	systemNamespace string
	clusters        []resolvedCluster
}

type resolvedCluster struct {
	Cluster
	objects objects
}

// resolve reads a fleet's clusters out of a folder and its bases.
func (f *Fleet) resolve(dir fs.FS, folder string) (*resolved, error) {
	base := &resolved{}
	if f.Base != "" && f.Base != standing {
		var below Fleet
		name := path.Join(bases, f.Base)
		if err := readYAML(dir, path.Join(name, "base.yaml"), &below); err != nil {
			return nil, err
		}
		var err error
		if base, err = below.resolve(dir, name); err != nil {
			return nil, err
		}
	}
	out := &resolved{at: f.At, systemNamespace: firstOf(f.SystemNamespace, base.systemNamespace)}
	if out.at.IsZero() {
		out.at = base.at
	}
	texts, err := readTexts(dir, folder)
	if err != nil {
		return nil, err
	}
	clusters := f.Clusters
	if len(clusters) == 0 {
		for _, c := range base.clusters {
			clusters = append(clusters, Cluster{Context: c.Context})
		}
	}
	for _, c := range clusters {
		like := firstOf(c.Like, c.Context)
		from := resolvedCluster{}
		at := slices.IndexFunc(base.clusters, func(b resolvedCluster) bool { return b.Context == like })
		switch {
		case like == standing:
		case at >= 0:
			from = base.clusters[at]
		case c.Like != "" || (f.Base != "" && f.Base != standing):
			return nil, fmt.Errorf("base %s has no cluster %q: say \"like: none\", or like which cluster %s is", f.Base, like, c.Context)
		}
		differences, err := readObjects(dir, path.Join(folder, Folder(c.Context)+".yaml"))
		if err != nil {
			return nil, err
		}
		if err := writtenOut(differences, texts); err != nil {
			return nil, fmt.Errorf("%s: %w", c.Context, err)
		}
		merged, err := from.objects.merge(differences)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.Context, err)
		}
		c.Like = ""
		c.Server = firstOf(c.Server, from.Server)
		c.SystemNamespace = firstOf(c.SystemNamespace, from.SystemNamespace)
		reads := map[string]Read{}
		maps.Copy(reads, from.Reads)
		maps.Copy(reads, c.Reads)
		c.Reads = reads
		if c.Unreached == nil {
			c.Unreached = from.Unreached
		}
		out.clusters = append(out.clusters, resolvedCluster{c, merged})
	}
	if len(out.clusters) == 0 {
		return nil, fmt.Errorf("%s: it has no clusters", folder)
	}
	return out, nil
}

// Likes are which of the base's clusters the fleet's clusters differ from, where the names are not the same.
func (f *Fleet) Likes() map[string]string {
	out := map[string]string{}
	for _, c := range f.Clusters {
		if c.Like != "" {
			out[c.Context] = c.Like
		}
	}
	return out
}

// Check says what is wrong with what case.yaml says, in sentences.
func (c *Case) Check() []string {
	var out []string
	wrong := func(format string, args ...any) { out = append(out, c.Name+": "+fmt.Sprintf(format, args...)) }
	if c.Title == "" || strings.Contains(c.Title, "\n") {
		wrong("title has to be one line")
	}
	if len(c.Source) == 0 {
		wrong("source has to name a public reference")
	}
	if strings.TrimSpace(c.About) == "" {
		wrong("about has to say what people saw, and why")
	}
	switch c.Kind {
	case Fault:
		if len(c.Expect) == 0 {
			wrong("a fault has to expect something")
		}
	case Healthy:
		if len(c.Expect) > 0 {
			wrong("a healthy fleet expects nothing")
		}
	default:
		wrong("kind has to be fault or healthy")
	}
	for _, e := range c.Expect {
		if _, _, ok := ParseCommand(e.Command); !ok {
			wrong("expect: there is no command %q", e.Command)
		}
		if (e.Code == "") == (e.Wanted == "") {
			wrong("expect: either a code, or what is wanted where there is none")
		}
		if e.Wanted != "" && c.Missed == "" {
			wrong("expect: what no code says is missed: say why")
		}
	}
	for _, command := range c.Commands {
		if _, service, ok := ParseCommand(command); !ok || service == "" {
			wrong("commands: %q is not \"endpoints diagnose SERVICE.NAMESPACE\"", command)
		}
	}
	return out
}

// Check is the command that is about all areas: kubectl mesh-check.
const Check = "check"

// ParseCommand takes a command apart: the area whose verify it is, Check, or the service that is diagnosed.
func ParseCommand(command string) (area, service string, ok bool) {
	words := strings.Fields(command)
	switch {
	case command == Check:
		return Check, "", true
	case len(words) == 2 && words[1] == "verify" && slices.Contains([]string{"certs", "network", "endpoints"}, words[0]):
		return words[0], "", true
	case len(words) == 3 && words[0] == "endpoints" && words[1] == "diagnose" && strings.Contains(words[2], "."):
		return "", words[2], true
	}
	return "", "", false
}
