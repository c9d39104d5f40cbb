package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/command"
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/proxies"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/printable"
	"github.com/kubectl-mesh/kubectl-mesh/internal/probe"
	"github.com/kubectl-mesh/kubectl-mesh/internal/similar"
)

type servicePort = corev1.ServicePort

// dotted is a service as NAME.NAMESPACE, however people write it: cart.shop, shop/cart,
// svc/cart, "service shop/cart" as it is printed here, and hosts as they are seen in logs and in code:
// cart.shop.svc.cluster.local, cart.shop:5000, http://cart.shop/path.
func dotted(arg string) string {
	if _, rest, ok := strings.Cut(arg, "://"); ok {
		arg, _, _ = strings.Cut(rest, "/")
	}
	arg = strings.TrimPrefix(arg, "service ")
	if head, port, ok := strings.Cut(arg, ":"); ok && strings.Trim(port, "0123456789") == "" {
		arg = head
	}
	if namespace, name, ok := strings.Cut(arg, "/"); ok {
		switch namespace {
		case "svc", "service", "services":
			arg = name
		default:
			arg = name + "." + namespace
		}
	}
	return strings.TrimSuffix(arg, ".")
}

// findService finds what a service that is named as dotted takes it means. Without a
// namespace it is the only Service of that name.
func findService(fleet *facts.Fleet, arg, namespace string) (proxies.Service, error) {
	name, rest, _ := strings.Cut(dotted(arg), ".")
	given, domain, _ := strings.Cut(rest, ".")
	switch {
	case name == "" || domain != "" && domain != "svc" && !strings.HasPrefix(domain, "svc."):
		return proxies.Service{}, fmt.Errorf("%q is not a service; name one as SERVICE.NAMESPACE", arg)
	case given != "" && namespace != "" && given != namespace:
		return proxies.Service{}, fmt.Errorf("%s is in namespace %s, and --namespace says %s: give one of them", arg, given, namespace)
	case given != "":
		namespace = given
	}
	var found, all, unread []string
	for _, c := range fleet.Clusters {
		switch {
		case c.Unreached != nil:
			unread = append(unread, c.Context+" was not reached")
		case !resources.Services.Of(&c).Known():
			unread = append(unread, "those of "+c.Context+" could not be read: "+resources.Services.Of(&c).Why())
		}
		for _, s := range resources.Services.Of(&c).Value {
			id := s.Name + "." + s.Namespace
			switch {
			case s.Name == name && (namespace == "" || s.Namespace == namespace):
				found = append(found, id)
			case namespace == "" || s.Namespace == namespace || s.Name == name:
				all = append(all, id)
			}
		}
	}
	slices.Sort(found)
	found = slices.Compact(found)
	if len(found) == 1 {
		name, namespace, _ = strings.Cut(found[0], ".")
		return proxies.Service{Namespace: namespace, Name: name}, nil
	}
	if len(found) > 1 {
		return proxies.Service{}, fmt.Errorf("there are several Services %s; name one of %s", name, strings.Join(found, ", "))
	}
	text := fmt.Sprintf("there is no Service %s in any of the clusters", name)
	if namespace != "" {
		text = fmt.Sprintf("there is no Service %s in namespace %s of any of the clusters", name, namespace)
	}
	if len(unread) > 0 {
		text += " that was read (" + strings.Join(unread, "; ") + ")"
	}
	if near := likely(name, namespace, finding.Distinct(all)); len(near) > 0 {
		text += "; did you mean " + strings.Join(near, " or ") + "?"
	}
	return proxies.Service{}, errors.New(text)
}

// likely are the Services that may have been meant: those of the name elsewhere, and those with a
// name like it.
func likely(name, namespace string, all []string) []string {
	const most = 3
	var same, names []string
	for _, id := range all {
		other, in, _ := strings.Cut(id, ".")
		switch {
		case other == name:
			same = append(same, id)
		case namespace == "" || in == namespace:
			names = append(names, other)
		}
	}
	for _, near := range similar.Names(name, finding.Distinct(names), most) {
		for _, id := range all {
			if other, in, _ := strings.Cut(id, "."); other == near && (namespace == "" || in == namespace) {
				same = append(same, id)
			}
		}
	}
	return same[:min(len(same), most)]
}

// completionTime is how long a shell waits for names at most.
const completionTime = 3 * time.Second

// completeServices completes the names of Services of the clusters that the flags name;
// where *namespace is set those of that one alone, and without it. prepare reads flags that
// the command has for itself; it may be nil.
func completeServices(f *command.Frame, namespace *string, prepare func() error) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		if prepare != nil && prepare() != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), completionTime)
		defer cancel()
		f.ErrOut = io.Discard
		f.Fleet.Timeout = completionTime
		fleet, err := f.Gather(ctx, resources.Services.Rows())
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var out []string
		for _, c := range fleet.Clusters {
			for _, s := range resources.Services.Of(&c).Value {
				name := s.Name + "." + s.Namespace
				switch *namespace {
				case "":
				case s.Namespace:
					if !strings.Contains(typed, ".") {
						name = s.Name
					}
				default:
					continue
				}
				if strings.HasPrefix(name, typed) {
					out = append(out, printable.Line(name))
				}
			}
		}
		slices.Sort(out)
		return slices.Compact(out), cobra.ShellCompDirectiveNoFileComp
	}
}

// resolveTime is how long name servers have to answer.
const resolveTime = 2 * time.Second

// gatewayNames are the addresses of the host names of gateways, as this machine sees
// them; nothing where the clusters are those of a dump, or there are no such names.
func gatewayNames(ctx context.Context, f *command.Frame, hosts []string) probe.Names {
	if f.Dumped() || len(hosts) == 0 {
		return probe.Names{}
	}
	return probe.ThisMachine(resolveTime).Resolve(ctx, hosts)
}
