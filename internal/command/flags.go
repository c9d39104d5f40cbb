package command

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kubectl-mesh/kubectl-mesh/internal/similar"
)

// kubectlFlags are flags that people know from kubectl and that commands here do not have, with what to
// do instead.
var kubectlFlags = map[string]string{
	"namespace":      "whole clusters are checked; \"mesh-endpoints verify -n NAMESPACE\" checks the services of one namespace",
	"all-namespaces": "all namespaces are checked without it",
	"selector":       "whole clusters are checked; \"mesh-endpoints verify -l LABELS\" checks the services that have them",
	"no-color":       "it is --color never, or NO_COLOR in the environment",
	"watch":          "\"verify --watch\" and \"mesh-check --watch\" go on, and print what changes",
}

// shorthands of those flags.
var shorthands = map[string]string{"n": "namespace", "A": "all-namespaces", "l": "selector", "w": "watch"}

// ofOneServer are flags of kubectl about one API server, of which there are several here.
var ofOneServer = []string{
	"server", "s", "token", "cluster", "user", "username", "password", "certificate-authority", "client-certificate", "client-key",
	"insecure-skip-tls-verify", "tls-server-name",
}

// flagError says what is wrong with a flag, and what may have been meant.
func flagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return fmt.Errorf("%w\nSee '%s --help'", err, cmd.CommandPath())
	}
	name := unknown.GetSpecifiedName()
	if long, ok := shorthands[name]; ok {
		name = long
	}
	if instead, ok := kubectlFlags[name]; ok {
		return fmt.Errorf("%w: %s", err, instead)
	}
	for _, other := range ofOneServer {
		if name == other {
			return fmt.Errorf("%w: clusters come from the contexts of the kubeconfig: make one with kubectl config set-context", err)
		}
	}
	var names []string
	cmd.Flags().VisitAll(func(flag *pflag.Flag) { names = append(names, flag.Name) })
	if near := similar.Typo(name, names); near != "" && len(name) > 1 {
		return fmt.Errorf("%w; did you mean --%s?", err, near)
	}
	return fmt.Errorf("%w\nSee '%s --help'", err, cmd.CommandPath())
}
