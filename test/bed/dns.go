package bed

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"

	"golang.org/x/net/dns/dnsmessage"
)

// nameServer is a DNS server on a port of 127.0.0.1 that knows some names, and
// says of all others that they do not exist.
type nameServer struct {
	conn    net.PacketConn
	hosts   map[string][]string
	running sync.WaitGroup
}

// startNameServer starts a server that knows the addresses of hosts.
func startNameServer(hosts map[string][]string) (*nameServer, error) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start the name server: %w", err)
	}
	s := &nameServer{conn: conn, hosts: map[string][]string{}}
	for name, addresses := range hosts {
		s.hosts[strings.ToLower(strings.TrimSuffix(name, "."))+"."] = addresses
	}
	s.running.Go(s.serve)
	return s, nil
}

// address is the host and port of the server.
func (s *nameServer) address() string { return s.conn.LocalAddr().String() }

// close ends the server.
func (s *nameServer) close() {
	_ = s.conn.Close()
	s.running.Wait()
}

// serve answers questions until the server is closed.
func (s *nameServer) serve() {
	buffer := make([]byte, 4096)
	for {
		n, client, err := s.conn.ReadFrom(buffer)
		if err != nil {
			return
		}
		var question dnsmessage.Message
		if question.Unpack(buffer[:n]) != nil || len(question.Questions) != 1 {
			continue
		}
		if answer, err := s.answer(question).Pack(); err == nil {
			_, _ = s.conn.WriteTo(answer, client)
		}
	}
}

// answer is the answer to a question.
func (s *nameServer) answer(question dnsmessage.Message) *dnsmessage.Message {
	asked := question.Questions[0]
	addresses, known := s.hosts[strings.ToLower(asked.Name.String())]
	answer := &dnsmessage.Message{
		Header:    dnsmessage.Header{ID: question.ID, Response: true, Authoritative: true},
		Questions: question.Questions,
	}
	if !known {
		answer.RCode = dnsmessage.RCodeNameError
	}
	for _, address := range addresses {
		ip, err := netip.ParseAddr(address)
		if err != nil {
			continue
		}
		header := dnsmessage.ResourceHeader{Name: asked.Name, Class: dnsmessage.ClassINET, TTL: 300}
		switch {
		case asked.Type == dnsmessage.TypeA && ip.Is4():
			answer.Answers = append(answer.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AResource{A: ip.As4()}})
		case asked.Type == dnsmessage.TypeAAAA && ip.Is6():
			answer.Answers = append(answer.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AAAAResource{AAAA: ip.As16()}})
		}
	}
	return answer
}
