package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-mesh/kubectl-mesh/internal/command"
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/survey"
	"github.com/kubectl-mesh/kubectl-mesh/internal/trust"
)

func newVerify(f *command.Frame) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Say what is wrong with the certificates of the mesh",
		Long: `Judge the certificate authorities of all clusters, and whether each trusts the others.
Root causes come first, with what they cause beneath them. What could not be judged,
for instance because secrets may not be read, is listed as such.`,
		Example: "  %[1]s verify --contexts east,west\n  %[1]s verify -o json --fail-on warning",
		Args:    cobra.NoArgs,
	}
	options := trust.Options{ExpiryWarn: trust.DefaultExpiryWarn}
	expiry := cmd.Flags().String("expiry-warn", "30d", "Report certificates that end within this time, e.g. 30d or 72h")
	check := func() (err error) {
		options.ExpiryWarn, err = parseDays(*expiry)
		return err
	}
	f.Verify(cmd, survey.Trust, check, func(fleet *facts.Fleet) finding.Result { return trust.Verify(fleet, options) })
	return cmd
}

// parseDays reads a duration that may be given in days, the unit in which
// people think of certificates.
func parseDays(s string) (time.Duration, error) {
	var days int
	if n, err := fmt.Sscanf(s, "%dd", &days); err == nil && n == 1 && fmt.Sprintf("%dd", days) == s && days >= 0 && days <= 36500 {
		return time.Duration(days) * 24 * time.Hour, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("--expiry-warn %q is not a time; write it like 30d or 72h", s)
	}
	return d, nil
}
