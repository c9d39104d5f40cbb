// Command kube-controller-manager is the real Kubernetes controller manager,
// ended as soon as its standard input is: the test bed holds the other end of
// that pipe, so that no controller outlives it, however it ends.
package main

import (
	"io"
	"os"

	"k8s.io/component-base/cli"
	"k8s.io/kubernetes/cmd/kube-controller-manager/app"
)

func main() {
	go exitWithStdin()
	os.Exit(cli.Run(app.NewControllerManagerCommand()))
}

// exitWithStdin ends the process at the end of its standard input. It keeps
// nothing, so there is nothing to shut down in order.
func exitWithStdin() {
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}
