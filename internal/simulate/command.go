package simulate

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/labels"

	"sigs.k8s.io/yaml"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/kinds"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
)

// run does a command with what it is piped into. A command that is not simulated changes nothing.
func (w *World) run(c finding.Command) Outcome {
	before := slices.Clone(w.fleet.Clusters)
	result := w.pipe(c)
	if result.Kind != Done {
		w.fleet.Clusters = before
	}
	return result
}

// pipe runs the commands of a pipe. Its outcome is that of the last one that changes
// something, or the first that is not simulated.
func (w *World) pipe(c finding.Command) Outcome {
	var printed []byte
	result := reads
	for at := &c; at != nil; at = at.Pipe {
		filled, missing := w.fill(at)
		if missing != "" {
			return outcome(Asks, "a person has to fill in %s", missing)
		}
		out, did := w.one(filled, printed)
		if did.Kind != Done && did.Kind != Reads {
			return did
		}
		if did.Kind == Done {
			result = done
		}
		printed = out
		switch {
		case at.Into != "" && out == nil:
			return outcome(Foreign, "what it writes into %s is not known here", at.Into)
		case at.Into != "" && at.Append:
			w.files[at.Into] = append(slices.Clone(w.files[at.Into]), out...)
		case at.Into != "":
			w.files[at.Into] = out
		}
		// What a reading command prints and nobody knows here can only be read on.
		if at.Pipe != nil && out == nil && !isReader(at.Pipe.Args) {
			return outcome(Foreign, "what it prints is not known here")
		}
	}
	return result
}

// fill is a command with values in the place of its blanks; missing is one that has none.
func (w *World) fill(c *finding.Command) (filled *finding.Command, missing string) {
	if len(c.Blanks) == 0 {
		return c, ""
	}
	out := *c
	out.Args = slices.Clone(c.Args)
	for _, word := range c.Blanks {
		value, known := w.Values[word]
		if !known {
			return nil, word
		}
		for i := range out.Args {
			out.Args[i] = strings.ReplaceAll(out.Args[i], word, value)
		}
	}
	return &out, ""
}

// isReader reports whether a program only looks at what it is given.
func isReader(args []string) bool { return len(args) > 0 && args[0] == "grep" }

// one runs one command of a pipe. What it prints is nil where that is not known.
func (w *World) one(c *finding.Command, stdin []byte) ([]byte, Outcome) {
	if len(c.Args) == 0 {
		return nil, outcome(Foreign, "there is no command")
	}
	switch c.Args[0] {
	case "kubectl":
		if len(c.Args) > 1 && strings.HasPrefix(c.Args[1], "mesh-") {
			return nil, reads
		}
		k, ok := parse(c)
		if !ok {
			return nil, outcome(Foreign, "kubectl with flags that are not simulated")
		}
		return w.kubectl(k, stdin)
	case "printf":
		if len(c.Args) == 3 && c.Args[1] == "%s" {
			return []byte(c.Args[2]), reads
		}
	case "grep", "rm":
		return nil, reads
	case "cat":
		var out []byte
		for _, name := range c.Args[1:] {
			text, known := w.files[name]
			if !known {
				return nil, outcome(Foreign, "file %s is a person's", name)
			}
			out = append(out, text...)
		}
		return out, reads
	}
	if w.mesh != nil {
		if out, did, known := w.mesh.Program(w, c.Args); known {
			return out, did
		}
	}
	return nil, outcome(Foreign, "%s is run", c.Args[0])
}

// kubectl is a kubectl command taken apart.
type kubectl struct {
	context, namespace, verb string
	// words are the arguments after the verb that are no flags, and flags the others.
	words []string
	flags map[string][]string
}

// valued are the flags that take a value, where that is a word of its own.
var valued = map[string]string{
	"-n": "--namespace", "--namespace": "--namespace", "-p": "--patch", "--patch": "--patch", "-o": "--output", "--output": "--output",
	"-f": "--filename", "--filename": "--filename", "-c": "--containers", "--containers": "--containers", "-l": "--selector",
	"--type": "--type", "--contexts": "--contexts", "-L": "--label-columns", "-e": "-e",
}

