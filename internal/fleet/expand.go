package fleet

import clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

// Expand turns names and patterns, as --contexts takes them, into those of the
// names that they mean, in the order wanted and without repetition.
func Expand(wanted, names []string) ([]string, error) {
	raw := clientcmdapi.NewConfig()
	for _, name := range names {
		raw.Contexts[name] = clientcmdapi.NewContext()
	}
	return (&Kubeconfig{raw: raw}).expand(wanted)
}
