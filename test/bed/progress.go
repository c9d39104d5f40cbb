package bed

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// progress tells somebody that a build goes on, and for how long: a line that is
// kept up to date on a terminal, a line now and then elsewhere.
type progress struct {
	log      io.Writer
	name     string
	started  time.Time
	terminal bool
	quit     chan struct{}
	ended    sync.WaitGroup
}

func startProgress(log io.Writer, name string) *progress {
	p := &progress{
		log:      log,
		name:     name,
		started:  time.Now(),
		terminal: isTerminal(log),
		quit:     make(chan struct{}),
	}
	if !p.terminal {
		fmt.Fprintf(log, "building %s (the first build takes minutes, later ones nothing)\n", name)
	}
	p.ended.Go(p.tell)
	return p
}

// tell tells until the build ends.
func (p *progress) tell() {
	interval := 15 * time.Second
	if p.terminal {
		interval = time.Second
	}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-p.quit:
			return
		case <-ticker.C:
			if p.terminal {
				fmt.Fprintf(p.log, "\r\033[Kbuilding %s (the first build takes minutes): %s", p.name, p.elapsed())
			} else {
				fmt.Fprintf(p.log, "building %s: %s\n", p.name, p.elapsed())
			}
		}
	}
}

// end says that the build has ended.
func (p *progress) end() {
	close(p.quit)
	p.ended.Wait()
	start := ""
	if p.terminal {
		start = "\r\033[K"
	}
	fmt.Fprintf(p.log, "%sbuilding %s ended after %s\n", start, p.name, p.elapsed())
}

func (p *progress) elapsed() time.Duration { return time.Since(p.started).Round(time.Second) }

// isTerminal reports whether somebody watches what is written to w.
func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
