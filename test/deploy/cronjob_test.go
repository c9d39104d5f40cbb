package deploy

import (
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api/v1"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-mesh/kubectl-mesh/internal/apitest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/golden"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
)

// documents are those of a file with several.
func documents(text string) []string { return strings.Split(strings.TrimSuffix(text, "\n"), "\n---\n") }

// kindOf is the kind and the name of a document.
func kindOf(t *testing.T, document string) (kind, name string) {
	t.Helper()
	var head metav1.PartialObjectMetadata
	if err := yaml.Unmarshal([]byte(document), &head); err != nil {
		t.Fatal(err)
	}
	return head.Kind, head.Name
}

// readers are the files with the rights of the CronJob, with the files that have the roles, and their names.
var readers = map[string]struct {
	roles string
	names []string
}{
	"reader.yaml":         {"rbac.yaml", []string{"mesh-check"}},
	"reader-linkerd.yaml": {"rbac-linkerd.yaml", []string{"mesh-certs-linkerd", "mesh-network-linkerd", "mesh-endpoints-linkerd", "mesh-check-linkerd"}},
	"reader-gloo.yaml":    {"rbac-gloo.yaml", []string{"mesh-certs-gloo", "mesh-network-gloo", "mesh-endpoints-gloo", "mesh-check-gloo"}},
}

// The roles of the readers are those of docs/, to the letter; -update writes them.
func TestRolesOfReaders(t *testing.T) {
	for name, r := range readers {
		t.Run(name, func(t *testing.T) {
			var want strings.Builder
			for _, d := range documents(read(t, filepath.Join("../../docs", r.roles))) {
				if _, role := kindOf(t, d); slices.Contains(r.names, role) {
					want.WriteString("---\n" + d[strings.Index("\n"+d, "\napiVersion:"):] + "\n")
				}
			}
			text := file(t, name)
			mark := "# The roles of docs/" + r.roles + ": go test ./test/deploy -update\n"
			own, got, found := strings.Cut(text, mark)
			if !found {
				t.Fatalf("it has no line %q", mark)
			}
			if *golden.Update {
				write(t, filepath.Join("../../deploy", name), own+mark+want.String(), 0o644)
				return
			}
			if diff := cmp.Diff(want.String(), got); diff != "" {
				t.Errorf("(-docs/%s +deploy/%s); go test -update writes it:\n%s", r.roles, name, diff)
			}
		})
	}
}

