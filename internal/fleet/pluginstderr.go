package fleet

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"k8s.io/client-go/pkg/apis/clientauthentication"
	"k8s.io/client-go/rest"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/utils/dump"

	"github.com/kubectl-mesh/kubectl-mesh/internal/printable"
)

// pluginStderr is what an exec credential plugin writes to its stderr. A plugin
// that fails says there why, and client-go reports only its exit code; a plugin
// that waits for the user (a page to open, a code to enter) says there for what.
// So the last line becomes part of the reason, and what was written is shown
// when the plugin keeps the run waiting, but not when it ends soon.
type pluginStderr struct {
	w       *os.File // the plugin's end of the pipe
	command string

	mu       sync.Mutex
	out      io.Writer // where to show it
	raw      bool      // the plugin talks with the user: show it at once, as it is
	contexts map[string]bool
	running  int    // members that may be waiting for the plugin
	tail     []byte // the end of what it wrote since running was last 0
	pending  []byte // of that, what was not shown
	show     *time.Timer
	carry    []byte // the beginning of a mark
	marks    map[string]chan struct{}
	nextMark int
}

const (
	showAfter = time.Second // until a plugin's words are shown
	tailSize  = 4 << 10
	markSize  = 24 // more than the longest mark
)

// captured are the pipes of all plugins, by the key under which client-go keeps
// their authenticators: those live as long as the process, and so do these.
var captured = struct {
	sync.Mutex
	byKey map[string]*pluginStderr
}{byKey: map[string]*pluginStderr{}}

// capture redirects the stderr of a config's exec plugin. client-go takes it
// from os.Stderr when it first sees a plugin's configuration and offers no other
// way to set it; that moment is brought about here, while nothing of the run is
// going on side by side. It returns nil where it cannot be redirected: the
// plugin then writes to the process's own stderr.
func capture(config *rest.Config, context string, out io.Writer, raw bool) *pluginStderr {
	var cluster *clientauthentication.Cluster
	if config.ExecProvider.ProvideClusterInfo {
		var err error
		if cluster, err = rest.ConfigToExecCluster(config); err != nil {
			return nil
		}
	}
	key := dump.Pretty(struct {
		*clientcmdapi.ExecConfig
		*clientauthentication.Cluster
	}{config.ExecProvider, cluster})

	captured.Lock()
	defer captured.Unlock()
	p := captured.byKey[key]
	if p == nil {
		r, w, err := os.Pipe()
		if err != nil {
			return nil
		}
		p = &pluginStderr{w: w, command: config.ExecProvider.Command, contexts: map[string]bool{}, marks: map[string]chan struct{}{}}
		processStderr := os.Stderr
		os.Stderr = w
		_, err = config.TransportConfig()
		os.Stderr = processStderr
		if err != nil {
			_ = w.Close()
			_ = r.Close()
			return nil
		}
		captured.byKey[key] = p
		go p.read(r)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.out, p.raw = out, raw
	p.contexts[context] = true
	return p
}

// begin says that a member may now wait for the plugin.
func (p *pluginStderr) begin() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running == 0 {
		p.tail, p.pending = nil, nil
	}
	p.running++
}

// end says that a member no longer waits, and whether it has something to
// explain: then end returns the last line that the plugin wrote.
func (p *pluginStderr) end(failed bool) string {
	if p == nil {
		return ""
	}
	if failed {
		p.catchUp()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running--; p.running == 0 {
		p.pending = nil
		if p.show != nil {
			p.show.Stop()
			p.show = nil
		}
	}
	if !failed {
		return ""
	}
	lines := bytes.Split(p.tail, []byte("\n"))
	for i := len(lines) - 1; i >= 0; i-- {
		line := strings.TrimSpace(redact(printable.Line(string(bytes.TrimSpace(lines[i])))))
		if line != "" {
			return clip(line, maxQuote)
		}
	}
	return ""
}

// catchUp waits until everything that is in the pipe now has been read, by
// sending a mark after it.
func (p *pluginStderr) catchUp() {
	p.mu.Lock()
	p.nextMark++
	mark := "mark" + strconv.Itoa(p.nextMark)
	seen := make(chan struct{})
	p.marks[mark] = seen
	p.mu.Unlock()
	// In a goroutine of its own: a full pipe must not hold up the run.
	go func() { _, _ = p.w.WriteString("\x00" + mark + "\x00") }()
	select {
	case <-seen:
	case <-time.After(100 * time.Millisecond):
	}
}

func (p *pluginStderr) read(r *os.File) {
	buf := make([]byte, 4<<10)
	for {
		n, err := r.Read(buf)
		p.mu.Lock()
		p.take(buf[:n])
		p.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// take separates marks from what the plugin wrote.
func (p *pluginStderr) take(chunk []byte) {
	data := slices.Concat(p.carry, chunk)
	p.carry = nil
	for {
		i := bytes.IndexByte(data, 0)
		if i < 0 {
			p.wrote(data)
			return
		}
		p.wrote(data[:i])
		data = data[i:]
		j := bytes.IndexByte(data[1:], 0)
		if j < 0 && len(data) <= markSize {
			p.carry = bytes.Clone(data)
			return
		}
		if j >= 0 {
			mark := string(data[1 : 1+j])
			if seen, ok := p.marks[mark]; ok {
				close(seen)
				delete(p.marks, mark)
				data = data[1+j+1:]
				continue
			}
		}
		data = data[1:] // a zero byte of the plugin's own
	}
}

func (p *pluginStderr) wrote(data []byte) {
	if len(data) == 0 {
		return
	}
	p.tail = append(p.tail, data...)
	p.tail = bytes.Clone(p.tail[max(0, len(p.tail)-tailSize):])
	if p.raw {
		_, _ = p.out.Write(data)
		return
	}
	if p.running == 0 {
		return
	}
	p.pending = append(p.pending, data...)
	p.pending = p.pending[max(0, len(p.pending)-tailSize):]
	if p.show == nil {
		p.show = time.AfterFunc(showAfter, p.shown)
	}
}

// shown shows what the plugin wrote and the user has not seen.
func (p *pluginStderr) shown() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.show = nil
	who := filepath.Base(p.command)
	if len(p.contexts) == 1 {
		for context := range p.contexts {
			who = context
		}
	}
	var text strings.Builder
	for line := range strings.Lines(string(p.pending)) {
		if line = strings.TrimSpace(printable.Line(strings.TrimRight(line, "\r\n"))); line != "" {
			fmt.Fprintf(&text, "%s: %s\n", printable.Line(who), line)
		}
	}
	p.pending = nil
	_, _ = io.WriteString(p.out, text.String())
}
