package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-mesh/kubectl-mesh/internal/command"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
)

func newVerify(f *command.Frame) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Say what is wrong with the certificates of the mesh",
		Long: `Check the certificate authorities of all clusters, and whether each trusts the
others. With --proxies some pods with a sidecar are asked, by port-forward or
exec, which certificate they have and which roots they trust: after a change
of roots, workloads keep the old ones for up to 12 hours.`,
		Example: `  %[1]s verify --contexts east,west
  %[1]s verify -o json --fail-on warning`,
		Args: cobra.NoArgs,
	}
	var warn time.Duration
	expiry := cmd.Flags().String("expiry-warn", "30d", "Report certificates that end within this `time`")
	proxies := cmd.Flags().Bool("proxies", false, "Ask some proxies for their certificates too")
	f.Verify(cmd, command.Verification{
		Areas: areas,
		Check: func() (err error) {
			warn, err = parseDays(*expiry)
			return err
		},
		Wishes: func() []any {
			wishes := []any{mesh.ExpiryWarn(warn)}
			if *proxies {
				wishes = append(wishes, mesh.AskProxies{})
			}
			return wishes
		},
	})
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