func parse(c *finding.Command) (kubectl, bool) {
	k := kubectl{flags: map[string][]string{}, context: c.Context()}
	args := c.Args[1:]
	for i := 0; i < len(args); i++ {
		a := args[i]
		switch name, value, assigned := strings.Cut(a, "="); {
		case a == "--":
			k.words = append(k.words, args[i+1:]...)
			i = len(args)
		case !strings.HasPrefix(a, "-") || a == "-":
			k.words = append(k.words, a)
		case assigned:
			if long := valued[name]; long != "" {
				name = long
			}
			k.flags[name] = append(k.flags[name], value)
		case valued[a] != "":
			if i++; i == len(args) {
				return k, false
			}
			k.flags[valued[a]] = append(k.flags[valued[a]], args[i])
		default:
			k.flags[a] = append(k.flags[a], "")
		}
	}
	k.namespace = k.flag("--namespace")
	if len(k.words) == 0 || k.context == "" {
		return k, false
	}
	k.verb, k.words = k.words[0], k.words[1:]
	return k, true
}

// flag is the last value of a flag; "" for none.
func (k kubectl) flag(name string) string {
	if values := k.flags[name]; len(values) > 0 {
		return values[len(values)-1]
	}
	return ""
}

func (k kubectl) has(name string) bool { return len(k.flags[name]) > 0 }

// object takes the object that a command names off its words: KIND/NAME or KIND NAME.
func (k *kubectl) object() (kind, name string, ok bool) {
	if len(k.words) == 0 {
		return "", "", false
	}
	if kind, name, ok = strings.Cut(k.words[0], "/"); ok {
		k.words = k.words[1:]
		return kind, name, true
	}
	if len(k.words) < 2 {
		return "", "", false
	}
	kind, name = k.words[0], k.words[1]
	k.words = k.words[2:]
	return kind, name, true
}

// place is the namespace of a command.
func (k kubectl) place() string {
	if k.namespace == "" {
		return corev1.NamespaceDefault
	}
	return k.namespace
}

// kubectl does what a command of kubectl does.
func (w *World) kubectl(k kubectl, stdin []byte) ([]byte, Outcome) {
	switch k.verb {
	case "get":
		return w.printed(k)
	case "describe", "logs", "events", "top", "cluster-info", "explain", "version", "auth":
		return nil, reads
	case "edit":
		return nil, outcome(Asks, "a person edits it")
	case "label", "annotate":
		return nil, w.mark(k)
	case "patch":
		return nil, w.patch(k, stdin)
	case "apply", "replace":
		return nil, w.manifests(k, stdin)
	case "create":
		return w.createVerb(k, stdin)
	case "delete":
		return nil, w.deleteVerb(k)
	case "set":
		return nil, w.setEnv(k)
	case "rollout":
		return nil, w.restart(k)
	}
	return nil, outcome(Uncertain, "kubectl %s is not simulated", k.verb)
}

var (
	errNoObject  = errors.New("it names no object")
	errOverwrite = errors.New("it has another value already")
)

// mark sets labels or annotations.
func (w *World) mark(k kubectl) Outcome {
	kind, name, ok := k.object()
	if !ok {
		return refusal(errNoObject)
	}
	field := "labels"
	if k.verb == "annotate" {
		field = "annotations"
	}
	return w.edit(k.context, w.kindOf(kind), k.place(), name, func(_ resource.Resource, m map[string]any) (map[string]any, error) {
		metadata, _ := m["metadata"].(map[string]any)
		there, _ := metadata[field].(map[string]any)
		changes := map[string]any{}
		for _, word := range k.words {
			key, value, set := strings.Cut(word, "=")
			switch {
			case !set:
				changes[strings.TrimSuffix(word, "-")] = nil
			case there[key] != nil && there[key] != value && !k.has("--overwrite"):
				return nil, errOverwrite
			default:
				changes[key] = value
			}
		}
		return mergePatch(m, map[string]any{"metadata": map[string]any{field: changes}}), nil
	})
}

