package probe

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
)

// What tools say that not every machine has.
func TestParseScript(t *testing.T) {
	sidecar := facts.Probe{Address: "192.0.2.1", Port: 15443, Protocol: "istio", ServerName: "name"}
	for name, c := range map[string]struct {
		out  string
		code int
		want facts.Attempt
	}{
		"nc of OpenBSD": {
			"tool nc\nConnection to 192.0.2.1 15443 port [tcp/*] succeeded!\nended 0\n", 0,
			facts.Attempt{Tool: "nc", Outcome: facts.Opened, Detail: "the tool only connects"},
		},
		"nc of OpenBSD, refused": {
			"tool nc\nnc: connect to 192.0.2.1 port 15443 (tcp) failed: Connection refused\nended 1\n", 0,
			facts.Attempt{Tool: "nc", Outcome: facts.Refused},
		},
		"nc of OpenBSD, no answer": {
			"tool nc\nnc: connect to 192.0.2.1 port 15443 (tcp) timed out: Operation now in progress\nended 1\n", 0,
			facts.Attempt{Tool: "nc", Outcome: facts.Unanswered},
		},
		"nc of busybox": {
			"tool nc\nnc: 192.0.2.1 (192.0.2.1:15443): No route to host\nended 1\n", 0,
			facts.Attempt{Tool: "nc", Outcome: facts.NoRoute},
		},
		"nc without -z": {
			"tool nc\nnc: unrecognized option: z\nBusyBox v1.30.1 multi-call binary.\nended 1\n", 0,
			facts.Attempt{Tool: "nc", Outcome: facts.NotTried, Detail: "what the tool says is not understood: BusyBox v1.30.1 multi-call binary. (code 1)"},
		},
		"wget of busybox, refused": {
			"tool wget\nConnecting to 192.0.2.1:15443 (192.0.2.1:15443)\nwget: can't connect to remote host (192.0.2.1): Connection refused\nended 1\n", 0,
			facts.Attempt{Tool: "wget", Outcome: facts.Refused},
		},
		"wget of busybox, a gateway": {
			"tool wget\nConnecting to 192.0.2.1:15443 (192.0.2.1:15443)\nwget: error getting response: Connection reset by peer\nended 1\n", 0,
			facts.Attempt{Tool: "wget", Outcome: facts.Opened, Detail: "wget cannot ask for the protocol of the mesh"},
		},
		"wget of busybox, no answer": {
			"tool wget\nConnecting to 192.0.2.1:15443 (192.0.2.1:15443)\nwget: download timed out\nended 1\n", 0,
			facts.Attempt{Tool: "wget", Outcome: facts.Unanswered},
		},
		"wget of busybox, a web server": {
			"tool wget\nConnecting to 192.0.2.1:15443 (192.0.2.1:15443)\nwget: server returned error: HTTP/1.1 400 Bad Request\nended 1\n", 0,
			facts.Attempt{Tool: "wget", Outcome: facts.Foreign, Detail: "it answers in plain text, by HTTP"},
		},
		"wget of busybox, no name": {
			"tool wget\nwget: bad address 'gateway.example:15443'\nended 1\n", 0,
			facts.Attempt{Tool: "wget", Outcome: facts.Unresolved},
		},
		"wget of GNU, a gateway": {
			"tool wget\n--2026-01-01 00:00:00--  http://192.0.2.1:15443/\nConnecting to 192.0.2.1:15443... connected.\nHTTP request sent, awaiting response... No data received.\nRetrying.\n\nended 124\n", 0,
			facts.Attempt{Tool: "wget", Outcome: facts.Opened, Detail: "wget cannot ask for the protocol of the mesh"},
		},
		"wget of GNU, a web server": {
			"tool wget\nConnecting to 192.0.2.1:15443... connected.\nHTTP request sent, awaiting response... 404 Not Found\n2026-01-01 00:00:00 ERROR 404: Not Found.\n\nended 8\n", 0,
			facts.Attempt{Tool: "wget", Outcome: facts.Foreign, Detail: "it answers in plain text, by HTTP"},
		},
		"openssl, no name": {
			"tool openssl\n40E7:error:10080002:BIO routines:BIO_lookup_ex:system lib:../crypto/bio/bio_addr.c:738:Name or service not known\nconnect:errno=22\nended 1\n", 0,
			facts.Attempt{Tool: "openssl", Outcome: facts.Unresolved},
		},
		"openssl 3.2, refused": {
			"tool openssl\nConnecting to 192.0.2.1\n80EB:error:8000006F:system library:BIO_connect:Connection refused:crypto/bio/bio_sock2.c:178:calling connect()\nconnect:errno=111\nended 1\n", 0,
			facts.Attempt{Tool: "openssl", Outcome: facts.Refused},
		},
		"openssl 1.1, reset": {
			"tool openssl\nCONNECTED(00000003)\nwrite:errno=104\n---\nno peer certificate available\n---\nended 1\n", 0,
			facts.Attempt{Tool: "openssl", Outcome: facts.Reset},
		},
		"openssl 1.1, alert": {
			"tool openssl\nCONNECTED(00000003)\n1403:error:14094460:SSL routines:ssl3_read_bytes:reason(1120):../ssl/record/rec_layer_s3.c:1544:SSL alert number 120\nwithout protocol\nnothing\nended 1\n", 0,
			facts.Attempt{Tool: "openssl", Outcome: facts.Foreign, Detail: "it refuses TLS: number 120"},
		},
		"curl, an ambient gateway that has closed the connection": {
			"tool curl\n* Connected to 192.0.2.1 (192.0.2.1) port 15008 (#0)\n* Server certificate:\n*  subject: [NONE]\n*  issuer: O=Istio\n* Send failure: Broken pipe\n* Failed sending HTTP request\nended 55\n", 0,
			facts.Attempt{Tool: "curl", Outcome: facts.Opened, Detail: "curl cannot ask for the protocol of the mesh"},
		},
		"nothing": {
			"tool none\n", 0,
			facts.Attempt{Outcome: facts.NotTried, Detail: "the container has nothing to try it with: openssl, curl, bash, nc and wget by sh, and pilot-agent were looked for"},
		},
		"a shell that fails": {
			"sh: syntax error\n", 2,
			facts.Attempt{Outcome: facts.NotTried, Detail: "the shell of the container ended with code 2: sh: syntax error"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, parseScript(sidecar, c.out, c.code)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// What other versions of curl say of istiod.
func TestParseCurlHTTP2(t *testing.T) {
	plane := facts.Probe{Address: "192.0.2.1", Port: 15012, Protocol: "h2", ServerName: "istiod.istio-system.svc"}
	for name, c := range map[string]struct {
		out  string
		want facts.Attempt
	}{
		"before 7.88": {
			"* Connected to (nil) (192.0.2.1) port 15012 (#0)\n* Server certificate:\n*  subject: [NONE]\n*  issuer: O=Istio\n< HTTP/2 415\n\ncurl: unknown --write-out variable: 'certs'\nended 0\n",
			facts.Attempt{Tool: "curl", Outcome: facts.Opened, Detail: "this curl does not show certificates"},
		},
		"an alert": {
			"* Connected to (nil) (192.0.2.1) port 15012 (#0)\n* OpenSSL: error:1409442E:SSL routines:ssl3_read_bytes:tlsv1 alert protocol version\nended 35\n",
			facts.Attempt{Tool: "curl", Outcome: facts.Opened, Detail: "what came of TLS curl does not tell"},
		},
		"8, no connection in time": {
			"*   Trying 192.0.2.1:15012...\n* Connection timed out after 1001 milliseconds\n* closing connection #0\nended 28\n",
			facts.Attempt{Tool: "curl", Outcome: facts.Unanswered},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, parseScript(plane, "tool curl\n"+c.out, 0)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Without a shell it is pilot-agent that connects.
func TestPilotAgent(t *testing.T) {
	const before = "2026-01-01T00:00:00Z\tinfo\tWaiting for Envoy proxy to be ready (timeout: 2 seconds)...\n"
	const last = before + "Error: timeout waiting for Envoy proxy to become ready. Last error: "
	for name, c := range map[string]struct {
		out  string
		want facts.Attempt
	}{
		"gateway":      {last + `Get "http://192.0.2.1:15443/": EOF`, facts.Attempt{Outcome: facts.Opened, Detail: "pilot-agent cannot ask for the protocol of the mesh"}},
		"refused":      {last + `Get "http://192.0.2.1:15443/": dial tcp 192.0.2.1:15443: connect: connection refused`, facts.Attempt{Outcome: facts.Refused}},
		"no answer":    {last + `Get "http://192.0.2.1:15443/": context deadline exceeded (Client.Timeout exceeded while awaiting headers)`, facts.Attempt{Outcome: facts.Unanswered}},
		"no name":      {last + `Get "http://gw.example:15443/": dial tcp: lookup gw.example on 10.96.0.10:53: no such host`, facts.Attempt{Outcome: facts.Unresolved}},
		"a web server": {last + "HTTP status code 400", facts.Attempt{Outcome: facts.Foreign, Detail: "it answers in plain text, by HTTP"}},
		"a good one":   {before + "2026-01-01T00:00:00Z\tinfo\tEnvoy is ready!\n", facts.Attempt{Outcome: facts.Foreign, Detail: "it answers in plain text, by HTTP"}},
		"no sense":     {"panic", facts.Attempt{Outcome: facts.NotTried, Detail: "what the tool says is not understood: panic (code -1)"}},
	} {
		t.Run(name, func(t *testing.T) {
			var commands [][]string
			run := func(_ context.Context, command []string) (Output, error) {
				commands = append(commands, command)
				if command[0] == "sh" {
					return Output{Stderr: []byte(`OCI runtime exec failed: exec: "sh": executable file not found in $PATH`), Code: 127}, nil
				}
				return Output{Stdout: []byte(c.out), Code: 1}, nil
			}
			c.want.Tool, c.want.Probe = "pilot-agent", facts.Probe{Address: "fd00::1", Port: 15443}
			got := FromPod(t.Context(), facts.Vantage{}, run, 2*time.Second, []facts.Probe{c.want.Probe})
			if diff := cmp.Diff([][]facts.Attempt{{c.want}}, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if len(commands) != 2 || !slices.Contains(commands[1], "http://[fd00::1]:15443/") {
				t.Errorf("commands %q", commands)
			}
		})
	}
}

func TestPodsThatCannotTry(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		ctx  context.Context
		err  error
		code int
		want string
	}{
		"nothing there":      {t.Context(), nil, 127, "the container has nothing to try it with: " + tools + " were looked for"},
		"nothing, as error":  {t.Context(), errors.New(`exec sh: exec: "sh": executable file not found in $PATH: unknown`), 0, "the container has nothing to try it with: " + tools + " were looked for"},
		"forbidden":          {t.Context(), errors.New("exec sh in pod shop/cart: forbidden"), 0, "exec sh in pod shop/cart: forbidden"},
		"no time":            {ended, context.Canceled, 0, "there was no time left to try it: a longer --timeout gives more"},
		"a shell that fails": {t.Context(), nil, 1, "the shell of the container ended with code 1: nothing"},
	} {
		t.Run(name, func(t *testing.T) {
			run := func(context.Context, []string) (Output, error) { return Output{Code: c.code}, c.err }
			got := FromPod(c.ctx, facts.Vantage{}, run, time.Second, make([]facts.Probe, 1))
			if diff := cmp.Diff([][]facts.Attempt{{{Outcome: facts.NotTried, Detail: c.want}}}, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Whatever a pod prints there is an outcome and one short line.
func FuzzParse(f *testing.F) {
	for _, tool := range []string{"openssl", "curl", "wget", "nc", "bash", "none"} {
		f.Add("tool "+tool+"\nCONNECTED(00000003)\nsubject: CN=x\nalert x\nended 1\n", 0)
		f.Add("tool "+tool+"\nawaiting response... 200\nConnected to \nended 124", 1)
	}
	f.Add("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", 0)
	f.Add("Last error: EOF", 0)
	f.Fuzz(func(t *testing.T, out string, code int) {
		for _, a := range []facts.Attempt{
			parseScript(facts.Probe{Protocol: "istio"}, out, code), parseScript(facts.Probe{}, out, code), parseScript(facts.Probe{Protocol: "h2"}, out, code), parsePilotAgent(out),
		} {
			if a.Outcome == "" || (a.Outcome == facts.Answered) != (len(a.Certificates) > 0 && a.Outcome != facts.Foreign) {
				t.Errorf("%+v", a)
			}
			if len([]rune(a.Detail)) > 400 || strings.ContainsAny(a.Detail, "\n\r\x1b") || !utf8.ValidString(a.Detail) {
				t.Errorf("detail %q", a.Detail)
			}
		}
	})
}
