// Command kube-apiserver is the real Kubernetes API server, ended as soon as
// its standard input is: the test bed holds the other end of that pipe, so that
// no API server outlives it, however it ends.
package main

import (
	"io"
	"os"

	"k8s.io/component-base/cli"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
)

func main() {
	go exitWithStdin()
	os.Exit(cli.Run(app.NewAPIServerCommand()))
}

// exitWithStdin ends the process at the end of its standard input. What it has
// stored is thrown away, so there is nothing to shut down in order.
func exitWithStdin() {
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}
