package main

import (
	"context"
	"fmt"
	"io"

	"github.com/kubectl-mesh/kubectl-mesh/test/bed"
)

// build compiles everything and prints where it is.
func build(ctx context.Context, out, log io.Writer) error {
	for _, name := range bed.Binaries() {
		path, err := bed.Build(ctx, name, log)
		if err != nil {
			return err
		}
		fmt.Fprintln(out, path)
	}
	return nil
}
