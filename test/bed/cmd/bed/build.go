package main

import (
	"context"
	"fmt"
	"io"

	"github.com/kubectl-mesh/kubectl-mesh/test/bed"
)

// build compiles the named programs, or without any name everything, and prints where
// they are.
func build(ctx context.Context, names []string, out, log io.Writer) error {
	if len(names) == 0 {
		names = bed.Binaries()
	}
	for _, name := range names {
		path, err := bed.Build(ctx, name, log)
		if err != nil {
			return err
		}
		fmt.Fprintln(out, path)
	}
	return nil
}
