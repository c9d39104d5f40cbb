package mesh

import (
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"

	"istio.io/istio/pilot/pkg/model"
	istiolog "istio.io/istio/pkg/log"
)

// names are the host names that istiod resolves here, and nowhere else.
var names struct {
	sync.RWMutex
	of map[string][]string
}

// resolve adds host names.
func resolve(hosts map[string][]string) {
	names.Lock()
	defer names.Unlock()
	for host, addresses := range hosts {
		names.of[host] = addresses
	}
}

func TestMain(m *testing.M) {
	for _, scope := range istiolog.Scopes() {
		scope.SetOutputLevel(istiolog.NoneLevel)
	}
	names.of = map[string][]string{}
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	server := &dns.Server{PacketConn: conn, Handler: dns.HandlerFunc(answer)}
	go func() { _ = server.ActivateAndServe() }()
	model.NetworkGatewayTestDNSServers = []string{conn.LocalAddr().String()}
	m.Run()
	_ = server.Shutdown()
}

func answer(w dns.ResponseWriter, question *dns.Msg) {
	names.RLock()
	defer names.RUnlock()
	reply := new(dns.Msg)
	reply.SetReply(question)
	for _, q := range question.Question {
		addresses, ok := names.of[strings.TrimSuffix(q.Name, ".")]
		if !ok {
			reply.Rcode = dns.RcodeNameError
		}
		for _, a := range addresses {
			header := dns.RR_Header{Name: q.Name, Rrtype: q.Qtype, Class: dns.ClassINET, Ttl: 3600}
			switch ip := net.ParseIP(a); {
			case q.Qtype == dns.TypeA && ip.To4() != nil:
				reply.Answer = append(reply.Answer, &dns.A{Hdr: header, A: ip})
			case q.Qtype == dns.TypeAAAA && ip.To4() == nil:
				reply.Answer = append(reply.Answer, &dns.AAAA{Hdr: header, AAAA: ip})
			}
		}
	}
	_ = w.WriteMsg(reply)
}
