package fleet

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// DefaultTimeout is how long one cluster may take unless --timeout says otherwise.
const DefaultTimeout = 10 * time.Second

// Flags say which clusters a run is about and as whom they are reached: those
// of kubectl's kubeconfig flags that make sense for several clusters, and the
// fleet's own. The former are as genericclioptions.ConfigFlags has them, which a
// test holds; that package itself brings kustomize and every API type along, which
// is two thirds of the time that a run takes to start.
type Flags struct {
	// KubeConfig is the kubeconfig file; "" is kubectl's default.
	KubeConfig string
	// Context is the context to use; "" is the current one.
	Context string
	// As is the user to impersonate; "" for nobody.
	As string
	// AsUID, AsGroups and AsUserExtra (key=value) belong to the user As.
	AsUID       string
	AsGroups    []string
	AsUserExtra []string

	// Contexts are names or shell patterns of contexts.
	Contexts []string
	// AllContexts takes every context of the kubeconfig.
	AllContexts bool
	// Timeout is what each cluster may take; 0 is no limit.
	Timeout time.Duration
	// Kuberc is the kuberc file that was asked for; "" is kubectl's default.
	Kuberc string

	// Verbosity says, above 0, each request on the error stream.
	Verbosity int

	// Version is this program's own; API servers see it in their audit logs as
	// the user agent kubectl-mesh/<Version>. Not a flag.
	Version string
}

// NewFlags returns Flags with their defaults. Flags of kubectl's that would do
// nothing here, or the same thing to every cluster (--server, --token, --user,
// ...), are left out.
func NewFlags() *Flags { return &Flags{Timeout: DefaultTimeout, Version: "dev"} }

// AddFlags adds the flags to a command's.
func (f *Flags) AddFlags(flags *pflag.FlagSet) {
	flags.StringVar(&f.KubeConfig, "kubeconfig", f.KubeConfig, "Path to the kubeconfig file to use for CLI requests.")
	flags.StringVar(&f.Context, "context", f.Context, "The name of the kubeconfig context to use")
	flags.StringVar(
		&f.As,
		"as",
		f.As,
		"Username to impersonate for the operation. User could be a regular user or a service account in a namespace.",
	)
	flags.StringVar(&f.AsUID, "as-uid", f.AsUID, "UID to impersonate for the operation.")
	flags.StringArrayVar(
		&f.AsGroups,
		"as-group",
		f.AsGroups,
		"Group to impersonate for the operation, this flag can be repeated to specify multiple groups.",
	)
	flags.StringArrayVar(
		&f.AsUserExtra,
		"as-user-extra",
		f.AsUserExtra,
		"User extras to impersonate for the operation, this flag can be repeated to specify multiple values for the same key.",
	)
	flags.StringSliceVar(&f.Contexts, "contexts", f.Contexts,
		"The kubeconfig contexts to look at: names or shell patterns such as 'prod-*', comma separated; '!prod-canary' leaves one out")
	flags.BoolVar(&f.AllContexts, "all-contexts", f.AllContexts,
		"Look at every context of the kubeconfig")
	wait := (*waiting)(&f.Timeout)
	flags.Var(wait, "timeout", "How long each cluster may take to answer everything it is asked, such as 30s; 0 waits for ever")
	flags.Var(wait, "request-timeout", "The same as --timeout, by the name that kubectl has for it")
	flags.IntVarP(
		&f.Verbosity,
		"v",
		"v",
		f.Verbosity,
		"Above 0, such as 6 in kubectl: say each request, its answer and its time on the error stream",
	)
	flags.StringVar(&f.Kuberc, "kuberc", f.Kuberc,
		"Path to the kuberc file whose credential plugin policy applies; KUBERC=off or KUBECTL_KUBERC=false ignores it, as in kubectl")
}

// waiting is a time as kubectl takes it: a number without a unit is seconds.
type waiting time.Duration

// Set reads a time.
func (w *waiting) Set(text string) error {
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		*w = waiting(time.Duration(seconds) * time.Second)
		return nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return fmt.Errorf("%q is not a time: give one such as 30s or 2m", text)
	}
	*w = waiting(d)
	return nil
}

func (w *waiting) String() string { return time.Duration(*w).String() }

// Type is how help calls it.
func (*waiting) Type() string { return "duration" }

// validate reports flags that contradict each other.
func (f *Flags) validate() error {
	switch {
	case len(f.Contexts) > 0 && f.AllContexts:
		return errors.New("--contexts and --all-contexts exclude each other: give one of them")
	case len(f.Contexts) > 0 && f.Context != "":
		return errors.New("--context and --contexts exclude each other: name every cluster of the run in --contexts")
	case f.AllContexts && f.Context != "":
		return errors.New("--context and --all-contexts exclude each other: give one of them")
	case f.Timeout < 0:
		return fmt.Errorf("--timeout %s is negative: give a duration such as 10s, or 0 to wait for ever", f.Timeout)
	}
	for _, extra := range f.AsUserExtra {
		if key, _, ok := strings.Cut(extra, "="); !ok || key == "" {
			return errors.New("--as-user-extra takes key=value")
		}
	}
	return nil
}

// impersonatesWithoutUser reports whether the flags give a group, UID or extra
// and no user for them to belong to.
func (f *Flags) impersonatesWithoutUser() bool {
	return f.As == "" &&
		(f.AsUID != "" || len(f.AsGroups) > 0 || len(f.AsUserExtra) > 0)
}

// userExtra is --as-user-extra as values by key.
func (f *Flags) userExtra() map[string][]string {
	var extra map[string][]string
	for _, pair := range f.AsUserExtra {
		key, val, _ := strings.Cut(pair, "=")
		if extra == nil {
			extra = map[string][]string{}
		}
		extra[key] = append(extra[key], val)
	}
	return extra
}
