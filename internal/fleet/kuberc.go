package fleet

import (
	"fmt"
	"io"
	"os"
	"strings"

	"k8s.io/client-go/plugin/pkg/client/auth/exec"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/kubectl/pkg/kuberc"

	"github.com/kubectl-mesh/kubectl-mesh/internal/printable"
)

// pluginPolicy is what the user's kuberc file says about which credential
// plugins may run.
type pluginPolicy struct {
	clientcmdapi.PluginPolicy
	file string // "" when no file was consulted
}

// readPluginPolicy reads the policy as kubectl does: from the file asked for
// with --kuberc, else KUBERC, else ~/.kube/kuberc. A file that was asked for
// must be usable; the default one may be missing, or be skipped with a warning.
// A policy that contradicts itself is an error either way, for guessing could
// run a plugin that the user meant to forbid.
func readPluginPolicy(explicit string, stderr io.Writer) (pluginPolicy, error) {
	if strings.EqualFold(os.Getenv("KUBECTL_KUBERC"), "false") {
		return pluginPolicy{}, nil
	}
	file, _, err := kuberc.LoadKuberc(explicit)
	if err != nil {
		return pluginPolicy{}, fmt.Errorf("%s; unset KUBERC or leave out --kuberc", printable.Line(err.Error()))
	}
	if file == "" {
		return pluginPolicy{}, nil
	}
	var warnings strings.Builder
	preferences, err := kuberc.DefaultGetPreferences(explicit, &warnings)
	if text := strings.TrimSpace(warnings.String()); text != "" {
		fmt.Fprintf(stderr, "Warning: %s\n", printable.Line(text))
	}
	if err != nil {
		return pluginPolicy{}, fmt.Errorf("%s; correct the file, or set KUBERC=off to do without it", printable.Line(err.Error()))
	}
	if preferences == nil {
		return pluginPolicy{}, nil
	}

	policy := pluginPolicy{file: file}
	policy.PolicyType = clientcmdapi.PolicyType(preferences.CredentialPluginPolicy)
	if preferences.CredentialPluginAllowlist != nil {
		// A list that is present and empty is a mistake; nil is none at all.
		policy.Allowlist = []clientcmdapi.AllowlistEntry{}
	}
	for _, entry := range preferences.CredentialPluginAllowlist {
		policy.Allowlist = append(policy.Allowlist, clientcmdapi.AllowlistEntry(entry))
	}
	if err := exec.ValidatePluginPolicy(policy.PluginPolicy); err != nil {
		return pluginPolicy{}, fmt.Errorf("kuberc %s: %s; correct the file, or set KUBERC=off to do without it",
			printable.Line(file), printable.Line(err.Error()))
	}
	return policy, nil
}
