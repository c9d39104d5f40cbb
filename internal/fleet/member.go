package fleet

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/term"
	_ "k8s.io/client-go/plugin/pkg/client/auth" // auth providers that a kubeconfig may still name
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/kubectl-mesh/kubectl-mesh/internal/printable"
	"github.com/kubectl-mesh/kubectl-mesh/internal/serverurl"
)

// Member is one cluster of the fleet.
type Member struct {
	// Context is its name in the kubeconfig.
	Context string
	// Server is its API server's URL there, without credentials; "" when the
	// entry has none.
	Server string

	access *access
}

// access is how a member is reached, settled when the member is chosen and
// before anything runs side by side.
type access struct {
	config *rest.Config
	err    error

	plugin string        // command of the exec credential plugin, if it has one
	said   *pluginStderr // what that plugin writes to stderr
	kuberc string        // file whose policy applies to the plugin

	spent atomic.Int64 // time that calls of Each took, in nanoseconds
}

// left is what a member may still take of timeout, which is for all calls of Each: once it is
// over, a fifth of it for what else there is to ask.
func (m Member) left(timeout time.Duration) time.Duration {
	if m.access == nil {
		return timeout
	}
	return min(timeout, timeout+timeout/5-time.Duration(m.access.spent.Load()))
}

// spend counts the time since a call of Each began.
func (m Member) spend(began time.Time) {
	if m.access != nil {
		m.access.spent.Add(int64(time.Since(began)))
	}
}

// ContextError says why a kubeconfig entry cannot be used, without quoting
// what may be a credential.
type ContextError struct {
	Context string
	Reason  string
}

func (e *ContextError) Error() string {
	return fmt.Sprintf("context %s cannot be used: %s; see kubectl config view", quote(e.Context), e.Reason)
}

// Config returns how to reach the cluster's API server: impersonating whom the
// flags say, under the user's credential plugin policy, with no client-side rate
// limit, no timeout but that of a request's context, and deaf to the server's
// warnings. Every call returns a config of its own. The error is a
// *ContextError when the kubeconfig's entry cannot be used.
func (m Member) Config() (*rest.Config, error) {
	switch {
	case m.access == nil:
		return nil, &ContextError{m.Context, "it was not read from a kubeconfig"}
	case m.access.err != nil:
		return nil, m.access.err
	}
	return rest.CopyConfig(m.access.config), nil
}

// member prepares one context. terminal says whether its credential plugin may
// talk with the user: of the clusters of one run at most one can.
func (k *Kubeconfig) member(name string, terminal bool) Member {
	m := Member{Context: name, access: &access{kuberc: k.policy.file}}
	entry := k.raw.Contexts[name]
	if cluster := k.raw.Clusters[entry.Cluster]; cluster != nil {
		m.Server = printable.Line(serverurl.Shown(cluster.Server))
	}
	config, err := k.restConfig(name)
	if err == nil && config.ExecProvider != nil {
		m.access.plugin = config.ExecProvider.Command
		config.ExecProvider.PluginPolicy = k.policy.PluginPolicy
		config.ExecProvider.StdinUnavailable = !terminal
		if !terminal {
			config.ExecProvider.StdinUnavailableMessage = "several clusters are read at the same time"
		}
		raw := terminal && config.ExecProvider.InteractiveMode != clientcmdapi.NeverExecInteractiveMode &&
			term.IsTerminal(int(os.Stdin.Fd()))
		m.access.said = capture(config, name, k.stderr, raw)
	}
	if err == nil {
		// Certificates, keys and plugins are looked at only when a transport is
		// made; client-go keeps it, so that making it now costs nothing later.
		_, err = rest.TransportFor(config)
	}
	if err != nil {
		m.access.err = &ContextError{name, clip(redact(printable.Line(err.Error())), maxReason)}
		return m
	}
	if k.flags.Verbosity > 0 {
		config.Wrap(tellRequests(name, k.stderr))
	}
	m.access.config = config
	return m
}

func (k *Kubeconfig) restConfig(name string) (*rest.Config, error) {
	one, err := k.alone(name)
	if err != nil {
		return nil, err
	}
	config, err := clientcmd.NewNonInteractiveClientConfig(*one, name, k.overrides(), k.rules).ClientConfig()
	if err != nil {
		return nil, err
	}
	config.UserAgent = fmt.Sprintf("kubectl-mesh/%s (%s/%s)", k.flags.Version, runtime.GOOS, runtime.GOARCH)
	config.QPS = -1 // API servers have priority and fairness to defend themselves
	config.WarningHandler = rest.NoWarnings{}
	if _, _, err := rest.DefaultServerUrlFor(config); err != nil {
		return nil, errors.New("its server is not a URL") // the error would quote it
	}
	return config, nil
}

// alone copies what the kubeconfig has for one context, so that what client-go
// changes in it does not reach contexts that share its user or cluster.
func (k *Kubeconfig) alone(name string) (*clientcmdapi.Config, error) {
	entry := k.raw.Contexts[name]
	cluster, user := k.raw.Clusters[entry.Cluster], k.raw.AuthInfos[entry.AuthInfo]
	switch {
	case entry.Cluster == "":
		return nil, errors.New("it names no cluster")
	case cluster == nil:
		return nil, fmt.Errorf("its cluster %s does not exist in the kubeconfig", quote(entry.Cluster))
	case cluster.Server == "":
		return nil, fmt.Errorf("its cluster %s has no server", quote(entry.Cluster))
	case user == nil && entry.AuthInfo != "":
		return nil, fmt.Errorf("its user %s does not exist in the kubeconfig", quote(entry.AuthInfo))
	}
	if cluster.ProxyURL != "" {
		// client-go would quote it, and it may carry a password.
		if u, err := url.Parse(cluster.ProxyURL); err != nil || u.Host == "" {
			return nil, errors.New("its proxy-url is not a URL")
		}
	}
	one := clientcmdapi.NewConfig()
	one.Contexts[name] = entry.DeepCopy()
	one.Clusters[entry.Cluster] = cluster.DeepCopy()
	if user != nil {
		one.AuthInfos[entry.AuthInfo] = user.DeepCopy()
	}
	return one, nil
}

// overrides are the impersonation flags.
func (k *Kubeconfig) overrides() *clientcmd.ConfigOverrides {
	overrides := &clientcmd.ConfigOverrides{}
	user := &overrides.AuthInfo
	user.Impersonate = k.flags.As
	user.ImpersonateUID = k.flags.AsUID
	user.ImpersonateGroups = k.flags.AsGroups
	user.ImpersonateUserExtra = k.flags.userExtra()
	return overrides
}
