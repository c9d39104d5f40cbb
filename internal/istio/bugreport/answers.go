package bugreport

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/kubectl-mesh/kubectl-mesh/internal/input"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/envoy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/podaccess"
)

// answers are what pods said: istiod's debug pages in istio/NAMESPACE/POD, what proxies said in
// proxies/NAMESPACE/POD (tools/bug-report/pkg/common/common.go, IstiodDebugURLs and ProxyDebugURLs).
type answers struct {
	files *input.Files
	// debug reads the pages of all istiods that are asked for here, in one go: an archive is gone through
	// from its beginning for each read.
	debug func() (map[string][]byte, error)
}

func newAnswers(files *input.Files) answers {
	return answers{files, sync.OnceValues(func() (map[string][]byte, error) {
		var wanted []string
		for _, p := range files.Paths() {
			if strings.HasPrefix(p, "istio/") && slices.Contains(pages, path.Base(p)) && path.Base(path.Dir(p)) == "debug" {
				wanted = append(wanted, p)
			}
		}
		out := map[string][]byte{}
		err := files.Each(wanted, func(p string, text []byte, err error) {
			if err == nil {
				out[p] = text
			}
		})
		return out, err
	})}
}

// pages are those of istiod's debug interface that are asked for.
var pages = []string{"clusterz", "endpointShardz", "syncz", "ambientz", "networkz"}

// dumpFile has everything that a proxy says of its configuration, with endpoints and certificates.
const dumpFile = "config_dump?include_eds"

// Answer is what a pod said. istioctl asks proxies for everything, and here one part of it is asked for.
func (a answers) Answer(pod podaccess.Pod, at string) ([]byte, error) {
	if strings.HasPrefix(at, "/debug/") {
		said, err := a.debug()
		if err != nil {
			return nil, err
		}
		if text, ok := said[path.Join("istio", pod.Namespace, pod.Name, at)]; ok {
			return text, nil
		}
		return nil, podaccess.ErrUnanswered
	}
	switch u, err := url.Parse(at); {
	case err != nil:
		return nil, podaccess.ErrUnanswered
	case at == envoy.HealthPath:
		text, err := a.proxy(pod, "clusters")
		if err != nil {
			return nil, err
		}
		return health(text)
	case u.Path == "/config_dump" && u.Query().Get("resource") != "":
		text, err := a.proxy(pod, dumpFile)
		if err != nil {
			return nil, err
		}
		return part(text, u.Query().Get("resource"))
	}
	return nil, podaccess.ErrUnanswered
}

func (a answers) proxy(pod podaccess.Pod, name string) ([]byte, error) {
	full := path.Join("proxies", pod.Namespace, pod.Name, name)
	if !a.files.Has(full) {
		return nil, podaccess.ErrUnanswered
	}
	return a.files.Text(full)
}

// part takes one list of resources out of a whole configuration dump, as a proxy gives it where it is
// asked for that list alone (Envoy's source/server/admin/config_dump_handler.cc).
func part(text []byte, list string) ([]byte, error) {
	var whole struct {
		Configs []map[string]json.RawMessage `json:"configs"`
	}
	if err := json.Unmarshal(text, &whole); err != nil {
		return nil, errors.New("what the proxy said is not JSON")
	}
	out := struct {
		Configs []json.RawMessage `json:"configs"`
	}{Configs: []json.RawMessage{}}
	for _, section := range whole.Configs {
		var entries []json.RawMessage
		if raw := section[list]; raw != nil && json.Unmarshal(raw, &entries) != nil {
			return nil, fmt.Errorf("%s is not a list", list)
		}
		out.Configs = append(out.Configs, entries...)
	}
	return json.Marshal(out)
}

// flagsInWords are the flags of unhealthy endpoints, by what /clusters calls them in text and in JSON
// (Envoy's source/common/upstream/upstream_impl.cc, HEALTH_FLAG_ENUM_VALUES; source/server/admin/clusters_handler.cc).
var flagsInWords = map[string]string{
	"failed_active_hc":               "failed_active_health_check",
	"failed_outlier_check":           "failed_outlier_check",
	"degraded_active_hc":             "failed_active_degraded_check",
	"pending_dynamic_removal":        "pending_dynamic_removal",
	"pending_active_hc":              "pending_active_hc",
	"excluded_via_immediate_hc_fail": "excluded_via_immediate_hc_fail",
	"active_hc_timeout":              "active_hc_timeout",
	"degraded_outlier_detection":     "failed_degraded_outlier_detection",
}

// eds are what the control plane said of an endpoint.
var eds = map[string]string{
	"failed_eds_health": "UNHEALTHY", "degraded_eds_health": "DEGRADED", "eds_status_draining": "DRAINING",
}

// health makes of the text of /clusters what a proxy says in JSON of the health of its endpoints. An
// endpoint that is not an address is left out.
func health(text []byte) ([]byte, error) {
	type host struct {
		Address map[string]any `json:"address"`
		Health  map[string]any `json:"health_status"`
	}
	type status struct {
		Name  string `json:"name"`
		Hosts []host `json:"host_statuses"`
	}
	var out struct {
		Statuses []*status `json:"cluster_statuses"`
	}
	out.Statuses = []*status{}
	of := map[string]*status{}
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, len(text)+1)
	for lines.Scan() {
		before, flags, ok := strings.Cut(lines.Text(), "::health_flags::")
		if !ok {
			continue
		}
		name, address, ok := strings.Cut(before, "::")
		if !ok {
			continue
		}
		ip, port, err := net.SplitHostPort(address)
		number, failed := strconv.ParseUint(port, 10, 16)
		if err != nil || failed != nil {
			continue
		}
		h := host{
			Address: map[string]any{"socket_address": map[string]any{"address": ip, "port_value": number}},
			Health:  map[string]any{"eds_health_status": "HEALTHY"},
		}
		for flag := range strings.SplitSeq(strings.Trim(strings.TrimSpace(flags), "/"), "/") {
			if told, ok := eds[flag]; ok {
				h.Health["eds_health_status"] = told
			}
			if words, ok := flagsInWords[flag]; ok {
				h.Health[words] = true
			}
		}
		if of[name] == nil {
			of[name] = &status{Name: name}
			out.Statuses = append(out.Statuses, of[name])
		}
		of[name].Hosts = append(of[name].Hosts, h)
	}
	return json.Marshal(out)
}
