package fleet

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/utils/ptr"
)

// DefaultTimeout is how long one cluster may take unless --timeout says otherwise.
const DefaultTimeout = 10 * time.Second

// Flags say which clusters a run is about and as whom they are reached: those
// of kubectl's kubeconfig flags that make sense for several clusters, and the
// fleet's own.
type Flags struct {
	*genericclioptions.ConfigFlags

	// Contexts are names or shell patterns of contexts.
	Contexts []string
	// AllContexts takes every context of the kubeconfig.
	AllContexts bool
	// Timeout is what each cluster may take; 0 is no limit.
	Timeout time.Duration
	// Kuberc is the kuberc file that was asked for; "" is kubectl's default.
	Kuberc string

	// Version is this program's own; API servers see it in their audit logs as
	// the user agent kubectl-mesh/<Version>. Not a flag.
	Version string
}

// NewFlags returns Flags with their defaults. ConfigFlags that would do nothing
// here, or the same thing to every cluster (--server, --token, --user, ...), are
// left out.
func NewFlags() *Flags {
	return &Flags{
		ConfigFlags: &genericclioptions.ConfigFlags{
			KubeConfig:           ptr.To(""),
			Context:              ptr.To(""),
			Impersonate:          ptr.To(""),
			ImpersonateUID:       ptr.To(""),
			ImpersonateGroup:     &[]string{},
			ImpersonateUserExtra: &[]string{},
		},
		Timeout: DefaultTimeout,
		Version: "dev",
	}
}

// AddFlags adds the flags to a command's.
func (f *Flags) AddFlags(flags *pflag.FlagSet) {
	f.ConfigFlags.AddFlags(flags)
	flags.StringSliceVar(&f.Contexts, "contexts", f.Contexts,
		"The kubeconfig contexts to look at: names or shell patterns such as 'prod-*', comma separated; can be repeated")
	flags.BoolVar(&f.AllContexts, "all-contexts", f.AllContexts,
		"Look at every context of the kubeconfig")
	flags.DurationVar(&f.Timeout, "timeout", f.Timeout,
		"How long each cluster may take to answer everything it is asked; 0 waits for ever")
	flags.StringVar(&f.Kuberc, "kuberc", f.Kuberc,
		"Path to the kuberc file whose credential plugin policy applies; KUBERC=off or KUBECTL_KUBERC=false ignores it, as in kubectl")
}

// validate reports flags that contradict each other.
func (f *Flags) validate() error {
	switch {
	case len(f.Contexts) > 0 && f.AllContexts:
		return errors.New("--contexts and --all-contexts exclude each other: give one of them")
	case len(f.Contexts) > 0 && value(f.Context) != "":
		return errors.New("--context and --contexts exclude each other: name every cluster of the run in --contexts")
	case f.AllContexts && value(f.Context) != "":
		return errors.New("--context and --all-contexts exclude each other: give one of them")
	case f.Timeout < 0:
		return fmt.Errorf("--timeout %s is negative: give a duration such as 10s, or 0 to wait for ever", f.Timeout)
	}
	for _, extra := range value(f.ImpersonateUserExtra) {
		if key, _, ok := strings.Cut(extra, "="); !ok || key == "" {
			return errors.New("--as-user-extra takes key=value")
		}
	}
	return nil
}

// impersonatesWithoutUser reports whether the flags give a group, UID or extra
// and no user for them to belong to.
func (f *Flags) impersonatesWithoutUser() bool {
	return value(f.Impersonate) == "" &&
		(value(f.ImpersonateUID) != "" || len(value(f.ImpersonateGroup)) > 0 || len(value(f.ImpersonateUserExtra)) > 0)
}

// userExtra is --as-user-extra as values by key.
func (f *Flags) userExtra() map[string][]string {
	var extra map[string][]string
	for _, pair := range value(f.ImpersonateUserExtra) {
		key, val, _ := strings.Cut(pair, "=")
		if extra == nil {
			extra = map[string][]string{}
		}
		extra[key] = append(extra[key], val)
	}
	return extra
}

// value is what a flag holds; a flag that was taken out holds nothing.
func value[T any](p *T) T {
	if p == nil {
		var none T
		return none
	}
	return *p
}
