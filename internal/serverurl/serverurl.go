// Package serverurl compares and shows the URLs of API servers.
package serverurl

import (
	"net"
	"net/url"
	"strings"
	"sync"
)

// Key is equal for URLs of the same API server, whatever the case of the host,
// a default port or a trailing slash; it is "" for what is not the URL of one.
func Key(server string) string {
	if key, ok := keys.Load(server); ok {
		return key.(string)
	}
	key := keyOf(server)
	keys.Store(server, key)
	return key
}

// keys are those that were asked for: in a fleet of a hundred clusters each remote secret is compared
// with every cluster, more than once.
var keys sync.Map

func keyOf(server string) string {
	server = strings.TrimSpace(server)
	if server != "" && !strings.Contains(server, "://") {
		server = "https://" + server // as client-go takes an address without scheme
	}
	u, err := url.Parse(server)
	if err != nil || u.Hostname() == "" {
		return ""
	}
	scheme := strings.ToLower(u.Scheme)
	port := u.Port()
	if port == "" {
		switch scheme {
		case "https":
			port = "443"
		case "http":
			port = "80"
		}
	}
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	if ip := net.ParseIP(host); ip != nil {
		host = ip.String() // one spelling of an IPv6 address
	}
	return scheme + "://" + net.JoinHostPort(host, port) + strings.TrimRight(u.EscapedPath(), "/")
}

// Same reports whether two URLs name one API server.
func Same(a, b string) bool {
	key := Key(a)
	return key != "" && key == Key(b)
}

// Shown is a server's URL without credentials, fit to be shown; "" when it
// cannot be told from one with credentials.
func Shown(server string) string {
	if server == "" {
		return ""
	}
	prefix := ""
	if !strings.Contains(server, "://") && !strings.HasPrefix(server, "//") {
		prefix = "https://" // as client-go takes an address without scheme
	}
	u, err := url.Parse(prefix + server)
	if err != nil {
		// It may be a URL with a password that is not quoted as it should be.
		if strings.ContainsAny(server, "@?") {
			return ""
		}
		return server
	}
	u.User, u.RawQuery, u.ForceQuery, u.Fragment = nil, "", false, ""
	shown := strings.TrimPrefix(u.String(), prefix)
	if (u.Host == "" || prefix != "") && strings.Contains(shown, "@") {
		return "" // a URL with too few slashes: what looks like its path are credentials
	}
	return shown
}
