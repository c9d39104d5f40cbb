package kubeconfig_test

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/kubeconfig"
)

// kept is what is kept of a Secret, and what is kept of that.
func kept(s *corev1.Secret) (once, twice *corev1.Secret) {
	once, twice = &corev1.Secret{}, &corev1.Secret{}
	kubeconfig.Keep(once, s)
	kubeconfig.Keep(twice, once)
	return once, twice
}

func secretOf(text string) *corev1.Secret {
	return &corev1.Secret{Data: map[string][]byte{kubeconfig.Key: []byte(text)}}
}

// What is kept was made here: of who writes our own annotation into a Secret of a cluster no text is
// kept, shown or dumped.
func TestAnnotationsOfOthers(t *testing.T) {
	ours, _ := kept(secretOf(""))
	for _, text := range []string{
		`hunter2`, `"hunter2"`, `{"hunter2":"hunter2"}`, `{"server":"https://user:hunter2@west.example/?hunter2#hunter2"}`,
	} {
		s := secretOf("")
		for key := range ours.Annotations {
			s.Annotations = map[string]string{key: text}
		}
		once, twice := kept(s)
		if strings.Contains(fmt.Sprint(once.Annotations), "hunter2") {
			t.Errorf("of %s is kept %s", text, once.Annotations)
		}
		if fmt.Sprint(once.Annotations) != fmt.Sprint(twice.Annotations) {
			t.Errorf("of %s is kept %s, and of that %s", text, once.Annotations, twice.Annotations)
		}
	}
}

// Whatever credential a kubeconfig has, it is not kept.
func TestNoCredentialIsKept(t *testing.T) {
	for _, user := range []string{
		`{"token":"hunter2"}`, `{"username":"u","password":"hunter2"}`, `{"client-key-data":"aHVudGVyMg=="}`,
		`{"exec":{"apiVersion":"client.authentication.k8s.io/v1","command":"x","args":["hunter2"]}}`,
	} {
		s := secretOf(`{"current-context":"c","contexts":[{"name":"c","context":{"cluster":"c","user":"u"}}],"users":[{"name":"u","user":` + user + `}],` +
			`"clusters":[{"name":"c","cluster":{"server":"https://u:hunter2@west.example/?t=hunter2#hunter2","proxy-url":"http://u:hunter2@proxy"}}]}`)
		once, _ := kept(s)
		if text := fmt.Sprint(once); strings.Contains(text, "hunter2") || strings.Contains(text, "aHVudGVyMg") {
			t.Errorf("of %s is kept %s", user, text)
		}
		if server := kubeconfig.Of(once).Server; !strings.Contains(server, "west.example") {
			t.Errorf("the server is %q", server)
		}
	}
}

// Kubeconfigs that would be large once their aliases are followed, or that are deep, are refused.
func TestHostileKubeconfigs(t *testing.T) {
	aliases := "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"
	for i := range 12 {
		aliases += fmt.Sprintf("a%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i), 10), ","))
	}
	for name, text := range map[string]string{"aliases": aliases, "deep": strings.Repeat("[", 1<<19)} {
		once, _ := kept(secretOf(text))
		if k := kubeconfig.Of(once); k.Problem == "" || k.Server != "" {
			t.Errorf("%s: %+v", name, k)
		}
	}
}

// What is kept is small, and keeping that changes nothing.
func FuzzKeep(f *testing.F) {
	f.Add([]byte("a: b"))
	f.Fuzz(func(t *testing.T, text []byte) {
		once, twice := kept(secretOf(string(text)))
		if n := len(fmt.Sprint(once)); n > 64<<10 {
			t.Errorf("%d bytes are kept", n)
		}
		if fmt.Sprint(once) != fmt.Sprint(twice) {
			t.Errorf("of %s is kept %s", once, twice)
		}
	})
}
