// Package inputtest writes clusters of tests as tools lay them out: each layout is written after the
// source of the tool, which its function names.
package inputtest

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-mesh/kubectl-mesh/internal/input"
	"github.com/kubectl-mesh/kubectl-mesh/internal/kinds"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
)

// At is when clusters are written that do not say it.
var At = time.Date(2026, 11, 30, 8, 0, 0, 0, time.UTC)

// Cluster is what there is to write.
type Cluster struct {
	Context, Server string
	// At is when it is written; At of the package where it is zero.
	At time.Time
	// Objects are those that the API server has.
	Objects []runtime.Object
	// Namespaces are those that are written; nil for all.
	Namespaces []string
	// Rows are what is installed: of each custom kind there is a definition.
	Rows resource.Set
	// Istiods and Proxies are what pods say: namespace/pod/page.
	Istiods, Proxies map[string]string
}

func (c *Cluster) at() time.Time {
	if c.At.IsZero() {
		return At
	}
	return c.At.UTC()
}

// Files are texts by their paths.
type Files map[string]string

// object is one in JSON, with what tells where it belongs.
type object struct {
	kind, group, resource, namespace, name string
	value                                  map[string]any
}

// plurals are the resources of kinds that are not in a row.
var plurals = map[string]string{"SubjectAccessReview": "subjectaccessreviews"}

// served are the objects as an API server gives them, with those that every cluster has.
func (c *Cluster) served(t testing.TB) []object {
	t.Helper()
	all := slices.Clone(c.Objects)
	kubernetes := metav1.ObjectMeta{Namespace: "default", Name: "kubernetes"}
	slice := kubernetes
	slice.Labels = map[string]string{discoveryv1.LabelServiceName: "kubernetes"}
	all = append(all, &corev1.Service{ObjectMeta: kubernetes},
		&discoveryv1.EndpointSlice{ObjectMeta: slice, AddressType: discoveryv1.AddressTypeIPv4},
		&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "coredns-0"}})
	there := map[string]bool{}
	for _, o := range all {
		if ns, ok := o.(*corev1.Namespace); ok {
			there[ns.Name] = true
		}
	}
	for _, name := range []string{"default", "kube-system", "kube-public", "kube-node-lease"} {
		if !there[name] {
			all = append(all, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
		}
	}
	var out []object
	for n, o := range all {
		if m, err := meta.Accessor(o); c.Namespaces != nil && (err != nil || !slices.Contains(c.Namespaces, m.GetNamespace())) {
			continue
		}
		o = o.DeepCopyObject()
		gvks, _, err := kinds.Scheme().ObjectKinds(o)
		if err != nil {
			t.Fatal(err)
		}
		o.GetObjectKind().SetGroupVersionKind(gvks[0])
		m, err := meta.Accessor(o)
		if err != nil {
			t.Fatal(err)
		}
		if m.GetUID() == "" {
			m.SetUID(types.UID(fmt.Sprintf("00000000-0000-0000-0000-%012d", n)))
		}
		m.SetResourceVersion(fmt.Sprint(1000 + n))
		text, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		one := object{kind: gvks[0].Kind, group: gvks[0].Group, namespace: m.GetNamespace(), name: m.GetName(), resource: plurals[gvks[0].Kind]}
		if err := json.Unmarshal(text, &one.value); err != nil {
			t.Fatal(err)
		}
		for _, row := range c.Rows {
			if a := row.About(); a.Kind == one.kind && a.Group == one.group {
				one.resource = a.Resource
			}
		}
		if one.kind == "SubjectAccessReview" || one.kind == "ServerVersion" { // no server has them
			continue
		}
		out = append(out, one)
	}
	return out
}

// definitions are those of the custom kinds.
func (c *Cluster) definitions() (out []object, names []string) {
	for _, row := range c.Rows {
		a := row.About()
		name := a.Resource + "." + a.Group
		if !input.IsCustom(a) || slices.Contains(names, name) || strings.HasSuffix(a.Group, "kubectl-mesh.dev") {
			continue
		}
		var versions []any
		for _, v := range a.Versions {
			versions = append(versions, map[string]any{"name": v, "served": true})
		}
		names = append(names, name)
		one := object{kind: "CustomResourceDefinition", group: "apiextensions.k8s.io", resource: "customresourcedefinitions", name: name}
		one.value = map[string]any{
			"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": map[string]any{"name": name},
			"spec": map[string]any{"group": a.Group, "names": map[string]any{"kind": a.Kind, "plural": a.Resource}, "versions": versions},
		}
		out = append(out, one)
	}
	return out, names
}

