package ads

import (
	"cmp"
	"net/http"
	"time"

	adminv3 "github.com/envoyproxy/go-control-plane/envoy/admin/v3"
	"google.golang.org/protobuf/types/known/durationpb"
)

// serveReady says that the proxy is up: it is no sooner than it has been told
// everything.
func (a *Admin) serveReady(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=UTF-8")
	_, _ = w.Write([]byte(adminv3.ServerInfo_LIVE.String() + "\n"))
}

// serveServerInfo says who the proxy is.
func (a *Admin) serveServerInfo(w http.ResponseWriter, _ *http.Request) {
	proxy := a.source.Config().Proxy
	node, err := proxy.node()
	if err != nil {
		answerError(w, http.StatusInternalServerError, err.Error())
		return
	}
	uptime := durationpb.New(time.Since(a.started).Truncate(time.Second))
	answerJSON(w, &adminv3.ServerInfo{
		Version:            version(proxy),
		State:              adminv3.ServerInfo_LIVE,
		UptimeCurrentEpoch: uptime,
		UptimeAllEpochs:    uptime,
		HotRestartVersion:  "disabled",
		Node:               node,
	}, true)
}

// version has the five parts of a version of Envoy: revision, version, state of
// the sources, kind of build, TLS library.
func version(proxy Proxy) string {
	const revision = "0000000000000000000000000000000000000000"
	return revision + "/" + cmp.Or(proxy.IstioVersion, DefaultIstioVersion) + "/Clean/RELEASE/none"
}
