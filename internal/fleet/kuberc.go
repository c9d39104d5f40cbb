package fleet

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/plugin/pkg/client/auth/exec"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/kubectl/pkg/config"
	"k8s.io/kubectl/pkg/config/scheme"

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
	file, required, err := kubercFile(explicit)
	if err != nil || file == "" {
		return pluginPolicy{}, err
	}
	preferences, err := readPreferences(file)
	switch {
	case preferences != nil && err != nil:
		fmt.Fprintf(stderr, "Warning: kuberc %s: %s\n", printable.Line(file), printable.Line(err.Error()))
	case err != nil && required:
		return pluginPolicy{}, fmt.Errorf(
			"kuberc %s: %s; correct the file, or set KUBERC=off to do without it",
			printable.Line(file),
			printable.Line(err.Error()),
		)
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		fmt.Fprintf(stderr, "Warning: kuberc %s is not used: %s\n", printable.Line(file), printable.Line(err.Error()))
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

// kubercFile is the file to read, "" for none, and whether it was asked for, as
// kubectl has it (k8s.io/kubectl/pkg/kuberc, LoadKuberc).
func kubercFile(explicit string) (file string, required bool, err error) {
	env := os.Getenv("KUBERC")
	switch {
	case env == "off" && explicit != "":
		return "", false, errors.New("--kuberc and KUBERC=off exclude each other: unset KUBERC or leave out --kuberc")
	case env == "off":
		return "", false, nil
	case explicit != "":
		return explicit, true, nil
	case env != "":
		return env, true, nil
	default:
		return filepath.Join(clientcmd.RecommendedConfigDir, "kuberc"), false, nil
	}
}

// readPreferences reads the first document of a kuberc file that this version
// knows, as kubectl does; nil where there is none in an empty file. Preferences and
// an error together say what was passed over.
func readPreferences(file string) (*config.Preference, error) {
	text, err := os.ReadFile(file)
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		return nil, path.Err // the caller names the file
	}
	if err != nil {
		return nil, err
	}
	documents := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	seen := false
	for {
		document, err := documents.Read()
		switch {
		case errors.Is(err, io.EOF) && seen:
			return nil, errors.New("there are no valid preferences in it")
		case errors.Is(err, io.EOF):
			return nil, nil
		case err != nil:
			return nil, err
		case len(bytes.TrimSpace(document)) == 0:
			continue
		}
		seen = true
		object, _, strict := scheme.StrictCodecs.UniversalDecoder().Decode(document, nil, nil)
		if strict != nil {
			if object, _, err = scheme.LenientCodecs.UniversalDecoder().Decode(document, nil, nil); err != nil {
				continue
			}
		}
		if preferences, ok := object.(*config.Preference); ok {
			return preferences, strict
		}
	}
}
