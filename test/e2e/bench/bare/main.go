// Command bare reads Secret cacerts of the contexts that it is given, all at once, and prints which
// have the same root: the least that a program of client-go does for what mesh-certs diff answers.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

func main() {
	contexts := os.Args[1:]
	roots := make([][]byte, len(contexts))
	errs := make([]error, len(contexts))
	var all sync.WaitGroup
	for i, name := range contexts {
		all.Go(func() { roots[i], errs[i] = root(name) })
	}
	all.Wait()
	for i, name := range contexts {
		if errs[i] != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", name, errs[i])
			os.Exit(1)
		}
		fmt.Println(name, bytes.Equal(roots[i], roots[0]))
	}
}

// root is what istiod of a context is given as its root certificate.
func root(name string) ([]byte, error) {
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
		clientcmd.NewDefaultClientConfigLoadingRules(), &clientcmd.ConfigOverrides{CurrentContext: name}).ClientConfig()
	if err != nil {
		return nil, err
	}
	config.GroupVersion, config.APIPath = &schema.GroupVersion{Version: "v1"}, "/api"
	config.NegotiatedSerializer = scheme.Codecs
	client, err := rest.RESTClientFor(config)
	if err != nil {
		return nil, err
	}
	body, err := client.Get().Namespace("istio-system").Resource("secrets").Name("cacerts").DoRaw(context.Background())
	if err != nil {
		return nil, err
	}
	var secret corev1.Secret
	err = json.Unmarshal(body, &secret)
	return secret.Data["root-cert.pem"], err
}
