// Package command is the frame that every plugin shares: the root command, its
// flags and streams, exit codes, completion, and how a fleet is read.
package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/klog/v2"

	"github.com/kubectl-mesh/kubectl-mesh/internal/fleet"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/podaccess"
	"github.com/kubectl-mesh/kubectl-mesh/internal/printable"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
)

// Exit codes, as documented in every command's help.
const (
	ExitOK          = 0
	ExitFindings    = 1 // also: "diff" found a difference
	ExitFailed      = 2 // the job could not be done
	ExitIncomplete  = 3 // with --strict: nothing was found, but something was not checked
	exitInterrupted = 130
	exitTerminated  = 143
)

// ExitCode ends the program with a code, when everything that there is to say
// has been said.
type ExitCode int

func (e ExitCode) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// Plugin is one binary of the collection.
type Plugin struct {
	// Name is what comes after "kubectl", e.g. "mesh-certs".
	Name string
	// Short is one line, Long the text of the help.
	Short, Long string
	// Example are commands, with "%[1]s" where the program's name belongs.
	Example string
	// Main makes the root command do something without a verb; nil for its help.
	Main func(*Frame, *cobra.Command)
	// Commands makes the plugin's own subcommands.
	Commands func(*Frame) []*cobra.Command
	// Meshes are those that it knows.
	Meshes []mesh.Mesh
	// Areas are those whose rules it runs; "dump" writes what they read, and what else
	// its commands read, Reads.
	Areas []mesh.Area
	Reads resource.Set
	// Illustrate adds to the page of -o html what the plugin's areas have to show.
	Illustrate []Illustration
	// Heap is the size of the heap, in bytes, from which on garbage is collected eagerly; 60 MiB
	// if it is not given.
	Heap int64
}

// Rows are all that its commands read in the first round, which "dump" writes.
func (p Plugin) Rows() resource.Set {
	out := p.Reads
	for _, m := range p.Meshes {
		out = resource.Join(m.Resources(nil, p.Areas...), out)
	}
	return out
}

// Frame is what a plugin's commands share.
type Frame struct {
	genericiooptions.IOStreams
	Plugin Plugin
	// Display is how the program is called in texts: "kubectl mesh-certs", or
	// the binary's name.
	Display string
	// Fleet are the flags that say which clusters.
	Fleet *fleet.Flags
	// Namespace is the system namespace.
	Namespace string
	// From are the files and folders from which clusters are read, as NAME=PATH or PATH; nil for live ones.
	From []string

	// FullNames shows contexts by their whole names.
	FullNames bool
	// Only are the names of the meshes that the user wants, whatever clusters have; nil for those that they have.
	Only []string

	short      *strings.Replacer // shows contexts by shorter names; nil where they are short
	progress   *fleet.Terminal
	persistent *pflag.FlagSet // flags of all commands
	members    []fleet.Member // those of the fleet that Gather returned last; none of a dump
	// Of a fleet that was read from files, by context: what pods said, and the system namespaces.
	answers map[string]podaccess.Answers
	systems map[string]string
	// collected: some of it was written by others than this program.
	collected bool
	// ended is the exit code of a command that goes on until the user ends it; nil of any other, and before it is known.
	ended atomic.Pointer[int]
}

// Main runs the plugin as a program and does not return.
func Main(plugin Plugin) {
	thrift(cmp.Or(plugin.Heap, smallHeap))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	ended, stopToo := signal.NotifyContext(ctx, syscall.SIGTERM)
	streams := genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr}
	code := Run(ended, plugin, os.Args, streams)
	if code == exitInterrupted && ctx.Err() == nil {
		code = exitTerminated
	}
	stopToo()
	stop()
	fleet.EndPlugins()
	os.Exit(code)
}

// Run runs the plugin and returns its exit code. It returns at once when the
// context ends, whatever is still under way.
func Run(ctx context.Context, plugin Plugin, args []string, streams genericiooptions.IOStreams) int {
	progress := fleet.ProgressOn(streams.ErrOut)
	results := &sink{w: streams.Out}
	streams.Out = results
	streams.ErrOut = sentences{progress, progress.Columns} // what is written there does not garble the progress line
	klog.SetLogger(logr.Discard())                         // client-go would write to the error stream directly
	frame := &Frame{
		IOStreams: streams, Plugin: plugin, Display: displayName(args[0], plugin.Name),
		Fleet: fleet.NewFlags(), progress: progress,
	}
	frame.Fleet.Version = Version()
	root := frame.root(filepath.Base(args[0]))
	root.SetArgs(arguments(args))
	done := make(chan error, 1)
	go func() {
		defer func() {
			if v := recover(); v != nil {
				done <- fmt.Errorf("internal error: %v%s; please report this, with what was run", v, where())
			}
		}()
		done <- root.ExecuteContext(ctx)
	}()
	var err error
	select {
	case err = <-done:
	case <-ctx.Done():
		err = ctx.Err()
	}
	frame.progress.Stop()
	if failed := results.failed(); failed != nil && ctx.Err() == nil {
		err = fmt.Errorf("writing the output: %w", failed)
	}
	return frame.exit(err, ctx)
}

// where is the place of a panic in this program, for whoever is told of it; it is called by the
// function that recovers. It is "" where the place is not known.
func where() string {
	frames := runtime.CallersFrames(func() []uintptr {
		callers := make([]uintptr, 64)
		return callers[:runtime.Callers(2, callers)]
	}())
	for panicked := false; ; {
		frame, more := frames.Next()
		if panicked && strings.HasPrefix(frame.Function, ours) {
			return fmt.Sprintf(" (in %s, line %d)", strings.TrimPrefix(frame.Function, ours), frame.Line)
		}
		panicked = panicked || frame.Function == "runtime.gopanic"
		if !more {
			return ""
		}
	}
}

// ours begins the names of the functions of this program.
const ours = "github.com/kubectl-mesh/kubectl-mesh/"

func (f *Frame) exit(err error, ctx context.Context) int {
	var code ExitCode
	switch {
	case err == nil:
		return ExitOK
	case ctx.Err() != nil:
		if code := f.ended.Load(); code != nil {
			return *code
		}
		return exitInterrupted
	case errors.As(err, &code):
		return int(code)
	}
	fmt.Fprintf(f.ErrOut, "error: %s\n", printable.Text(err.Error()))
	return ExitFailed
}

// displayName is "kubectl mesh-certs" when kubectl runs the binary, which it does by
// the whole path of a file whose name begins with "kubectl-".
func displayName(arg0, name string) string {
	base := filepath.Base(arg0)
	if filepath.IsAbs(arg0) && strings.HasPrefix(base, "kubectl-") {
		return "kubectl " + name
	}
	return strings.TrimSuffix(base, ".exe")
}

// arguments are those of the command line; kubectl asks for completions by running
// the same binary under the name kubectl_complete-….
func arguments(args []string) []string {
	if strings.HasPrefix(filepath.Base(args[0]), "kubectl_complete-") {
		return append([]string{cobra.ShellCompRequestCmd}, args[1:]...)
	}
	return args[1:]
}
