package browser

import (
	"context"
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

var (
	binaries = flag.String("binaries", "../../bin", "the folder of the plugins")
	shots    = flag.String("shots", "", "write screenshots into this folder")
)

// programs are what Chromium is called.
var programs = []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "headless_shell"}

// chrome starts a browser, or skips the test where there is none.
func chrome(t *testing.T) context.Context {
	t.Helper()
	at := slices.IndexFunc(programs, func(name string) bool { _, err := exec.LookPath(name); return err == nil })
	if at < 0 {
		t.Skipf("there is no Chromium here (%s): the pages of -o html are not opened", strings.Join(programs, ", "))
	}
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(programs[at]), chromedp.DisableGPU, chromedp.WindowSize(1100, 900), chromedp.Flag("disable-background-networking", true))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // which needs another user than root
	}
	ctx, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	ctx, stop = chromedp.NewContext(ctx)
	t.Cleanup(stop)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("starting %s: %v", programs[at], err)
	}
	return ctx
}

// complaints are what a browser has to say of a page, and what the page asks for.
type complaints struct {
	mu    sync.Mutex
	lines []string
}

func (c *complaints) add(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lines = append(c.lines, fmt.Sprintf(format, args...))
}

// open opens a page in a tab of its own. When the test ends, the browser has complained of nothing, and nothing but the
// page itself was loaded.
func open(t *testing.T, in context.Context, html []byte) context.Context {
	t.Helper()
	file := filepath.Join(t.TempDir(), "page.html")
	if err := os.WriteFile(file, html, 0o600); err != nil {
		t.Fatal(err)
	}
	address := (&url.URL{Scheme: "file", Path: filepath.ToSlash(file)}).String()
	ctx, stop := chromedp.NewContext(in)
	t.Cleanup(stop)
	var said complaints
	if err := chromedp.Do(ctx); err != nil { // the tab lives as long as this context
		t.Fatal(err)
	}
	run(t, ctx, call(network.Enable, network.EnableParams{}), call(log.Enable, cdp.Empty{}), call(runtime.Enable, cdp.Empty{}))
	if err := chromedp.Listen(ctx, func(event any) {
		switch e := event.(type) {
		case *runtime.EventConsoleAPICalled:
			said.add("console: %s", e.Type)
		case *runtime.EventExceptionThrown:
			said.add("exception: %s", e.ExceptionDetails.Text)
		case *log.EventEntryAdded:
			said.add("log: %s", e.Entry.Text)
		case *network.EventRequestWillBeSent:
			if e.Request.URL != address {
				said.add("request: %s", e.Request.URL)
			}
		case *page.EventJavascriptDialogOpening:
			said.add("dialog: %s", e.Message)
		}
	}); err != nil {
		t.Fatal(err)
	}
	run(t, ctx, chromedp.Navigate(address), chromedp.WaitReady("footer"))
	t.Cleanup(func() {
		said.mu.Lock()
		defer said.mu.Unlock()
		for _, line := range said.lines {
			t.Error(line)
		}
	})
	return ctx
}

func run(t *testing.T, ctx context.Context, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	value(t, ctx, chromedp.Steps(actions...))
}

// value is what an action returns.
func value[T any](t *testing.T, ctx context.Context, action chromedp.Action[T]) T {
	t.Helper()
	ctx, stop := context.WithTimeout(ctx, 30*time.Second)
	defer stop()
	out, err := chromedp.Run(ctx, action)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// call is a command of the protocol as an action.
func call[P, R any](command cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, command, params)
		return err
	})
}

// evaluate is the value of an expression in the page.
func evaluate[T any](t *testing.T, ctx context.Context, expression string) T {
	t.Helper()
	return value(t, ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

// look shows a page in a window, on a medium, and in colours.
func look(t *testing.T, ctx context.Context, width, height int64, medium, scheme string) {
	t.Helper()
	run(t, ctx, call(emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: width, Height: height, DeviceScaleFactor: 1, Mobile: width < 500,
	}), call(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Media: medium, Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	}))
}

// looks are the ways in which a page is read.
var looks = []struct {
	name          string
	width, height int64
	medium        string
	scheme        string
}{
	{"desktop", 1100, 900, "screen", "light"},
	{"dark", 1100, 900, "screen", "dark"},
	{"phone", 360, 740, "screen", "light"},
	{"phone-dark", 360, 740, "screen", "dark"},
	{"print", 794, 1123, "print", "light"},
	// Who reads in the dark prints on white paper too.
	{"print-dark", 794, 1123, "print", "dark"},
}

// written is what a plugin writes.
func written(t *testing.T, plugin string, args ...string) []byte {
	t.Helper()
	command := exec.Command(filepath.Join(*binaries, plugin), append(args, "-o", "html")...)
	var said strings.Builder
	command.Stderr = &said
	out, err := command.Output()
	if command.ProcessState == nil || command.ProcessState.ExitCode() > 1 {
		t.Fatalf("%v\n%s\nIs it built? make test-browser does.", err, said.String())
	}
	return out
}

