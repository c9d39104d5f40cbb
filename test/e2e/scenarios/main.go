// Command scenarios writes the scenarios of the test bed: the fleets below, as
// folders of manifests. CA keys are made anew each time, for these folders alone.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/kinds"
	"github.com/kubectl-mesh/kubectl-mesh/test/bed"
)

type scenario struct {
	name, readme string
	fleet        func() *istiotest.Fleet
	// definitions are of custom resources that the fleet has.
	definitions []runtime.Object
}

var scenarios = []scenario{
	{
		name: "healthy",
		readme: `# Two primaries that share a root, each with an intermediate of its own

mesh-certs verify finds nothing.
`,
		fleet: func() *istiotest.Fleet { return plugged("east", "west") },
	},
	{
		name: "networks",
		readme: `# Three networks: west's gateway has no address, and nobody told north which network it is

- west: the load balancer of the east-west gateway is pending.
- north: the system namespace has no label with its network, so that only pods with a sidecar have one.
`,
		fleet: func() *istiotest.Fleet {
			f := named(istiotest.Networked("east", "north", "west"))
			f.Get("west").Network.Gateway.Status.LoadBalancer.Ingress = nil
			f.Get("north").SystemLabels = nil
			return f
		},
		definitions: bed.GatewayDefinitions(),
	},
	{
		name: "broken",
		readme: `# Three primaries: west's root was made anew, and north's intermediate has expired

- west: somebody ran the script that makes the CA once more, and so its root has the name of the others' and another key.
- north: the intermediate under the right root is no longer valid.
`,
		fleet: func() *istiotest.Fleet {
			f := plugged("east", "north", "west")
			again := istiotest.Root(istiotest.Spec{Name: "Root CA", NotAfter: far})
			f.Get("west").Plug(again.Sub(istiotest.Spec{Name: "Intermediate CA west", NotAfter: far}))
			root := f.Get("north").Signer.Issuer
			f.Get("north").Plug(root.Sub(istiotest.Spec{
				Name: "Intermediate CA north", NotBefore: istiotest.Now.AddDate(-1, 0, 0), NotAfter: istiotest.Now.AddDate(0, 0, -3),
			}))
			return f
		},
	},
}

// far is when certificates end that are not to end while the scenario is in use.
var far = istiotest.Now.AddDate(30, 0, 0)

// plugged is a healthy fleet for as long as anybody uses the scenario.
func plugged(names ...string) *istiotest.Fleet {
	return named(istiotest.Healthy(names...))
}

// named gives the clusters of a fleet certificates that last, and the addresses
// that give way to real ones.
func named(f *istiotest.Fleet) *istiotest.Fleet {
	root := istiotest.Root(istiotest.Spec{Name: "Root CA", NotAfter: far})
	for _, c := range f.Clusters {
		c.Server = "https://" + c.Name + ".bed.invalid"
		c.Plug(root.Sub(istiotest.Spec{Name: "Intermediate CA " + c.Name, NotAfter: far}))
	}
	return f
}

func main() {
	into := flag.String("into", "../bed/scenarios", "the folder that holds the scenarios")
	only := flag.String("only", "", "the one scenario to write; all where it is empty")
	flag.Parse()
	kinds.AddCustom(scheme.Scheme)
	for _, s := range scenarios {
		if *only != "" && s.name != *only {
			continue
		}
		if err := s.write(filepath.Join(*into, s.name)); err != nil {
			fmt.Fprintf(os.Stderr, "scenario %s: %v\n", s.name, err)
			os.Exit(1)
		}
	}
}

func (s scenario) write(dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	for _, c := range s.fleet().Clusters {
		folder := filepath.Join(dir, c.Name)
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return err
		}
		text, err := manifests(append(slices.Clone(s.definitions), c.Objects()...))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, "istio.yaml"), text, 0o644); err != nil {
			return err
		}
	}
	const keys = "\nThe private keys in it were made for this folder. Trust nothing that they sign.\n"
	return os.WriteFile(filepath.Join(dir, "README.md"), []byte(s.readme+keys), 0o644)
}

// separator is what comes before a manifest.
func separator(i int) string {
	if i == 0 {
		return ""
	}
	return "---\n"
}

// manifests writes objects as a person would: without what only a server sets,
// and the values of Secrets as text.
func manifests(objects []runtime.Object) ([]byte, error) {
	var out bytes.Buffer
	for i, o := range objects {
		if u, ok := o.(*unstructured.Unstructured); ok {
			text, err := yaml.Marshal(u.Object)
			if err != nil {
				return nil, err
			}
			out.WriteString(separator(i) + string(text))
			continue
		}
		gvks, _, err := scheme.Scheme.ObjectKinds(o)
		if err != nil {
			return nil, err
		}
		if s, ok := o.(*corev1.Secret); ok {
			s.StringData = map[string]string{}
			for key, value := range s.Data {
				s.StringData[key] = string(value)
			}
			s.Data = nil
		}
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
		if err != nil {
			return nil, err
		}
		u := &unstructured.Unstructured{Object: content}
		u.SetGroupVersionKind(gvks[0])
		for _, field := range []string{"creationTimestamp", "managedFields", "uid"} {
			unstructured.RemoveNestedField(content, "metadata", field)
		}
		if status, ok := content["status"].(map[string]any); ok && len(status) == 0 {
			delete(content, "status")
		}
		text, err := yaml.Marshal(content)
		if err != nil {
			return nil, err
		}
		out.WriteString(separator(i) + string(text))
	}
	return out.Bytes(), nil
}
