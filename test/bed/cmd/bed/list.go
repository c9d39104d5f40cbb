package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/kubectl-mesh/kubectl-mesh/test/bed"
)

// list prints the scenarios.
func list(ctx context.Context, out io.Writer) error {
	scenarios, err := bed.Scenarios(ctx)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, scenario := range scenarios {
		fmt.Fprintf(table, "%s\t%s\n", scenario.Name, scenario.Summary)
	}
	return table.Flush()
}
