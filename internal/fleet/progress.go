package fleet

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"golang.org/x/term"
	"golang.org/x/text/width"

	"github.com/kubectl-mesh/kubectl-mesh/internal/printable"
)

const (
	progressAfter = time.Second // before that, a line would only flicker
	progressEvery = 120 * time.Millisecond
	defaultWidth  = 80
)

// Terminal shows on one line of a terminal which clusters a run is waiting for,
// from one second on, and erases that line when none is left. What else is
// written to the terminal in the meantime has to go through it.
type Terminal struct {
	w     io.Writer
	width func() int // 0 when unknown
	quiet bool

	mu      sync.Mutex
	total   int
	waiting []string
	frame   int
	drawn   int  // columns of the line on screen
	midline bool // what was written last did not end its line
	stop    chan struct{}
	stopped chan struct{}
}

var _ Progress = (*Terminal)(nil)

// NewTerminal returns a Terminal that draws on w, which has width() columns.
func NewTerminal(w io.Writer, width func() int) *Terminal {
	return &Terminal{w: w, width: width}
}

// ProgressOn returns a Terminal for stderr that draws if stderr is a terminal,
// and otherwise only passes on what is written to it.
func ProgressOn(stderr io.Writer) *Terminal {
	file, ok := stderr.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) || os.Getenv("TERM") == "dumb" {
		return &Terminal{w: stderr, quiet: true}
	}
	return NewTerminal(file, func() int {
		columns, _, err := term.GetSize(int(file.Fd()))
		if err != nil {
			return 0
		}
		return columns
	})
}

// Columns is how wide the terminal is; 0 where there is none, or it is not known.
func (t *Terminal) Columns() int {
	if t.width == nil {
		return 0
	}
	return t.width()
}

// Started adds contexts to those that are waited for.
func (t *Terminal) Started(contexts []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.total += len(contexts)
	for _, c := range contexts {
		t.waiting = append(t.waiting, printable.Line(c))
	}
	if t.quiet || t.stop != nil || len(t.waiting) == 0 {
		return
	}
	t.stop, t.stopped = make(chan struct{}), make(chan struct{})
	go t.draw(t.stop, t.stopped)
}

// Done takes away one context; after the last the line is erased.
func (t *Terminal) Done(context string) {
	t.mu.Lock()
	if i := slices.Index(t.waiting, printable.Line(context)); i >= 0 {
		t.waiting = slices.Delete(t.waiting, i, i+1)
	}
	last := len(t.waiting) == 0
	t.mu.Unlock()
	if last {
		t.Stop()
	}
}

// Stop erases the line; nothing is drawn and no goroutine is left after it. It
// may be called at any time and more than once.
func (t *Terminal) Stop() {
	t.mu.Lock()
	stop, stopped := t.stop, t.stopped
	t.stop, t.stopped = nil, nil
	t.total, t.waiting = 0, nil
	t.erase()
	t.mu.Unlock()
	if stop != nil {
		close(stop)
		<-stopped
	}
}

// Write shows p in place of the line; the line comes back below it, once p has
// ended its own.
func (t *Terminal) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.erase()
	if len(p) > 0 {
		t.midline = p[len(p)-1] != '\n'
	}
	return t.w.Write(p)
}

func (t *Terminal) draw(stop <-chan struct{}, stopped chan<- struct{}) {
	defer close(stopped)
	select {
	case <-stop:
		return
	case <-time.After(progressAfter):
	}
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	for {
		t.mu.Lock()
		// Stop may have come between the tick and the lock.
		if len(t.waiting) > 0 && !t.midline {
			t.redraw()
		}
		t.mu.Unlock()
		select {
		case <-stop:
			return
		case <-tick.C:
		}
	}
}

func (t *Terminal) redraw() {
	columns := t.width()
	if columns <= 0 {
		columns = defaultWidth
	}
	line := fit(fmt.Sprintf("%c %d/%d clusters", `|/-\`[t.frame%4], t.total-len(t.waiting), t.total), t.waiting, columns-1)
	t.frame++
	now := columnsOf(line)
	// Spaces rather than an escape sequence: they work on every terminal. A
	// line that was drawn when the terminal was wider must not wrap now.
	over := max(0, min(t.drawn, columns-1)-now)
	_, _ = fmt.Fprintf(t.w, "\r%s%s", line, strings.Repeat(" ", over))
	t.drawn = now + over
}

func (t *Terminal) erase() {
	if t.drawn > 0 {
		_, _ = fmt.Fprintf(t.w, "\r%s\r", strings.Repeat(" ", t.drawn))
		t.drawn = 0
	}
}

// fit appends to head as many names as columns have room for, at most four.
func fit(head string, names []string, columns int) string {
	for n := min(4, len(names)); n >= 0; n-- {
		list := strings.Join(names[:n], ", ")
		switch rest := len(names) - n; {
		case n == 0:
			list = fmt.Sprintf("%d of them", rest)
		case rest > 0:
			list += fmt.Sprintf(" and %d more", rest)
		}
		if line := head + ", waiting for " + list; columnsOf(line) <= columns {
			return line
		}
	}
	for columnsOf(head) > columns && head != "" {
		head = head[:len(head)-1]
	}
	return head
}

// columnsOf is how many columns a terminal needs for s.
func columnsOf(s string) int {
	n := 0
	for _, r := range s {
		switch kind := width.LookupRune(r).Kind(); {
		case unicode.In(r, unicode.Mn, unicode.Me):
		case kind == width.EastAsianWide, kind == width.EastAsianFullwidth:
			n += 2
		default:
			n++
		}
	}
	return n
}
