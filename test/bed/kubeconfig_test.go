package bed

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// listNamespaces lists namespaces through a context of a kubeconfig.
func listNamespaces(t *testing.T, path, contextName string, timeout time.Duration) error {
	t.Helper()
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
		&clientcmd.ClientConfigLoadingRules{ExplicitPath: path},
		&clientcmd.ConfigOverrides{CurrentContext: contextName},
	).ClientConfig()
	if err != nil {
		t.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	_, err = client.CoreV1().Namespaces().List(ctx, metav1.ListOptions{})
	return err
}

func TestKubeconfigOfTheFleet(t *testing.T) {
	config, err := clientcmd.LoadFromFile(fleet.Kubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	if len(config.Contexts) != 2 || config.CurrentContext != "east" {
		t.Errorf("contexts %v, current %q", config.Contexts, config.CurrentContext)
	}
	for _, cluster := range fleet.Clusters() {
		if err := listNamespaces(t, fleet.Kubeconfig(), cluster.Name(), time.Minute); err != nil {
			t.Errorf("%s: %v", cluster.Name(), err)
		}
	}
}

func TestWriteKubeconfig(t *testing.T) {
	east, west := fleet.Cluster("east"), fleet.Cluster("west")
	hanging, err := HangingServer()
	if err != nil {
		t.Fatal(err)
	}
	defer hanging.Close()
	proxy, err := DelayProxy(east.URL(), 20*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	closedPort, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refused := "https://" + closedPort.Addr().String()
	if err := closedPort.Close(); err != nil {
		t.Fatal(err)
	}
	credential := `{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"` + east.RESTConfig(Admin).BearerToken + `"}}`

	isNil := func(err error) bool { return err == nil }
	contexts := []struct {
		Context
		timeout time.Duration
		want    func(error) bool
	}{
		{Context: Context{Cluster: "east"}, want: isNil},
		{Context: Context{Name: "viewer", Cluster: "east", User: Viewer, Namespace: "mesh"}, want: isNil},
		{Context: Context{Name: "nobody", Cluster: "west", User: Nobody}, want: apierrors.IsForbidden},
		{Context: Context{Name: "wrong-token", Cluster: "east", Token: "wrong"}, want: apierrors.IsUnauthorized},
		{Context: Context{Name: "wrong-ca", Cluster: "east", CA: west.CA()}, want: func(err error) bool {
			var unknown x509.UnknownAuthorityError
			return errors.As(err, &unknown)
		}},
		{Context: Context{Name: "refused", Server: refused}, want: func(err error) bool {
			return err != nil && strings.Contains(err.Error(), "connection refused")
		}},
		{Context: Context{Name: "hanging", Server: hanging.URL()}, timeout: 300 * time.Millisecond, want: func(err error) bool {
			return errors.Is(err, context.DeadlineExceeded)
		}},
		{Context: Context{Name: "delayed", Cluster: "east", Server: proxy.URL()}, want: isNil},
		{Context: Context{Name: "exec", Cluster: "east", Exec: &clientcmdapi.ExecConfig{
			Command: "echo", Args: []string{credential},
		}}, want: isNil},
	}
	path := filepath.Join(t.TempDir(), "kubeconfig")
	var all []Context
	for _, c := range contexts {
		all = append(all, c.Context)
	}
	if err := fleet.WriteKubeconfig(path, all); err != nil {
		t.Fatal(err)
	}
	for _, c := range contexts {
		name := cmp.Or(c.Name, c.Cluster)
		timeout := cmp.Or(c.timeout, time.Minute)
		if err := listNamespaces(t, path, name, timeout); !c.want(err) {
			t.Errorf("context %s: %v", name, err)
		}
	}
	if proxy.Connections() == 0 || hanging.Connections() == 0 {
		t.Error("the proxy or the hanging server was not asked")
	}

	written, err := clientcmd.LoadFromFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// The tests of fleets that know a cluster by two names rely on it.
	if written.Contexts["east"].Cluster != written.Contexts["viewer"].Cluster {
		t.Error("two contexts of a cluster have two entries for it")
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the mode of the file is %v, %v", info.Mode(), err)
	}
}

func TestWriteKubeconfigErrors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kubeconfig")
	for _, test := range []struct {
		contexts []Context
		want     string
	}{
		{[]Context{{Cluster: "north"}}, `the fleet has no cluster "north"`},
		{[]Context{{Cluster: "east", User: "root"}}, `there is no user "root"`},
		{[]Context{{Cluster: "east"}, {Name: "east", Cluster: "west"}}, `context "east": there are two`},
		{[]Context{{Name: "x"}}, `context "x": it has neither a cluster nor a server`},
		{[]Context{{}}, "it has no name"},
	} {
		err := fleet.WriteKubeconfig(path, test.contexts)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("got %v, want %q", err, test.want)
		}
	}
}
