// Command etcd is the real etcd server, ended as soon as its standard input is:
// the test bed holds the other end of that pipe, so that no etcd outlives it,
// however it ends.
package main

import (
	"io"
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() {
	go exitWithStdin()
	etcdmain.Main(os.Args)
}

// exitWithStdin ends the process at the end of its standard input. What it has
// stored is thrown away, so there is nothing to shut down in order.
func exitWithStdin() {
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}
