// Command istiod is the real control plane of Istio, ended as soon as its
// standard input is: the test bed holds the other end of that pipe, so that no
// istiod outlives it, however it ends.
package main

import (
	"fmt"
	"io"
	"os"

	"istio.io/istio/pilot/cmd/pilot-discovery/app"
	"istio.io/istio/pilot/pkg/model"
)

func main() {
	go exitWithStdin()
	// Names of gateways are asked of the bed, not of the world.
	if server := os.Getenv("BED_DNS_SERVER"); server != "" {
		model.NetworkGatewayTestDNSServers = []string{server}
	}
	if err := app.NewRootCommand().Execute(); err != nil {
		fmt.Fprintln(os.Stderr, "istiod:", err)
		os.Exit(1)
	}
}

// exitWithStdin ends the process at the end of its standard input. What it has
// stored is thrown away, so there is nothing to shut down in order.
func exitWithStdin() {
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}
