package plugintest

import (
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-mesh/kubectl-mesh/internal/apitest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/command"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/survey"
)

// rights is a line of the caveats that begins with verbs.
var rights = regexp.MustCompile(`(?m)^  (?:get, list|list|create) {2,}(.*)$`)

// Caveats checks that the manifest for krew names the resources that the plugin asks for,
// each with its group where that is no group of Kubernetes' own, and no others.
func Caveats(t *testing.T, plugin command.Plugin) {
	t.Helper()
	text, err := os.ReadFile("../../krew-manifests/" + plugin.Name + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	var manifest struct {
		Spec struct {
			Caveats string `json:"caveats"`
		} `json:"spec"`
	}
	if err := yaml.Unmarshal(text, &manifest); err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for _, line := range rights.FindAllStringSubmatch(manifest.Spec.Caveats, -1) {
		resources, groups, _ := strings.Cut(line[1], " in ")
		for resource := range strings.SplitSeq(resources, ", ") {
			resource, _, _ = strings.Cut(resource, " ")
			for group := range strings.SplitSeq(groups, " and ") {
				if !strings.Contains(group, ".") {
					group = ""
				}
				named[strings.TrimSuffix(resource+"."+group, ".")] = true
			}
		}
	}
	if diff := cmp.Diff(asked(t, plugin.Rows()), named); diff != "" {
		t.Errorf("resources that the plugin asks for (-) and the caveats name (+):\n%s", diff)
	}
}

// asked are the resources that a survey asks for.
func asked(t *testing.T, sources resource.Set) map[string]bool {
	t.Helper()
	var mu sync.Mutex
	out := map[string]bool{}
	server := httptest.NewServer(&apitest.Server{Before: func(_ http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		out[resourceOf(r.URL.Path)] = true
		return false
	}})
	defer server.Close()
	cluster := survey.Cluster{Context: "east", Config: &rest.Config{Host: server.URL}, Namespace: istio.SystemNamespace}
	if _, err := survey.Read(t.Context(), cluster, sources); err != nil {
		t.Fatal(err)
	}
	return out
}

// resourceOf is RESOURCE, or RESOURCE.GROUP for a group of others than Kubernetes.
func resourceOf(path string) string {
	parts := strings.Split(strings.Trim(path, "/"), "/") // api/VERSION/… or apis/GROUP/VERSION/…
	group := ""
	if parts[0] == "apis" {
		group, parts = parts[1], parts[1:]
	}
	parts = parts[2:]
	if len(parts) > 2 && parts[0] == "namespaces" {
		parts = parts[2:]
	}
	if slices.Contains([]string{"apps", "admissionregistration.k8s.io", "authorization.k8s.io", "discovery.k8s.io", "networking.k8s.io"}, group) {
		group = ""
	}
	return strings.TrimSuffix(parts[0]+"."+group, ".")
}
