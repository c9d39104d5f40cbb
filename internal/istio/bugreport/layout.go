// Package bugreport reads the archives of "istioctl bug-report": objects, and what istiod and proxies
// said when istioctl asked them. What was asked for is read in its log, or known of its release: a kind of
// which nothing is there is none that the cluster lacks, unless istioctl asked for it.
package bugreport

import (
	"bufio"
	"bytes"
	"encoding/json"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/input"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pattern"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/serverurl"
)

// Layout is that of the archives (istio.io/istio, tools/bug-report/pkg/archive and bugreport).
type Layout struct{}

var _ input.Layout = Layout{}

const by = "istioctl bug-report"

// Files of an archive, from its root.
const (
	logFile     = "bug-report.log"
	contextFile = "cluster/cluster-context"
	versionFile = "cluster/kubectl-version"
	secretsFile = "cluster/secrets"
	eventsFile  = "cluster/events"
	podsFile    = "cluster/pods"
	crsFile     = "cluster/crs"
	// objectsFile has the objects of Kubernetes' own kinds; since 1.30 those of no namespace are in
	// clusterFile.
	objectsFile = "cluster/k8s-resources"
	clusterFile = "cluster/k8s-cluster-resources"
	nodesFile   = "cluster/nodes"
)

// Roots are the folders with a log of istioctl, and what it wrote of the cluster.
func (Layout) Roots(paths []string) []string {
	has := make(map[string]bool, len(paths))
	for _, p := range paths {
		has[p] = true
	}
	var out []string
	for _, p := range paths {
		root := ""
		for _, file := range []string{contextFile, objectsFile} {
			if p == file {
				root = "."
			} else if above, ok := strings.CutSuffix(p, "/"+file); ok {
				root = above
			}
		}
		if root != "" && !slices.Contains(out, root) && (has[path.Join(root, logFile)] || has[path.Join(root, "versions")]) {
			out = append(out, root)
		}
	}
	return out
}

// Source is what there is below a root.
func (Layout) Source(files *input.Files) (*input.Source, error) {
	out := &input.Source{Files: files, By: by, Lenient: map[string]bool{nodesFile: true}}
	if slices.ContainsFunc(files.Paths(), func(p string) bool { return strings.HasPrefix(p, "istio/") || strings.HasPrefix(p, "proxies/") }) {
		out.Answers = newAnswers(files)
	}
	a := &archive{asked: map[string]asked{}}
	err := files.Each([]string{logFile, contextFile, versionFile, secretsFile, eventsFile}, func(name string, text []byte, err error) {
		switch {
		case err != nil: // what it would have said is not known
		case name == logFile:
			out.At = a.readLog(text)
		case name == contextFile:
			context, server, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
			out.Context, out.Server = strings.TrimSpace(context), serverurl.Shown(strings.TrimSpace(server))
		case name == versionFile:
			if v := versionOf(text); v != nil {
				out.Documents = map[string][]byte{"/version": v}
			}
		case name == secretsFile:
			a.readSecrets(text)
		case name == eventsFile:
			a.everywhere = a.everywhere || isOfAll(text)
		}
	})
	if err != nil {
		return nil, err
	}
	if len(a.asked) == 0 && a.everywhere && files.Has(clusterFile) {
		a.suppose()
	}
	if out.At.IsZero() && !files.Folder {
		out.At = files.Modified(func(string) bool { return true })
	}
	for _, name := range []string{objectsFile, clusterFile, crsFile, nodesFile, podsFile} {
		if files.Has(name) && (name != podsFile || !files.Has(objectsFile)) {
			out.Objects = append(out.Objects, name)
		}
	}
	if a.fullSecrets {
		out.Objects = append(out.Objects, secretsFile)
	}
	a.files = files
	definitions, ok := a.asked["customresourcedefinitions"]
	out.Defined = ok && files.Has(definitions.file)
	a.defined = out.Defined
	out.Holds = a.holds
	return out, nil
}