// Each role is bound to the ServiceAccount of the CronJob, and nothing else is.
func TestReaders(t *testing.T) {
	job := cronJob(t, file(t, "cronjob.yaml"))
	account := rbacv1.Subject{Kind: "ServiceAccount", Name: job.Spec.JobTemplate.Spec.Template.Spec.ServiceAccountName, Namespace: job.Namespace}
	for name := range readers {
		t.Run(name, func(t *testing.T) {
			var kinds, roles, bound []string
			for _, d := range documents(file(t, name)) {
				kind, name := kindOf(t, d)
				kinds = append(kinds, kind)
				switch kind {
				case "Namespace":
					var o corev1.Namespace
					if strictly(t, d, &o); o.Name != account.Namespace {
						t.Errorf("namespace %s", o.Name)
					}
				case "ServiceAccount":
					var o corev1.ServiceAccount
					if strictly(t, d, &o); o.Name != account.Name || o.Namespace != account.Namespace {
						t.Errorf("service account %s/%s", o.Namespace, o.Name)
					}
				case "Secret":
					var o corev1.Secret
					strictly(t, d, &o)
					if o.Namespace != account.Namespace || o.Annotations[corev1.ServiceAccountNameKey] != account.Name ||
						o.Type != corev1.SecretTypeServiceAccountToken || len(o.Data)+len(o.StringData) > 0 {
						t.Errorf("%+v", o)
					}
				case "ClusterRoleBinding", "RoleBinding":
					var o rbacv1.RoleBinding
					strictly(t, d, &o)
					if diff := cmp.Diff([]rbacv1.Subject{account}, o.Subjects); diff != "" {
						t.Errorf("%s %s: %s", kind, name, diff)
					}
					if strings.TrimSuffix(kind, "Binding") != o.RoleRef.Kind || o.RoleRef.APIGroup != rbacv1.GroupName {
						t.Errorf("%s %s: %+v", kind, name, o.RoleRef)
					}
					bound = append(bound, o.RoleRef.Kind+" "+o.Namespace+"/"+o.RoleRef.Name)
				case "ClusterRole", "Role":
					var o rbacv1.Role
					strictly(t, d, &o)
					roles = append(roles, kind+" "+o.Namespace+"/"+o.Name)
				default:
					t.Errorf("a %s", kind)
				}
			}
			slices.Sort(bound)
			slices.Sort(roles)
			if diff := cmp.Diff(roles, bound); diff != "" || len(roles) == 0 {
				t.Errorf("(-roles +bound):\n%s", diff)
			}
			if name == "reader.yaml" {
				want := []string{"Namespace", "ServiceAccount", "Secret", "ClusterRoleBinding", "RoleBinding", "ClusterRole", "Role"}
				if diff := cmp.Diff(want, kinds); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

func cronJob(t *testing.T, text string) batchv1.CronJob {
	t.Helper()
	var job batchv1.CronJob
	strictly(t, text, &job)
	return job
}

// withTextfile is the CronJob as kubectl patches it.
func withTextfile(t *testing.T) batchv1.CronJob {
	t.Helper()
	patch := file(t, "textfile.yaml")
	cronJob(t, patch) // has no field that a CronJob has not
	original, err := yaml.YAMLToJSON([]byte(file(t, "cronjob.yaml")))
	if err != nil {
		t.Fatal(err)
	}
	changes, err := yaml.YAMLToJSON([]byte(patch))
	if err != nil {
		t.Fatal(err)
	}
	patched, err := strategicpatch.StrategicMergePatch(original, changes, batchv1.CronJob{})
	if err != nil {
		t.Fatal(err)
	}
	return cronJob(t, string(patched))
}

// pod is the one container of a Pod, with its volumes in folders of this machine.
type pod struct {
	program string
	args    []string
	secret  string            // the name of the Secret
	folders map[string]string // by where they are mounted
}

// podOf reads what a CronJob runs.
func podOf(t *testing.T, job batchv1.CronJob) pod {
	t.Helper()
	spec := job.Spec.JobTemplate.Spec.Template.Spec
	if len(spec.Containers) != 1 || len(spec.InitContainers) > 0 {
		t.Fatalf("%+v", spec)
	}
	c := spec.Containers[0]
	out := pod{folders: map[string]string{}}
	program, found := strings.CutPrefix(strings.Join(c.Command, " "), "/usr/local/bin/") // where the image has them
	if !found {
		t.Fatalf("command %q", c.Command)
	}
	out.program = filepath.Join(*binaries, program)
	for _, m := range c.VolumeMounts {
		i := slices.IndexFunc(spec.Volumes, func(v corev1.Volume) bool { return v.Name == m.Name })
		if i < 0 {
			t.Fatalf("there is no volume %s", m.Name)
		}
		if s := spec.Volumes[i].Secret; s != nil {
			out.secret = s.SecretName
		}
		out.folders[m.MountPath] = t.TempDir()
	}
	for _, arg := range c.Args {
		for path, folder := range out.folders {
			arg = strings.ReplaceAll(arg, path+"/", folder+"/")
		}
		out.args = append(out.args, arg)
	}
	return out
}

// checkUp is what is looked at of the log of a Job.
type checkUp struct {
	Kind     string
	Status   string
	Clusters []struct {
		Context string
		Reached bool
	}
}

func checkUpIn(t *testing.T, out ended) checkUp {
	t.Helper()
	var doc checkUp
	if err := json.Unmarshal([]byte(out.stdout), &doc); err != nil || doc.Kind != "CheckUp" {
		t.Fatalf("it ends with %d, and its log is no result: %v\n%s%s", out.code, err, out.stdout, out.stderr)
	}
	return doc
}

// The exit code and the log of the Job tell what is found.
func TestCronJob(t *testing.T) {
	for fleet, want := range map[string]struct {
		code   int
		status string
	}{"fleet": {1, "error"}, "healthy": {0, "ok"}} {
		p := podOf(t, cronJob(t, file(t, "cronjob.yaml")))
		out := execute(t, nil, p.program, append(p.args, "--from", example(t, fleet))...)
		if doc := checkUpIn(t, out); out.code != want.code || doc.Status != want.status {
			t.Errorf("%s: it ends with %d, and says %s\n%s", fleet, out.code, doc.Status, out.stderr)
		}
	}
}

// With textfile.yaml the Job writes metrics besides, and a finding does not fail it.
func TestCronJobWritesMetrics(t *testing.T) {
	p := podOf(t, withTextfile(t))
	out := execute(t, nil, p.program, append(p.args, "--from", example(t, "fleet"))...)
	if doc := checkUpIn(t, out); out.code != 0 || doc.Status != "error" {
		t.Errorf("it ends with %d, and says %s\n%s", out.code, doc.Status, out.stderr)
	}
	var written []string
	for _, folder := range p.folders {
		entries, err := os.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			written = append(written, e.Name())
			if text := read(t, filepath.Join(folder, e.Name())); !strings.Contains(text, "\nmesh_finding{") {
				t.Errorf("%s:\n%s", e.Name(), text)
			}
		}
	}
	if diff := cmp.Diff([]string{"mesh.prom"}, written); diff != "" {
		t.Error(diff)
	}
}

// Where there is no Secret, or a cluster that does not answer, there is no verdict, and the Job fails.
func TestCronJobWithoutClusters(t *testing.T) {
	for _, job := range []batchv1.CronJob{cronJob(t, file(t, "cronjob.yaml")), withTextfile(t)} {
		p := podOf(t, job)
		if out := execute(t, nil, p.program, p.args...); out.code != 2 {
			t.Errorf("without a Secret it ends with %d\n%s", out.code, out.stderr)
		}
		config := "apiVersion: v1\nkind: Config\nclusters: [{name: a, cluster: {server: 'https://127.0.0.1:1'}}]\n" +
			"contexts: [{name: a, context: {cluster: a}}]\n"
		write(t, filepath.Join(p.folders["/etc/mesh-check"], "kubeconfig"), config, 0o600)
		if out := execute(t, nil, p.program, p.args...); out.code != 2 {
			t.Errorf("without an answer it ends with %d\n%s", out.code, out.stderr)
		}
	}
}

// kubectl is one that knows the contexts of a fleet, and the tokens of its ServiceAccounts.
const kubectl = `
for arg; do case $arg in --context=*) context=${arg#--context=} ;; esac; done
case "$*" in
"config view --raw --minify --flatten --context=$context -o jsonpath={.clusters[0].cluster}")
	cat "$CLUSTERS/$context.cluster" ;;
"--context=$context -n mesh-check get secret mesh-check-token -o go-template={{.data.token | base64decode}}")
	cat "$CLUSTERS/$context.token" ;;
*) echo "kubectl was asked: $*" >&2; exit 1 ;;
esac
`

// The whole way: kubeconfig.sh makes the kubeconfig of the Secret, and the Job reads each cluster with the token of
// that cluster.
func TestCronJobReadsTheFleet(t *testing.T) {
	path := tools(t, map[string]string{"kubectl": kubectl})
	clusters := t.TempDir()
	var mu sync.Mutex
	shown := map[string]map[string]bool{} // tokens, by cluster
	fleet := istiotest.Healthy("east", "o'west: 1")
	for _, c := range fleet.Clusters {
		shown[c.Name] = map[string]bool{}
		server := httptest.NewTLSServer(&apitest.Server{Objects: c.Objects(), Before: func(_ http.ResponseWriter, r *http.Request) bool {
			mu.Lock()
			defer mu.Unlock()
			shown[c.Name][r.Header.Get("Authorization")] = true
			return false
		}})
		t.Cleanup(func() {
			server.CloseClientConnections()
			server.Close()
		})
		authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
		cluster, err := json.Marshal(clientcmdapi.Cluster{Server: server.URL, CertificateAuthorityData: authority})
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(clusters, c.Name+".cluster"), string(cluster), 0o644)
		write(t, filepath.Join(clusters, c.Name+".token"), "token-of-"+c.Name[:1], 0o644)
	}
	script, err := filepath.Abs("../../deploy/kubeconfig.sh")
	if err != nil {
		t.Fatal(err)
	}
	made := execute(t, []string{path, "CLUSTERS=" + clusters}, script, "east", "o'west: 1")
	if made.code != 0 {
		t.Fatalf("%d\n%s", made.code, made.stderr)
	}
	config, err := clientcmd.Load([]byte(made.stdout))
	if err != nil || clientcmd.Validate(*config) != nil || len(config.Contexts) != 2 || config.CurrentContext != "east" {
		t.Fatalf("%v %v\n%s", err, config, made.stdout)
	}

	p := podOf(t, cronJob(t, file(t, "cronjob.yaml")))
	if p.secret != "mesh-check-fleet" {
		t.Errorf("secret %s", p.secret)
	}
	write(t, filepath.Join(p.folders["/etc/mesh-check"], "kubeconfig"), made.stdout, 0o600)
	out := execute(t, nil, p.program, p.args...)
	doc := checkUpIn(t, out)
	for _, c := range doc.Clusters {
		if !c.Reached {
			t.Errorf("%s was not reached\n%s", c.Context, out.stderr)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	want := map[string]map[string]bool{"east": {"Bearer token-of-e": true}, "o'west: 1": {"Bearer token-of-o": true}}
	if diff := cmp.Diff(want, shown); diff != "" || len(doc.Clusters) != 2 {
		t.Errorf("%d clusters; the tokens that they saw: %s", len(doc.Clusters), diff)
	}
	if strings.Contains(out.stdout+out.stderr, "token-of-") {
		t.Error("the log has a token")
	}

	if none := execute(t, []string{path, "CLUSTERS=" + clusters}, script); none.code != 2 || !strings.Contains(none.stderr, "Usage:") {
		t.Errorf("without contexts: %+v", none)
	}
	if none := execute(t, []string{path, "CLUSTERS=" + clusters}, script, "east", "nowhere"); none.code != 1 || none.stdout != "" {
		t.Errorf("with a context that is not there: %+v", none)
	}
	write(t, filepath.Join(clusters, "east.token"), "", 0o644)
	if none := execute(t, []string{path, "CLUSTERS=" + clusters}, script, "east"); none.code != 1 || none.stdout != "" ||
		!strings.Contains(none.stderr, "kubectl --context=east apply -f reader.yaml") {
		t.Errorf("without a token: %+v", none)
	}
}

// What the CronJob may do in its own cluster is nothing: its Pod is one that namespaces with the restricted profile
// of Pod Security admit, and its image is that of a release.
func TestCronJobIsRestricted(t *testing.T) {
	job := cronJob(t, file(t, "cronjob.yaml"))
	spec := job.Spec.JobTemplate.Spec.Template.Spec
	c := spec.Containers[0]
	yes := func(b *bool) bool { return b != nil && *b }
	if !yes(spec.SecurityContext.RunAsNonRoot) || spec.SecurityContext.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault ||
		yes(c.SecurityContext.AllowPrivilegeEscalation) || c.SecurityContext.AllowPrivilegeEscalation == nil || !yes(c.SecurityContext.ReadOnlyRootFilesystem) ||
		!cmp.Equal(c.SecurityContext.Capabilities, &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}) {
		t.Errorf("%+v %+v", spec.SecurityContext, c.SecurityContext)
	}
	if spec.AutomountServiceAccountToken == nil || yes(spec.AutomountServiceAccountToken) {
		t.Error("the Pod has a token of its own cluster")
	}
	for _, v := range spec.Volumes {
		if v.Secret == nil {
			t.Errorf("volume %s is no Secret", v.Name)
		}
	}
	tag := regexp.MustCompile(`^\S+/kubectl-mesh/kubectl-mesh:v(\d+\.\d+\.\d+)$`).FindStringSubmatch(c.Image)
	if tag == nil || !strings.Contains(read(t, "../../CHANGELOG.md"), tag[1]) {
		t.Errorf("image %s is not that of a release in CHANGELOG.md", c.Image)
	}
}
