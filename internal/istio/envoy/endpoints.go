package envoy

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
)

// ReadEndpoints reads the endpoints of those clusters whose names are wanted: from the
// answer of a proxy to
//
//	/config_dump?include_eds&resource=dynamic_endpoint_configs
//
// (Envoy's source/server/admin/config_dump_handler.cc, dumpEndpointConfigs), or of
// istiod to /debug/edsz?proxyID=POD.NAMESPACE (pilot/pkg/xds/debug.go, ConfigDump). A
// cluster that is not among them is one that the proxy does not have. An error means
// that the answer is not one of these, or is too long.
func ReadEndpoints(r io.Reader, wanted func(name string) bool) ([]Cluster, error) {
	s := newScan(r)
	var out []Cluster
	if err := s.dump(wanted, &out); err != nil {
		return nil, fmt.Errorf("the answer is not a list of endpoints: %w", err)
	}
	for i := range out {
		out[i].Endpoints = firsts(out[i].Endpoints)
	}
	slices.SortStableFunc(out, func(a, b Cluster) int { return strings.Compare(a.Name, b.Name) })
	return slices.CompactFunc(out, func(a, b Cluster) bool { return a.Name == b.Name }), nil
}

// dump reads a whole answer. Older istiods give the list alone.
func (s *scan) dump(wanted func(string) bool, out *[]Cluster) error {
	entry := func() error { return s.config(wanted, out, 0) }
	fields, found := 0, false
	token, err := s.next()
	switch {
	case err != nil:
	case token == json.Delim('['):
		found, err = true, s.rest(entry)
	case token == json.Delim('{'):
		err = s.rest(s.field(func(field string) error {
			if fields++; field != "configs" {
				return s.skip()
			}
			found = true
			return s.array(entry)
		}))
	default:
		err = fmt.Errorf("%.40v where a list should be", token)
	}
	switch {
	case errors.Is(err, io.EOF):
		return io.ErrUnexpectedEOF
	case err != nil:
		return err
	case !found && fields > 0:
		return errors.New("it has no configs")
	}
	return s.end()
}

// config reads one entry of a dump: the endpoints of a cluster, these within something,
// or a list of that.
func (s *scan) config(wanted func(string) bool, out *[]Cluster, depth int) error {
	if depth > 2 {
		return errors.New("there are endpoints within endpoints")
	}
	c, named := Cluster{}, false
	err := s.object(func(field string) error {
		switch field {
		case "clustername":
			named = true
			return s.decode(&c.Name, maxEndpoint)
		case "endpoints":
			if named && !wanted(c.Name) {
				return s.skip()
			}
			return s.array(func() error { return s.locality(&c.Endpoints) })
		case "endpointconfig":
			return s.config(wanted, out, depth+1)
		case "dynamicendpointconfigs", "staticendpointconfigs":
			return s.array(func() error { return s.config(wanted, out, depth+1) })
		}
		return s.skip()
	})
	if err == nil && named && wanted(c.Name) {
		*out = append(*out, c)
	}
	return err
}

// locality reads the endpoints of one locality and priority. What they have in common
// may come after them.
func (s *scan) locality(out *[]Endpoint) error {
	from := len(*out)
	var place tree
	var priority, weight float64
	err := s.object(func(field string) error {
		switch field {
		case "locality":
			return s.decode(&place, maxEndpoint)
		case "priority":
			return s.decode(&priority, maxEndpoint)
		case "loadbalancingweight":
			return s.decode(&weight, maxEndpoint)
		case "lbendpoints":
			return s.array(func() error {
				var t tree
				if err := s.decode(&t, maxEndpoint); err != nil {
					return err
				}
				*out = append(*out, newEndpoint(t))
				return s.keep()
			})
		}
		return s.skip()
	})
	for i := from; i < len(*out); i++ {
		e := &(*out)[i]
		e.Locality = locality(place)
		e.Priority = tree{"v": priority}.number("v")
		e.LocalityWeight = tree{"v": weight}.number("v")
	}
	return err
}

func newEndpoint(t tree) Endpoint {
	e := Endpoint{
		Health: cmp.Or(t.text("health_status"), Unknown), Weight: max(t.number("load_balancing_weight"), 1),
		TLSMode: t.at("metadata", "filter_metadata", "envoy.transport_socket_match").text("tlsMode"),
	}
	e.setAddress(t.at("endpoint", "address"))
	if e.Tunnel {
		// What is behind a tunnel, where istiod says so.
		if local := t.at("metadata", "filter_metadata", "envoy.filters.listener.original_dst").text("local"); local != "" {
			e.Address, e.Port = hostPort(local)
		}
	}
	// workload;namespace;canonical name;revision;cluster
	// (pilot/pkg/networking/util/util.go, AppendLbEndpointMetadata).
	if parts := strings.Split(t.at("metadata", "filter_metadata", "istio").text("workload"), ";"); len(parts) >= 5 {
		e.Workload = Workload{Name: parts[0], Namespace: parts[1], Cluster: parts[4]}
	}
	return e
}

func (e *Endpoint) setAddress(t tree) {
	switch socket, internal, pipe := t.at("socket_address"), t.at("envoy_internal_address"), t.at("pipe"); {
	case socket != nil:
		e.Address, e.Port = socket.text("address"), socket.number("port_value")
	case internal != nil:
		// A listener of the proxy itself, which opens the tunnel.
		e.Tunnel = true
		e.Address, e.Port = hostPort(internal.text("endpoint_id"))
	case pipe != nil:
		e.Address = pipe.text("path")
	}
}

// hostPort is net.SplitHostPort for what need not have a port.
func hostPort(s string) (string, uint32) {
	host, text, err := net.SplitHostPort(s)
	if err != nil {
		return s, 0
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return s, 0
	}
	return host, uint32(port)
}

func locality(t tree) string {
	return strings.TrimRight(t.text("region")+"/"+t.text("zone")+"/"+t.text("sub_zone"), "/")
}

// firsts keeps of endpoints with the same address the first, as Envoy does
// (source/extensions/clusters/eds/eds.cc, updateLocalityEndpoints): two localities behind one gateway are
// one endpoint.
func firsts(endpoints []Endpoint) []Endpoint {
	seen := map[string]bool{}
	return slices.DeleteFunc(endpoints, func(e Endpoint) bool {
		twice := seen[e.String()]
		seen[e.String()] = true
		return twice
	})
}