// patch is kubectl patch, of the three types.
func (w *World) patch(k kubectl, stdin []byte) Outcome {
	kind, name, ok := k.object()
	if !ok {
		return refusal(errNoObject)
	}
	text := []byte(k.flag("--patch"))
	if file := k.flag("--patch-file"); file == "/dev/stdin" {
		text = stdin
	} else if file != "" {
		return outcome(Foreign, "file %s is a person's", file)
	}
	text, err := yaml.YAMLToJSON(text)
	if err != nil {
		return refusal(err)
	}
	return w.edit(k.context, w.kindOf(kind), k.place(), name, func(row resource.Resource, m map[string]any) (map[string]any, error) {
		if k.flag("--type") == "json" {
			return jsonPatch(m, text)
		}
		var patch map[string]any
		if err := json.Unmarshal(text, &patch); err != nil {
			return nil, err
		}
		if k.flag("--type") == "merge" {
			return mergePatch(m, patch), nil
		}
		if !kinds.BuiltIn(row.About().Group) {
			return nil, errors.New("strategic merge patches are for built-in kinds")
		}
		return strategic(reflect.TypeOf(row.NewObject()).Elem(), m, patch)
	})
}

// manifests applies or replaces what comes from the pipe.
func (w *World) manifests(k kubectl, stdin []byte) Outcome {
	if f := k.flag("--filename"); f != "-" {
		return outcome(Foreign, "file %s is a person's", f)
	}
	var m map[string]any
	if err := yaml.Unmarshal(stdin, &m); err != nil || m == nil {
		return refusal(errNoObject)
	}
	if items, ok := m["items"].([]any); ok && m["kind"] == "List" {
		for _, item := range items {
			one, ok := item.(map[string]any)
			if !ok || k.verb != "apply" {
				return refusal(errNoObject)
			}
			if result := w.apply(k.context, k.namespace, one); result.Kind != Done {
				return result
			}
		}
		return done
	}
	switch {
	case k.verb == "apply":
		return w.apply(k.context, k.namespace, m)
	case k.has("--force"):
		return w.write(k.context, k.namespace, m, func(found held, rows resource.Set) Outcome {
			ns, name := placeOf(m, k.namespace)
			if found != nil {
				if gone := w.remove(k.context, rows, ns, name); gone.Kind != Done {
					return gone
				}
			}
			return w.create(k.context, k.namespace, m)
		})
	default:
		return w.replace(k.context, k.namespace, m)
	}
}

// createVerb is kubectl create, of the kinds that fixes create.
func (w *World) createVerb(k kubectl, stdin []byte) ([]byte, Outcome) {
	if k.has("--filename") {
		var m map[string]any
		if k.flag("--filename") != "-" || yaml.Unmarshal(stdin, &m) != nil || m == nil {
			return nil, outcome(Foreign, "a file that a person has")
		}
		return nil, w.create(k.context, k.namespace, m)
	}
	if len(k.words) < 2 {
		return nil, refusal(errNoObject)
	}
	var m map[string]any
	switch k.words[0] {
	case "clusterrole", "clusterrolebinding":
		return nil, w.grant(k)
	case "namespace":
		m = map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": k.words[1]}}
	case "configmap":
		data := map[string]any{}
		for _, literal := range k.flags["--from-literal"] {
			key, value, _ := strings.Cut(literal, "=")
			data[key] = value
		}
		m = manifest("ConfigMap", k.words[1], k.place(), data)
	case "secret":
		if len(k.words) < 3 || k.words[1] != "generic" {
			return nil, outcome(Uncertain, "kubectl create secret of that kind is not simulated")
		}
		data := map[string]any{}
		for _, from := range k.flags["--from-file"] {
			key, file, named := strings.Cut(from, "=")
			if !named {
				file = key
			}
			text, known := w.files[file]
			if !known {
				return nil, outcome(Foreign, "file %s is a person's", file)
			}
			data[key] = text // JSON has it in base64
		}
		m = manifest("Secret", k.words[2], k.place(), data)
		m["type"] = string(corev1.SecretTypeOpaque)
		if !k.has("--dry-run") {
			break
		}
	default:
		return nil, outcome(Uncertain, "kubectl create %s is not simulated", k.words[0])
	}
	if k.has("--dry-run") {
		text, err := json.Marshal(m)
		if err != nil {
			return nil, refusal(err)
		}
		return text, reads
	}
	return nil, w.create(k.context, k.namespace, m)
}