// archive is what was collected.
type archive struct {
	files *input.Files
	// asked are the kinds that istioctl had kubectl get, by their resources, those of custom resources
	// with their groups; nil where there is no log.
	asked map[string]asked
	// everywhere: a table shows that istioctl asked for all namespaces. supposed: asked is known of its release alone.
	everywhere, supposed bool
	// defined: all definitions of custom resources are there.
	defined bool
	// fullSecrets: Secrets are there as they are; else secrets are their names, by namespace, where
	// tabled.
	fullSecrets, tabled bool
	secrets             map[string]map[string]bool
}

// asked is how a kind was asked for.
type asked struct {
	file string
	// namespace is the one that was asked for; "" for all.
	namespace string
}

// all is what kubectl takes the category "all" for, of what is read here among others.
var all = []string{"pods", "services", "deployments", "daemonsets", "replicasets", "statefulsets", "jobs"}

// suppose notes what istioctl asks for in any case, since there is a clusterFile (tools/bug-report/pkg/content/content.go): at
// some levels its log does not have it.
func (a *archive) suppose() {
	for _, command := range []string{
		"nodes,namespaces,customresourcedefinitions,mutatingwebhookconfigurations,validatingwebhookconfigurations -o yaml",
		"all,jobs,ingresses,endpointslices,configmaps,networkpolicies -o yaml",
	} {
		a.note(strings.Fields(command))
	}
	a.supposed = true
}

// started is how the log says what was run (tools/bug-report/pkg/kubectlcmd/kubectlcmd.go, addRunningTask).
const started = "STARTING kubectl get "

// readLog finds what was asked for, and when the last of it was.
func (a *archive) readLog(text []byte) (at time.Time) {
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, len(text)+1)
	for lines.Scan() {
		line := lines.Text()
		_, command, ok := strings.Cut(line, started)
		if !ok {
			continue
		}
		if when, err := time.Parse(time.RFC3339Nano, stamp(line)); err == nil && when.After(at) {
			at = when.UTC()
		}
		a.note(strings.FieldsFunc(command, func(r rune) bool { return r == ' ' || r == '\t' || r == '"' || r == '\\' || r == '}' }))
	}
	return at
}

// stamp is the time of a line, in the first column or, in JSON, the first value.
func stamp(line string) string {
	var entry struct {
		Time string `json:"time"`
	}
	if strings.HasPrefix(line, "{") && json.Unmarshal([]byte(line), &entry) == nil {
		return entry.Time
	}
	word, _, _ := strings.Cut(strings.ReplaceAll(line, "\t", " "), " ")
	return word
}

// note notes a command whose output is YAML, and the file that has it.
func (a *archive) note(words []string) {
	yaml, kinds, where := false, "", asked{}
	for i := 0; i < len(words); i++ {
		switch word := words[i]; {
		case word == "-o" && i+1 < len(words):
			i++
			yaml = words[i] == "yaml"
		case (word == "-n" || word == "--kubeconfig" || word == "--context") && i+1 < len(words):
			i++
			if word == "-n" {
				where.namespace = words[i]
			}
		case strings.HasPrefix(word, "-"):
		case kinds == "":
			kinds = word
		}
	}
	if !yaml {
		return
	}
	names := strings.Split(kinds, ",")
	switch {
	case slices.Contains(names, "configmaps"):
		where.file = objectsFile
	case slices.Contains(names, "customresourcedefinitions"):
		where.file = clusterFile
	case kinds == "nodes":
		where.file = nodesFile
	case kinds == "pods":
		where.file = podsFile
	case kinds == "secrets":
		where.file = secretsFile
	default:
		where.file = crsFile
	}
	if slices.Contains(names, "all") {
		names = append(names, all...)
	}
	for _, name := range names {
		if known, ok := a.asked[name]; !ok || known.namespace != "" {
			a.asked[name] = where
		}
	}
}

