package fleet

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/kubectl-mesh/kubectl-mesh/internal/printable"
)

// Kubeconfig is the user's merged kubeconfig together with the flags and the
// credential plugin policy that apply to it.
type Kubeconfig struct {
	flags  *Flags
	rules  *clientcmd.ClientConfigLoadingRules
	raw    *clientcmdapi.Config
	policy pluginPolicy
	stderr io.Writer
}

// Load reads the kubeconfig that --kubeconfig names, else those of KUBECONFIG
// merged as kubectl merges them, else ~/.kube/config. It never falls back to
// the credentials of a pod it may be running in.
//
// stderr receives warnings about the kuberc file now, and later what credential
// plugins say while they keep a run waiting; a *Terminal there keeps those
// lines apart from the progress line. It may be nil.
//
// Errors are about the flags contradicting each other, there being no
// kubeconfig or no context in it, a file that cannot be read or parsed (it is
// named), and a credential plugin policy that cannot be relied upon. They
// carry no contents of the files.
func Load(f *Flags, stderr io.Writer) (*Kubeconfig, error) {
	if err := f.validate(); err != nil {
		return nil, err
	}
	if stderr == nil {
		stderr = io.Discard
	}
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = f.KubeConfig
	rules.WarnIfAllMissing = false // it is an error here, with more to say

	raw, err := read(rules)
	if err != nil {
		return nil, err
	}
	if f.impersonatesWithoutUser() && !slices.ContainsFunc(slices.Collect(maps.Values(raw.AuthInfos)),
		func(u *clientcmdapi.AuthInfo) bool { return u != nil && u.Impersonate != "" }) {
		return nil, errors.New("--as-group, --as-uid and --as-user-extra need a user to impersonate: give --as too")
	}
	policy, err := readPluginPolicy(f.Kuberc, stderr)
	if err != nil {
		return nil, err
	}
	return &Kubeconfig{flags: f, rules: rules, raw: raw, policy: policy, stderr: stderr}, nil
}

// ContextNames are the names of all contexts, sorted.
func (k *Kubeconfig) ContextNames() []string {
	return slices.Sorted(maps.Keys(k.raw.Contexts))
}

// read loads and merges the kubeconfig files and makes sure that there is a
// context in them.
func read(rules *clientcmd.ClientConfigLoadingRules) (*clientcmdapi.Config, error) {
	var tried []string
	found := false
	for _, file := range rules.GetLoadingPrecedence() {
		if file == "" || slices.Contains(tried, file) {
			continue
		}
		tried = append(tried, file)
		// Each file is read alone first: the merged error would not say which
		// one it is about, and may quote what is in it.
		switch _, err := clientcmd.LoadFromFile(file); {
		case err == nil:
			found = true
		case errors.Is(err, fs.ErrNotExist):
		default:
			return nil, unusableFile(file, err)
		}
	}
	paths := printable.Line(strings.Join(tried, ", "))
	if !found {
		switch len(tried) {
		case 0:
			paths = "there is no home directory to look in"
		case 1:
			paths += " does not exist"
		default:
			paths += " do not exist"
		}
		return nil, fmt.Errorf("no kubeconfig found: %s; set KUBECONFIG or give --kubeconfig", paths)
	}
	raw, err := rules.Load()
	if err != nil {
		return nil, fmt.Errorf("the kubeconfig files %s cannot be merged; check them with kubectl config view", paths)
	}
	maps.DeleteFunc(raw.Contexts, func(_ string, c *clientcmdapi.Context) bool { return c == nil })
	if len(raw.Contexts) == 0 {
		return nil, fmt.Errorf("no context in the kubeconfig %s; set KUBECONFIG or give --kubeconfig", paths)
	}
	return raw, nil
}

// unusableFile says what is wrong with a kubeconfig file. A parser's message
// may quote the file, credentials included, so only the place is taken from it.
func unusableFile(file string, err error) error {
	file = printable.Line(file)
	var path *fs.PathError
	if errors.As(err, &path) {
		return fmt.Errorf("the kubeconfig %s cannot be read (%s); give another with --kubeconfig or KUBECONFIG",
			file, printable.Line(path.Err.Error()))
	}
	where := ""
	if at := lineNumber.FindString(err.Error()); at != "" {
		where = " (" + at + ")"
	}
	return fmt.Errorf("the kubeconfig %s is not valid%s; check it with kubectl config view --kubeconfig=%s", file, where, file)
}