func manifest(kind, name, namespace string, data map[string]any) map[string]any {
	return map[string]any{
		"apiVersion": "v1", "kind": kind, "metadata": map[string]any{"name": name, "namespace": namespace}, "data": data,
	}
}

// deleteVerb deletes an object. A pod that belongs to a workload is recreated by it.
func (w *World) deleteVerb(k kubectl) Outcome {
	if selector := k.flag("--selector"); selector != "" && len(k.words) == 1 {
		return w.deleteSelected(k, selector)
	}
	kind, name, ok := k.object()
	if !ok {
		return refusal(errNoObject)
	}
	if kind == "pod" && w.mesh != nil {
		return w.mesh.Restarted(w, k.context, Workload{kind, k.place(), name}, nil)
	}
	return w.remove(k.context, w.kindOf(kind), k.place(), name)
}

// deleteSelected deletes the objects of a kind that have labels, of one namespace or of all.
func (w *World) deleteSelected(k kubectl, selector string) Outcome {
	parsed, err := labels.Parse(selector)
	c, rows := w.Cluster(k.context), w.kindOf(k.words[0])
	switch {
	case err != nil || len(rows) == 0:
		return refusal(errNoObject)
	case c == nil:
		return outcome(NotRead, "cluster %s was not read", k.context)
	case !holdsAll(rows[0]):
		return outcome(NotRead, "%s: not all of them are read", rows[0])
	}
	everywhere := k.has("-A") || k.has("--all-namespaces")
	for _, o := range rows[0].Objects(c) {
		m, err := meta.Accessor(o)
		if err != nil || !parsed.Matches(labels.Set(m.GetLabels())) || !everywhere && m.GetNamespace() != k.place() {
			continue
		}
		if gone := w.remove(k.context, rows, m.GetNamespace(), m.GetName()); gone.Kind != Done {
			return gone
		}
	}
	return done
}

// restart is kubectl rollout restart.
func (w *World) restart(k kubectl) Outcome {
	if len(k.words) == 0 || k.words[0] != "restart" {
		return reads
	}
	k.words = k.words[1:]
	if w.mesh != nil && len(k.words) == 1 && !strings.Contains(k.words[0], "/") {
		return w.mesh.Restarted(w, k.context, Workload{strings.ToLower(k.words[0]), k.place(), ""}, nil)
	}
	kind, name, ok := k.object()
	switch {
	case !ok:
		return refusal(errNoObject)
	case w.mesh == nil:
		return outcome(Uncertain, "what new pods have is the mesh's")
	}
	return w.mesh.Restarted(w, k.context, Workload{strings.ToLower(kind), k.place(), name}, nil)
}

// setEnv is kubectl set env, which has the pods recreated.
func (w *World) setEnv(k kubectl) Outcome {
	if len(k.words) == 0 || k.words[0] != "env" {
		return outcome(Uncertain, "kubectl set of that kind is not simulated")
	}
	k.words = k.words[1:]
	kind, name, ok := k.object()
	switch {
	case !ok:
		return refusal(errNoObject)
	case w.mesh == nil:
		return outcome(Uncertain, "what new pods have is the mesh's")
	}
	var settings []Setting
	for _, word := range k.words {
		key, value, set := strings.Cut(word, "=")
		settings = append(settings, Setting{
			Container: k.flag("--containers"), Name: strings.TrimSuffix(key, "-"), Value: value, Remove: !set,
		})
	}
	return w.mesh.Restarted(w, k.context, Workload{strings.ToLower(kind), k.place(), name}, settings)
}
