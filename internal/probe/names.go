package probe

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
)

// Names are host names and where they lead, as this machine's name servers say.
type Names struct {
	// Addresses has every name that was answered; one that does not exist has none.
	Addresses map[string][]string
	// Failed says of the other names why there was no answer.
	Failed map[string]string
}

// Resolve looks names up, side by side: one query of A and one of AAAA each.
func (n Network) Resolve(ctx context.Context, hosts []string) Names {
	out := Names{Addresses: map[string][]string{}, Failed: map[string]string{}}
	slots := make(chan struct{}, atOnce)
	var all sync.WaitGroup
	var mu sync.Mutex
	for _, host := range hosts {
		all.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			addresses, err := n.lookup(ctx, host)
			mu.Lock()
			defer mu.Unlock()
			if err != nil && !errors.Is(err, errNoName) {
				out.Failed[host] = err.Error()
				return
			}
			out.Addresses[host] = addresses
		})
	}
	all.Wait()
	return out
}

var (
	errNoName   = errors.New("there is no such name")
	errNoServer = errors.New("no name server answered in time")
)

// lookup returns the addresses of a name, sorted, at least one. A name with a dot
// is taken for a whole one, as istiod does, which knows no search domains
// (pilot/pkg/model/network.go, resolve).
func (n Network) lookup(ctx context.Context, host string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, n.Timeout)
	defer cancel()
	name := host
	if strings.Contains(name, ".") && !strings.HasSuffix(name, ".") {
		name += "."
	}
	found, err := n.Resolver.LookupNetIP(ctx, "ip", name)
	failure := &net.DNSError{}
	switch {
	case errors.As(err, &failure) && failure.IsNotFound, err == nil && len(found) == 0:
		return nil, errNoName
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &failure) && failure.IsTimeout:
		return nil, errNoServer
	case failure.Err != "":
		return nil, errors.New("the name server says: " + failure.Err)
	case err != nil:
		return nil, errors.New(reason(err))
	}
	var out []string
	for _, a := range found {
		out = append(out, a.Unmap().String())
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}