// list is a list as kubectl get -o yaml prints it.
func list(t testing.TB, objects []object) string {
	t.Helper()
	items := []any{}
	for _, o := range objects {
		items = append(items, o.value)
	}
	text, err := yaml.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "List", "items": items, "metadata": map[string]any{"resourceVersion": ""},
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// of are the objects that are wanted.
func of(objects []object, wanted func(object) bool) []object {
	return slices.DeleteFunc(slices.Clone(objects), func(o object) bool { return !wanted(o) })
}

// Lists are a file of each kind, as "kubectl get KIND --all-namespaces -o yaml" prints it.
func (c *Cluster) Lists(t testing.TB) Files {
	out, all := Files{}, c.served(t)
	for _, o := range all {
		name := o.resource
		if o.group != "" {
			name += "." + o.group
		}
		if name += ".yaml"; out[name] == "" {
			out[name] = list(t, of(all, func(x object) bool { return x.kind == o.kind && x.group == o.group }))
		}
	}
	return out
}

// List is all of it in one file.
func (c *Cluster) List(t testing.TB) string { return list(t, c.served(t)) }

// Release is how istioctl of a release collects.
type Release struct {
	// Split: objects of no namespace are in a file of their own, and there are no events (since 1.30).
	Split bool
	// FullSecrets is --full-secrets; SkipClusterDump is --skip-cluster-dump.
	FullSecrets, SkipClusterDump bool
	// Only is a namespace of --include; "" for all.
	Only string
	// Quiet: the log has errors alone, as that of 1.31 has.
	Quiet bool
}

// BugReport is the archive of "istioctl bug-report" (istio.io/istio, tools/bug-report/pkg: content.go,
// bugreport.go, common.go, archive.go; 1.22 to 1.31).
func (c *Cluster) BugReport(t testing.TB, r Release) Files {
	t.Helper()
	out, all := Files{}, c.served(t)
	definitions, names := c.definitions()
	objects := slices.Concat(all, definitions)
	var log strings.Builder
	at := c.at()
	run := func(command string) {
		at = at.Add(time.Second)
		if !r.Quiet {
			fmt.Fprintf(&log, "%s\tinfo\tSTARTING kubectl %s\n", at.Format("2006-01-02T15:04:05.000000Z"), command)
		}
	}
	where, in := "--all-namespaces", func(o object) bool { return r.Only == "" || o.namespace == r.Only || o.namespace == "" }
	if r.Only != "" {
		where = "-n " + r.Only
	}
	get := func(file, flags, resources string) {
		run(strings.Join(strings.Fields("get "+flags+" "+resources+" -o yaml"), " "))
		const all = "pods,services,replicationcontrollers,daemonsets,deployments,replicasets,statefulsets,jobs,"
		wanted := strings.Split(strings.ReplaceAll(resources, "all,", all), ",")
		out["bug-report/cluster/"+file] = list(t, of(objects, func(o object) bool {
			name := o.resource
			if strings.Contains(resources, ".") {
				name += "." + o.group
			}
			return slices.Contains(wanted, name) && (flags == "" || in(o))
		}))
	}
	if !r.SkipClusterDump {
		wide := "nodes,namespaces,customresourcedefinitions,mutatingwebhookconfigurations,validatingwebhookconfigurations"
		if r.Split {
			get("k8s-cluster-resources", "", wide)
			get("k8s-resources", where, "all,jobs,ingresses,endpointslices,configmaps,networkpolicies")
		} else {
			get("k8s-resources", where, "all,nodes,namespaces,jobs,ingresses,endpoints,endpointslices,customresourcedefinitions,configmaps,events,"+
				"mutatingwebhookconfigurations,validatingwebhookconfigurations,networkpolicies")
		}
		run("get customresourcedefinitions --no-headers")
		get("crs", where, strings.Join(names, ","))
		get("nodes", "", "nodes")
		if r.FullSecrets {
			get("secrets", where, "secrets")
		} else {
			run("get secrets " + where)
			out["bug-report/cluster/secrets"] = table(of(all, func(o object) bool { return o.kind == "Secret" && in(o) }))
		}
		run("get events " + where + " -o wide --sort-by=.metadata.creationTimestamp")
	}
	run("config current-context")
	out["bug-report/cluster/cluster-context"] = c.Context + "\n" + c.Server + "\n"
	out["bug-report/cluster/kubectl-version"] = "Client Version: v1.33.1\nKustomize Version: v5.6.0\nServer Version: v1.32.5\n"
	run("get pods -o yaml -n istio-system")
	out["bug-report/cluster/pods"] = list(t, of(all, func(o object) bool { return o.kind == "Pod" && o.namespace == "istio-system" }))
	for name, text := range c.Istiods {
		out["bug-report/istio/"+name] = text
		out["bug-report/istio/"+path.Dir(path.Dir(name))+"/discovery.log"] = "info\tStarting\n"
	}
	for name, text := range c.Proxies {
		out["bug-report/proxies/"+name] = text
	}
	out["bug-report/versions"] = "CLI version:\n1.29.1\n"
	out["bug-report/bug-report.log"] = log.String()
	for name, text := range out { // writeFile leaves out what is empty
		if strings.TrimSpace(text) == "" {
			delete(out, name)
		}
	}
	return out
}

// table is what "kubectl get secrets --all-namespaces" prints.
func table(secrets []object) string {
	out := "NAMESPACE   NAME   TYPE   DATA   AGE\n"
	for _, o := range secrets {
		out += fmt.Sprintf("%s   %s   Opaque   1   5d\n", o.namespace, o.name)
	}
	return out
}

// MustGather is what "oc adm inspect" writes of namespaces (github.com/openshift/oc, pkg/cli/admin/inspect:
// namespaceResourcesToCollect, dirPathForInfo, filenameForInfo, elideSecret), in the folder of an image of
// "oc adm must-gather".
func (c *Cluster) MustGather(t testing.TB, namespaces ...string) Files {
	t.Helper()
	const root = "must-gather.local.1/registry-example-sha256-0/"
	out, all := Files{}, c.served(t)
	for _, o := range all {
		if o.kind == "Namespace" && len(namespaces) == 0 {
			namespaces = append(namespaces, "")
		}
	}
	if len(namespaces) > 0 && namespaces[0] == "" {
		namespaces = nil
		for _, o := range all {
			if o.kind == "Namespace" {
				namespaces = append(namespaces, o.name)
			}
		}
	}
	collected := map[string]string{ // "all", and what is named besides
		"pods": "core", "services": "core", "configmaps": "core", "secrets": "core", "events": "core", "endpoints": "core",
		"deployments": "apps", "endpointslices": "discovery.k8s.io",
	}
	lists := map[string]string{
		"pods": "PodList", "services": "ServiceList", "configmaps": "ConfigMapList", "secrets": "SecretList", "events": "EventList",
		"endpoints": "EndpointsList", "deployments": "DeploymentList", "endpointslices": "EndpointSliceList",
	}
	versions := map[string]string{"core": "v1", "apps": "apps/v1", "discovery.k8s.io": "discovery.k8s.io/v1"}
	for _, ns := range namespaces {
		for _, o := range of(all, func(o object) bool { return o.kind == "Namespace" && o.name == ns }) {
			out[root+"namespaces/"+ns+"/"+ns+".yaml"] = document(t, o.value)
		}
		for resources, group := range collected {
			objects := of(all, func(o object) bool { return o.namespace == ns && o.resource == resources })
			items := []any{}
			for _, o := range objects {
				if o.kind == "Secret" {
					elide(o.value)
				}
				items = append(items, o.value)
			}
			out[root+"namespaces/"+ns+"/"+group+"/"+resources+".yaml"] = document(t, map[string]any{
				"apiVersion": versions[group], "kind": lists[resources], "items": items, "metadata": map[string]any{"resourceVersion": "1"},
			})
		}
		for _, o := range of(all, func(o object) bool { return o.namespace == ns && strings.Contains(o.group, "istio.io") }) {
			out[root+"namespaces/"+ns+"/"+o.group+"/"+o.resource+"/"+o.name+".yaml"] = document(t, o.value)
		}
		for _, o := range of(all, func(o object) bool { return o.namespace == ns && o.kind == "Pod" }) {
			out[root+"namespaces/"+ns+"/pods/"+o.name+"/"+o.name+".yaml"] = document(t, o.value)
		}
	}
	for _, o := range of(all, func(o object) bool { return o.kind == "MutatingWebhookConfiguration" }) {
		out[root+"cluster-scoped-resources/"+o.group+"/"+o.resource+"/"+o.name+".yaml"] = document(t, o.value)
	}
	out["must-gather.local.1/timestamp"] = c.at().Format("2006-01-02 15:04:05.000000 -0700 MST") + " m=+0.1\n" +
		c.at().Add(time.Minute).Format("2006-01-02 15:04:05.000000 -0700 MST") + " m=+60.1\n"
	out["must-gather.local.1/must-gather.log"] = "gathering\n"
	return out
}

// elide replaces what is in a Secret, but for some keys.
func elide(secret map[string]any) {
	data, _ := secret["data"].(map[string]any)
	for key := range data {
		if key != "tls.crt" && key != "ca.crt" && key != "service-ca.crt" {
			data[key] = "MTIgYnl0ZXMgbG9uZw==" // "12 bytes long"
		}
	}
}

func document(t testing.TB, value any) string {
	t.Helper()
	text, err := yaml.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// clusterInfoLists are the files of a namespace of "kubectl cluster-info dump".
var clusterInfoLists = [][3]string{
	{"events", "EventList", "v1"}, {"replication-controllers", "ReplicationControllerList", "v1"}, {"services", "ServiceList", "v1"},
	{"daemonsets", "DaemonSetList", "apps/v1"}, {"deployments", "DeploymentList", "apps/v1"}, {"replicasets", "ReplicaSetList", "apps/v1"},
	{"pods", "PodList", "v1"},
}

// ClusterInfo is what "kubectl cluster-info dump" writes of some namespaces, or all
// (k8s.io/kubectl/pkg/cmd/clusterinfo/clusterinfo_dump.go).
func (c *Cluster) ClusterInfo(t testing.TB, namespaces ...string) Files {
	t.Helper()
	out, all := Files{}, c.served(t)
	if len(namespaces) == 0 {
		for _, o := range all {
			if o.kind == "Namespace" {
				namespaces = append(namespaces, o.name)
			}
		}
	}
	print := func(name, kind, version string, objects []object) {
		items := []any{}
		for _, o := range objects {
			items = append(items, o.value)
		}
		text, err := json.MarshalIndent(map[string]any{
			"kind": kind, "apiVersion": version, "metadata": map[string]any{"resourceVersion": "1"}, "items": items,
		}, "", "    ")
		if err != nil {
			t.Fatal(err)
		}
		out[name+".json"] = string(text) + "\n"
	}
	print("nodes", "NodeList", "v1", of(all, func(o object) bool { return o.kind == "Node" }))
	for _, ns := range namespaces {
		for _, l := range clusterInfoLists {
			resources := strings.ReplaceAll(l[0], "-", "")
			print(ns+"/"+l[0], l[1], l[2], of(all, func(o object) bool { return o.namespace == ns && o.resource == resources }))
		}
		for _, o := range of(all, func(o object) bool { return o.namespace == ns && o.kind == "Pod" }) {
			const logs = "==== START logs for container app of pod %[1]s/%[2]s ====\napiVersion: none\n" +
				"==== END logs for container app of pod %[1]s/%[2]s ====\n"
			out[ns+"/"+o.name+"/logs.txt"] = fmt.Sprintf(logs, ns, o.name)
		}
	}
	return out
}

// ClusterInfoStream is what it prints where no folder is named.
func (c *Cluster) ClusterInfoStream(t testing.TB) string {
	files := c.ClusterInfo(t)
	out := files["nodes.json"]
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if name != "nodes.json" {
			out += files[name]
		}
	}
	return out
}

// Below are the files in a folder.
func (f Files) Below(folder string) Files {
	out := Files{}
	for name, text := range f {
		out[folder+"/"+name] = text
	}
	return out
}

// TarGz packs the files.
func (f Files) TarGz(t testing.TB) []byte {
	t.Helper()
	var out bytes.Buffer
	packed := gzip.NewWriter(&out)
	archive := tar.NewWriter(packed)
	for _, name := range slices.Sorted(maps.Keys(f)) {
		head := &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(len(f[name])), Mode: 0o644, ModTime: At}
		if err := archive.WriteHeader(head); err != nil {
			t.Fatal(err)
		}
		if _, err := archive.Write([]byte(f[name])); err != nil {
			t.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	if err := packed.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// Zip packs the files.
func (f Files) Zip(t testing.TB) []byte {
	t.Helper()
	var out bytes.Buffer
	archive := zip.NewWriter(&out)
	for _, name := range slices.Sorted(maps.Keys(f)) {
		w, err := archive.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: At})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(f[name])); err != nil {
			t.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// Write writes the files into a folder.
func (f Files) Write(t testing.TB, dir string) {
	t.Helper()
	for name, text := range f {
		full := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