func TestPages(t *testing.T) {
	ctx := chrome(t)
	fleets := filepath.Join("..", "..", "examples")
	for name, html := range map[string]func(*testing.T) []byte{
		"broken": func(t *testing.T) []byte {
			return written(t, "kubectl-mesh_check", "--from", filepath.Join(fleets, "broken"))
		},
		"fleet": func(t *testing.T) []byte {
			return written(t, "kubectl-mesh_check", "--from", filepath.Join(fleets, "fleet"))
		},
		"healthy": func(t *testing.T) []byte {
			return written(t, "kubectl-mesh_check", "--from", filepath.Join(fleets, "healthy"))
		},
		"networks": func(t *testing.T) []byte {
			return written(t, "kubectl-mesh_network", "verify", "--from", filepath.Join(fleets, "networks"))
		},
		"certs": func(t *testing.T) []byte {
			return written(t, "kubectl-mesh_certs", "verify", "--from", filepath.Join(fleets, "broken"))
		},
		"many":    many,
		"hostile": hostile,
	} {
		t.Run(name, func(t *testing.T) {
			tab := open(t, ctx, html(t))
			for _, l := range looks {
				look(t, tab, l.width, l.height, l.medium, l.scheme)
				for _, line := range evaluate[[]string](t, tab, fmt.Sprintf(contrast, l.medium == "print")) {
					t.Errorf("%s: %s", l.name, line)
				}
				if over := evaluate[float64](t, tab, "document.documentElement.scrollWidth - innerWidth"); over > 0 {
					t.Errorf("%s: the page is %.0f pixels wider than the window", l.name, over)
				}
				if buttons := evaluate[int](t, tab, `[...document.querySelectorAll("button")].filter(b => b.checkVisibility()).length`); (buttons > 0) !=
					(l.medium == "screen" && evaluate[bool](t, tab, `document.querySelector("button") !== null`)) {
					t.Errorf("%s: %d buttons", l.name, buttons)
				}
				shoot(t, tab, name+"-"+l.name)
			}
			keyboard(t, tab)
			if evaluate[bool](t, tab, "window.PWNED === true || document.title.startsWith('PWNED')") {
				t.Error("what the page quotes runs")
			}
			if pdf := value(t, tab, chromedp.PrintToPDF()); !strings.HasPrefix(string(pdf), "%PDF-") {
				t.Error("it is not printed")
			}
		})
	}
}

// shoot takes a picture of a whole page, where pictures are wanted.
func shoot(t *testing.T, ctx context.Context, name string) {
	t.Helper()
	if *shots == "" {
		return
	}
	png := value(t, ctx, chromedp.FullScreenshot(100))
	if err := os.WriteFile(filepath.Join(*shots, name+".png"), png, 0o600); err != nil {
		t.Fatal(err)
	}
}

// keyboard goes through the page by the tabulator: everything that does something is reached, in its order, and seen to
// be. Each button copies the command beside it.
func keyboard(t *testing.T, ctx context.Context) {
	t.Helper()
	look(t, ctx, 1100, 900, "screen", "light")
	wanted := evaluate[int](t, ctx, `(() => {
		const all = [...document.querySelectorAll("a[href], button, summary, [tabindex]")].filter(e => e.checkVisibility());
		all.forEach((e, i) => e.dataset.stop = i);
		document.activeElement.blur();
		return all.length;
	})()`)
	for i := range wanted {
		run(t, ctx, chromedp.KeyEvent(kb.Tab))
		got := evaluate[struct {
			Stop, Outline, What string
		}](t, ctx, `(() => {
			const e = document.activeElement, s = getComputedStyle(e);
			return {Stop: e.dataset.stop ?? "", Outline: s.outlineStyle + " " + s.outlineWidth, What: e.outerHTML.slice(0, 80)};
		})()`)
		if got.Stop != fmt.Sprint(i) {
			t.Fatalf("tabulator %d of %d leads to %q: %s", i+1, wanted, got.Stop, got.What)
		}
		if got.Outline != "solid 3px" {
			t.Errorf("nothing shows that this is chosen (%s): %s", got.Outline, got.What)
		}
	}
	if !evaluate[bool](t, ctx, `document.querySelector("button") !== null`) {
		return
	}
	for _, name := range []string{"clipboard-read", "clipboard-write"} {
		if _, err := chromedp.CallBrowser(ctx, browser.SetPermission, browser.SetPermissionParams{
			Permission: &browser.PermissionDescriptor{Name: name}, Setting: browser.PermissionSettingGranted,
		}); err != nil {
			t.Fatal(err)
		}
	}
	run(t, ctx, call(page.BringToFront, cdp.Empty{}), chromedp.Focus("button"), chromedp.KeyEvent(kb.Enter))
	value(t, ctx, chromedp.Poll[bool](`document.querySelector("button").textContent !== "Copy"`))
	said := evaluate[string](t, ctx, `document.querySelector("button").textContent`)
	command := evaluate[string](t, ctx, `document.querySelector(".command pre").textContent`)
	copied := evaluate[string](t, ctx, `navigator.clipboard.readText()`)
	if said != "Copied" || copied != command {
		t.Errorf("the button says %q, and copied %q instead of %q", said, copied, command)
	}
}
