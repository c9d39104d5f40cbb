package oracle

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	corev1 "k8s.io/api/core/v1"

	"istio.io/istio/pkg/config/analysis/analyzers"
	"istio.io/istio/pkg/config/analysis/diag"
	"istio.io/istio/pkg/config/analysis/local"
	"istio.io/istio/pkg/config/resource"
	"istio.io/istio/pkg/log"

	"sigs.k8s.io/yaml"

	corpus "github.com/kubectl-mesh/kubectl-mesh/cases"
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/golden"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// TestAnalyze runs what "istioctl analyze --all-namespaces" runs over each cluster of each
// case, and holds cases/istioctl-analyze.yaml to it, which the scoreboard shows beside what we say. Of
// its messages errors and warnings count, but for those that come from what cases leave out: images
// of proxies (IST0158), and selectors of webhooks (IST0139). Objects come from files, with those that it reads of a
// running cluster only; it looks at each cluster by itself, as it does without --remote-contexts.
func TestAnalyze(t *testing.T) {
	quiet := log.DefaultOptions()
	quiet.SetDefaultOutputLevel(log.OverrideScopeName, log.NoneLevel)
	if err := log.Configure(quiet); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join("..", "..", "cases")
	all, err := corpus.All(os.DirFS(folder))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]string{}
	for _, c := range all {
		files, err := c.Dump(os.DirFS(folder), resources.All)
		if err != nil {
			t.Fatal(err)
		}
		fleet, err := c.Facts(os.DirFS(folder), resources.All)
		if err != nil {
			t.Fatal(err)
		}
		got[c.Name] = []string{}
		for i := range fleet.Clusters {
			messages, err := analyze(t, files, &fleet.Clusters[i])
			if err != nil {
				t.Fatalf("%s: %v", c.Name, err)
			}
			got[c.Name] = append(got[c.Name], messages...)
		}
	}
	file := filepath.Join(folder, corpus.AnalyzeFile)
	if *golden.Update {
		text, err := yaml.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var want map[string][]string
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s is not what istioctl analyze says; rewrite it with \"go -C test/oracle test -run TestAnalyze . -update\" (-file +now):\n%s", file, diff)
	}
}

// analyze are the errors and warnings of a cluster, each as "cluster: level code object".
func analyze(t *testing.T, files fs.FS, c *facts.Cluster) ([]string, error) {
	text, err := fs.ReadFile(files, corpus.Folder(c.Context)+"/objects.yaml")
	if err != nil {
		return nil, err
	}
	if text, err = withInjectorValues(text); err != nil {
		return nil, err
	}
	sa := local.NewIstiodAnalyzer(analyzers.AllCombined(), "", resource.Namespace(c.SystemNamespace), nil)
	for _, o := range resources.MeshConfigs.Objects(c) {
		if m, ok := o.(*corev1.ConfigMap); ok && m.Name == "istio" {
			file := filepath.Join(t.TempDir(), "mesh.yaml")
			if err := os.WriteFile(file, []byte(m.Data["mesh"]), 0o600); err != nil {
				return nil, err
			}
			if err := sa.AddFileKubeMeshConfig(file); err != nil {
				return nil, err
			}
		}
	}
	// Kinds that it does not know are an error of it that says nothing of the others.
	_ = sa.AddTestReaderKubeSource([]local.ReaderSource{{Name: c.Context, Reader: bytes.NewReader(text)}})
	stop := make(chan struct{})
	defer close(stop)
	result, err := sa.Analyze(stop)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Context, err)
	}
	var out []string
	for _, m := range result.Messages {
		if !m.Type.Level().IsWorseThanOrEqualTo(diag.Warning) || slices.Contains([]string{"IST0139", "IST0158"}, m.Type.Code()) {
			continue
		}
		line := fmt.Sprintf("%s: %s %s", c.Context, m.Type.Level(), m.Type.Code())
		if m.Resource != nil {
			line += " " + m.Resource.Metadata.Schema.Kind() + " " + m.Resource.Metadata.FullName.String()
		}
		if !slices.Contains(out, line) {
			out = append(out, line)
		}
	}
	return out, nil
}

// withInjectorValues gives the values of injectors what every chart writes into them, and what
// cases have no use for: its analyzer panics without it.
func withInjectorValues(text []byte) ([]byte, error) {
	documents := strings.Split(string(text), "\n---\n")
	for i, document := range documents {
		var o corev1.ConfigMap
		if yaml.Unmarshal([]byte(document), &o) != nil || o.Kind != "ConfigMap" || o.Data["values"] == "" {
			continue
		}
		var values map[string]any
		if json.Unmarshal([]byte(o.Data["values"]), &values) != nil {
			continue
		}
		values["sidecarInjectorWebhook"] = map[string]any{"enableNamespacesByDefault": false}
		whole, err := json.Marshal(values)
		if err != nil {
			return nil, err
		}
		o.Data["values"] = string(whole)
		changed, err := yaml.Marshal(o)
		if err != nil {
			return nil, err
		}
		documents[i] = string(changed)
	}
	return []byte(strings.Join(documents, "\n---\n")), nil
}
