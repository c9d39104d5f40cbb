package endpoints

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/util/jsonpath"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
)

// printed is what the first command of a pipe prints: that of printf, or what kubectl makes of
// its JSONPath template and an object.
func printed(t *testing.T, c finding.Command, object any) string {
	t.Helper()
	last := c.Args[len(c.Args)-1]
	if c.Args[0] == "printf" {
		return last
	}
	template, ok := strings.CutPrefix(last, "jsonpath=")
	if !ok {
		t.Fatalf("no template: %s", c)
	}
	j := jsonpath.New("")
	if err := j.Parse(template); err != nil {
		t.Fatalf("%s: %v", template, err)
	}
	var out bytes.Buffer
	if err := j.Execute(&out, object); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// What is copied from cluster to cluster arrives as it was, whatever it is called.
func TestCopies(t *testing.T) {
	const hostile = `--x'"\}{$(reboot);` + "\n"
	spec := map[string]any{"host": hostile, "trafficPolicy": map[string]any{"tls": map[string]any{"mode": "DISABLE"}}}
	object := map[string]any{"spec": spec}
	service := &corev1.Service{}
	service.Namespace, service.Name = hostile, hostile
	of := map[string]string{"name": hostile, "namespace": hostile}
	for name, c := range map[string]struct {
		command finding.Command
		want    any
	}{
		"spec": {copySpec(finding.In("sidecar", hostile, hostile), "east", "west"), []any{
			map[string]any{"op": "replace", "path": "/spec", "value": spec},
		}},
		"rule": {copyRule(hostile+"/"+hostile, "east", "west"), map[string]any{
			"apiVersion": "networking.istio.io/v1", "kind": "DestinationRule", "metadata": of, "spec": spec,
		}},
		"service": {copyOf(service, "west"), map[string]any{
			"apiVersion": "v1", "kind": "Service", "metadata": of, "spec": map[string]any{"selector": nil, "ports": nil},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			var got, want any
			if err := json.Unmarshal([]byte(printed(t, c.command, object)), &got); err != nil {
				t.Fatalf("%s: %v", c.command, err)
			}
			if err := json.Unmarshal([]byte(remedy.JSON(c.want)), &want); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if c.command.Pipe == nil || c.command.Pipe.Context() != "west" {
				t.Errorf("%s", c.command)
			}
			for at := &c.command; at != nil; at = at.Pipe {
				for i, word := range at.Args {
					if strings.HasPrefix(word, "--x") && !slices.Contains([]string{"-n", "%s"}, at.Args[i-1]) {
						t.Errorf("%q is read as a flag", at.Args)
					}
				}
			}
		})
	}
}
