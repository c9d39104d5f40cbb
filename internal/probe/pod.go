package probe

import (
	"context"
	_ "embed" // the script
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/printable"
)

// Output is what a command in a pod printed, and its exit code.
type Output struct {
	Stdout, Stderr []byte
	Code           int
}

// Run runs a command in the container of a pod. An error means that it did not
// run to its end.
type Run func(ctx context.Context, command []string) (Output, error)

// OutputLimit is how much of a command's output is of use, in bytes.
const OutputLimit = 1 << 18

// podAtOnce is how many commands run in one pod at the same time: containers
// often have little of a processor.
const podAtOnce = 4

// script tries an address with the first tool that the container has; what it is
// told comes as arguments.
//
//go:embed try.sh
var script string

// tools are what the script looks for, and what is tried without a shell.
const tools = "openssl, curl, bash, nc and wget by sh, and pilot-agent"

// FromPod tries all addresses by commands in a pod: one for each, and one more
// where the container has no shell. Host names are resolved there. wait is for
// each attempt; commands take whole seconds.
func FromPod(ctx context.Context, from facts.Vantage, run Run, wait time.Duration, probes []facts.Probe) [][]facts.Attempt {
	seconds := strconv.Itoa(max(1, int(wait.Round(time.Second)/time.Second)))
	out := make([][]facts.Attempt, len(probes))
	slots := make(chan struct{}, podAtOnce)
	var all sync.WaitGroup
	for i, p := range probes {
		all.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			a := tryInPod(ctx, run, seconds, p)
			a.Probe, a.From = p, from
			out[i] = []facts.Attempt{a}
		})
	}
	all.Wait()
	return out
}

func tryInPod(ctx context.Context, run Run, seconds string, p facts.Probe) facts.Attempt {
	port := strconv.Itoa(int(p.Port))
	o, err := run(ctx, []string{"sh", "-c", script, "sh", p.Address, port, p.ServerName, p.Protocol, seconds})
	if !absent(o, err) {
		if err != nil {
			return notRun(ctx, err)
		}
		return parseScript(p, string(o.Stdout), o.Code)
	}
	address := p.String()
	o, err = run(ctx, []string{
		"pilot-agent", "wait", "--url", "http://" + address + "/", "--timeoutSeconds", seconds,
		"--requestTimeoutMillis", seconds + "000", "--periodMillis", "200",
	})
	if absent(o, err) {
		return facts.Attempt{Outcome: facts.NotTried, Detail: "the container has nothing to try it with: " + tools + " were looked for"}
	}
	if err != nil {
		return notRun(ctx, err)
	}
	return parsePilotAgent(string(o.Stdout) + "\n" + string(o.Stderr))
}

func notRun(ctx context.Context, err error) facts.Attempt {
	if ctx.Err() != nil {
		return facts.Attempt{Outcome: facts.NotTried, Detail: "there was no time left to try it: a longer --timeout gives more"}
	}
	return facts.Attempt{Outcome: facts.NotTried, Detail: printable.Line(err.Error())}
}

// absent reports whether a container has no such command, which runtimes say in
// several ways.
func absent(o Output, err error) bool {
	if err != nil {
		text := err.Error()
		return strings.Contains(text, "executable file not found") || strings.Contains(text, "no such file or directory")
	}
	return (o.Code == 126 || o.Code == 127 || o.Code == 128) && !strings.HasPrefix(string(o.Stdout), "tool ")
}

// parseScript reads what the script printed.
func parseScript(p facts.Probe, out string, code int) facts.Attempt {
	first, rest, _ := strings.Cut(out, "\n")
	tool, ok := strings.CutPrefix(strings.TrimSpace(first), "tool ")
	if !ok {
		return facts.Attempt{
			Outcome: facts.NotTried,
			Detail:  fmt.Sprintf("the shell of the container ended with code %d: %s", code, clip(lastLine(out))),
		}
	}
	ended := -1
	if at := strings.LastIndex(rest, "ended "); at >= 0 {
		if n, err := strconv.Atoi(strings.TrimSpace(rest[at+len("ended "):])); err == nil {
			ended, rest = n, rest[:at]
		}
	}
	var a facts.Attempt
	switch tool {
	case "openssl":
		a = parseOpenSSL(rest, ended)
	case "curl":
		a = parseCurl(rest, ended, p.Protocol)
	case "wget":
		a = parseWget(rest, ended)
	case "bash", "nc":
		a = parseConnect(rest, ended)
	default:
		return facts.Attempt{Outcome: facts.NotTried, Detail: "the container has nothing to try it with: " + tools + " were looked for"}
	}
	a.Tool = tool
	return a
}

// timedOut reports whether a command was ended for taking too long: by timeout,
// or by the signal.
func timedOut(code int) bool { return code == 124 || code == 143 || code == 137 }
