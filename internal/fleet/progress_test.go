package fleet_test

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/fleet"
)

func wide(columns int) func() int { return func() int { return columns } }

// screen is what a terminal of one long line shows after what was written to
// it; the second result is how far the cursor ever went.
func screen(written string) (string, int) {
	var lines []string
	var cells []rune
	at, furthest := 0, 0
	for _, r := range written {
		switch r {
		case '\r':
			at = 0
		case '\n':
			lines = append(lines, strings.TrimRight(string(cells), " "))
			cells, at = nil, 0
		default:
			for len(cells) <= at {
				cells = append(cells, ' ')
			}
			cells[at] = r
			at++
			furthest = max(furthest, at)
		}
	}
	return strings.Join(append(lines, strings.TrimRight(string(cells), " ")), "\n"), furthest
}

func TestTheProgressLineComesAfterASecondAndLeavesNoTrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out safeBuffer
		p := fleet.NewTerminal(&out, wide(80))
		p.Started([]string{"dev", "prod-a", "prod-b", "prod-c\x1b[2J", "prod-d", "prod-e"})
		time.Sleep(900 * time.Millisecond)
		p.Done("dev")
		synctest.Wait()
		if out.String() != "" {
			t.Errorf("before a second: %q", out.String())
		}
		time.Sleep(110 * time.Millisecond)
		synctest.Wait()
		if got, _ := screen(out.String()); got != `| 1/6 clusters, waiting for prod-a, prod-b, prod-c\x1b[2J, prod-d and 1 more` {
			t.Errorf("after a second: %q", got)
		}
		for _, c := range []string{"prod-a", "prod-b", "prod-c\x1b[2J", "unknown"} {
			p.Done(c)
		}
		time.Sleep(200 * time.Millisecond)
		synctest.Wait()
		got, _ := screen(out.String())
		if got = strings.TrimLeft(got, `|/-\`); got != " 4/6 clusters, waiting for prod-d, prod-e" {
			t.Errorf("later: %q", got)
		}
		p.Done("prod-d")
		p.Done("prod-e")
		if got, _ := screen(out.String()); got != "" {
			t.Errorf("at the end: %q", got)
		}
		before := out.String()
		p.Stop()
		time.Sleep(time.Minute)
		if out.String() != before {
			t.Error("drawn after the end")
		}
		// A second phase counts anew.
		p.Started([]string{"x", "y"})
		time.Sleep(1100 * time.Millisecond)
		synctest.Wait()
		if got, _ := screen(out.String()); !strings.HasSuffix(got, " 0/2 clusters, waiting for x, y") {
			t.Errorf("second phase: %q", got)
		}
		p.Stop() // an interrupt; synctest fails if a goroutine is left
		if got, _ := screen(out.String()); got != "" {
			t.Errorf("after an interrupt: %q", got)
		}
	})
}

func TestTheProgressLineFitsTheTerminal(t *testing.T) {
	var names []string
	for i := range 50 {
		names = append(names, fmt.Sprintf("arn:aws:eks:eu-central-1:123456789012:cluster/prod-%02d", i))
	}
	for columns, want := range map[int]string{
		200: "| 0/50 clusters, waiting for " + names[0] + ", " + names[1] + " and 48 more",
		0:   "| 0/50 clusters, waiting for 50 of them", // unknown is 80
		100: "| 0/50 clusters, waiting for " + names[0] + " and 49 more",
		45:  "| 0/50 clusters, waiting for 50 of them",
		30:  "| 0/50 clusters",
		10:  "| 0/50 cl",
		1:   "",
	} {
		synctest.Test(t, func(t *testing.T) {
			var out safeBuffer
			p := fleet.NewTerminal(&out, wide(columns))
			p.Started(names)
			time.Sleep(1050 * time.Millisecond)
			synctest.Wait()
			got, furthest := screen(out.String())
			if got != want {
				t.Errorf("%d columns: %q, want %q", columns, got, want)
			}
			if columns > 0 && furthest >= columns {
				t.Errorf("%d columns: wrote to column %d", columns, furthest)
			}
			p.Stop()
		})
	}
}

func TestWideCharactersCountTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out safeBuffer
		p := fleet.NewTerminal(&out, wide(40)) // 39 to use: 28 before the name
		p.Started([]string{"東京東京東京"})
		time.Sleep(1050 * time.Millisecond)
		synctest.Wait()
		if got, _ := screen(out.String()); got != "| 0/1 clusters, waiting for 1 of them" {
			t.Errorf("got %q", got)
		}
		p.Stop()
	})
}

func TestOtherOutputIsKeptApartFromTheProgressLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out safeBuffer
		p := fleet.NewTerminal(&out, wide(80))
		p.Started([]string{"a"})
		time.Sleep(1050 * time.Millisecond)
		synctest.Wait()
		_, _ = io.WriteString(p, "Warning: x\n")
		if got, _ := screen(out.String()); got != "Warning: x\n" {
			t.Errorf("got %q", got)
		}
		time.Sleep(200 * time.Millisecond)
		synctest.Wait()
		if got, _ := screen(out.String()); !strings.HasSuffix(got, "x\n- 0/1 clusters, waiting for a") {
			t.Errorf("the line did not come back: %q", got)
		}
		_, _ = io.WriteString(p, "Password: ")
		time.Sleep(time.Second)
		synctest.Wait()
		if got, _ := screen(out.String()); got != "Warning: x\nPassword:" {
			t.Errorf("a question was overwritten: %q", got)
		}
		p.Done("a")
	})
}

func TestNothingIsDrawnWhereStderrIsNoTerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := fleet.ProgressOn(&out)
		p.Started([]string{"a"})
		time.Sleep(5 * time.Second)
		_, _ = io.WriteString(p, "note\n")
		p.Done("a")
		p.Stop()
		if got := out.String(); got != "note\n" {
			t.Errorf("got %q", got)
		}
	})
}