// isOfAll reports whether a table of kubectl is one of all namespaces.
func isOfAll(text []byte) bool {
	head, rest, _ := strings.Cut(string(text[:min(len(text), 4096)]), "\n")
	columns := strings.Fields(head)
	return len(columns) > 2 && columns[0] == "NAMESPACE" && rest != ""
}

// readSecrets takes in the list of Secrets: manifests with --full-secrets, else the table that
// kubectl prints.
func (a *archive) readSecrets(text []byte) {
	switch {
	case bytes.HasPrefix(text, []byte("apiVersion:")):
		a.fullSecrets = true
	case isOfAll(text):
		a.everywhere = true
		a.tabled, a.secrets = true, map[string]map[string]bool{}
		for line := range strings.SplitSeq(string(text), "\n") {
			if words := strings.Fields(line); len(words) > 2 && words[0] != "NAMESPACE" {
				if a.secrets[words[0]] == nil {
					a.secrets[words[0]] = map[string]bool{}
				}
				a.secrets[words[0]][words[1]] = true
			}
		}
	}
}

// holds says what there is of a row. A file is there only if the command that writes it went well.
func (a *archive) holds(f *input.Found, row resource.Resource, system string) input.Holding {
	about := row.About()
	name := about.Resource
	if input.IsCustom(about) {
		name += "." + about.Group
	}
	where, known := a.asked[name]
	if a.supposed && input.IsCustom(about) {
		where, known = asked{file: crsFile}, true // istioctl asks for all that is defined
	}
	switch {
	case about.Kind == "Secret" && !a.fullSecrets:
		return a.holdsSecrets(about, system)
	case about.Answers || about.Path != "":
		return input.Holding{Why: by + " does not ask for it"}
	case input.IsCustom(about) && a.defined && !f.Defines(about.Group, about.Kind):
		return input.Holding{Missing: true}
	case len(a.asked) == 0 && f.Shown[about.Called()]: // somebody left the log out
		return input.Holding{Whole: true}
	case len(a.asked) == 0:
		return input.Holding{Why: "the report has no " + logFile + ", and holds none"}
	case !known:
		return input.Holding{Why: by + " of this release does not collect it"}
	case !a.files.Has(where.file):
		return input.Holding{Why: "the report has no " + where.file + ": kubectl failed, or --skip-cluster-dump was given"}
	}
	want := about.Namespace
	if want == "" && about.Scope != resource.Cluster {
		want = system
	}
	if where.namespace != "" && where.namespace != want {
		return input.Holding{Why: "of namespace " + where.namespace + " alone (--include)"}
	}
	return input.Holding{Whole: true, In: func(file string) bool { return file == where.file }}
}

// holdsSecrets says what a table of Secrets tells: that there is none of a name.
func (a *archive) holdsSecrets(about *resource.About, system string) input.Holding {
	why := input.Holding{Why: by + " has no contents of Secrets without --full-secrets"}
	name := about.Grant().Object
	if !a.tabled || name == "" {
		return why
	}
	if about.Scope != resource.Cluster {
		if a.secrets[system] != nil && !a.secrets[system][name] {
			return input.Holding{Whole: true}
		}
		return why
	}
	for _, names := range a.secrets {
		if names[name] {
			return why
		}
	}
	return input.Holding{Whole: true}
}

// release is that of an API server, in the words of kubectl version of all releases.
var release = pattern.Of(`Server Version: (?:version\.Info\{.*GitVersion:")?(v[0-9]+\.[0-9]+\.[0-9][0-9A-Za-z.+-]*)`)

// versionOf is what the API server says at /version; nil where the output does not have it.
func versionOf(text []byte) []byte {
	found := release().FindSubmatch(text)
	if found == nil {
		return nil
	}
	out, err := json.Marshal(map[string]string{"gitVersion": string(found[1])})
	if err != nil {
		return nil
	}
	return out
}
