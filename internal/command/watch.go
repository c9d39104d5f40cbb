package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/fleet"
	"github.com/kubectl-mesh/kubectl-mesh/internal/known"
	"github.com/kubectl-mesh/kubectl-mesh/internal/printable"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/survey"
)

// pace is when --watch checks again.
type pace struct {
	// settle is how long a change is left alone: it is seldom the only one.
	settle time.Duration
	// busiest is how often a fleet is checked in which all changes bring nothing new.
	busiest time.Duration
	// always is how often a fleet is checked in which nothing changes: certificates expire, and control planes and
	// proxies say something else. unwatched is that of one of which something is not watched.
	always, unwatched time.Duration
}

var usualPace = pace{settle: time.Second, busiest: 10 * time.Second, always: time.Minute, unwatched: pause}

// idle is how much longer than a check the pause after it is: a fleet is not read all the time.
const idle = 4

// seen is what one check comes to.
type seen struct {
	fleet  *facts.Fleet
	result finding.Result
	// last says it in one line.
	last string
	// err is what the command ends with, if this is its last check.
	err error
	// print prints all of it.
	print func() error
}

// watching is a command that goes on.
type watching struct {
	*inTime
	pace  pace
	rows  resource.Set
	check func(context.Context) (seen, error)
	// output and format are how it prints. quiet: what it comes to alone.
	output *Output
	format report.Format
	quiet  bool
	// notes: notes are shown as well.
	notes bool

	signal   chan struct{}
	watchers map[string]*survey.Watcher
	troubles map[string]string
}

// watchable refuses what --watch cannot do.
func (o *inTime) watchable(output *Output, format report.Format, with *With) error {
	switch {
	case !o.watched:
		return nil
	case o.Dumped():
		return errors.New("--watch watches live clusters; with --from nothing changes")
	case o.wait > 0:
		return errors.New("--wait ends when all is well, and --watch goes on: leave out one of them")
	case with.Given():
		return errors.New("--watch checks what is, again and again; --with checks once what would be: leave out one of them")
	case len(output.format.files) > 0:
		return fmt.Errorf("-o %s=%s: with --watch nothing is written into files", output.format.files[0].format, output.format.files[0].name)
	}
	if taken := []report.Format{report.Table, report.Wide, report.Short, report.JSON, report.YAML}; !slices.Contains(taken, format) {
		return fmt.Errorf("-o %s is about one moment; with --watch take -o table, wide, short, json or yaml", format)
	}
	return nil
}

// follow checks, prints what is found, and checks again whenever something changes, until ctx ends. Everything that
// is printed is what a fresh run finds at that moment, as it is one.
func (w *watching) follow(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	errOut := w.ErrOut
	defer func() { w.ErrOut = errOut }()
	w.signal, w.watchers, w.troubles = make(chan struct{}, 1), map[string]*survey.Watcher{}, map[string]string{}
	for _, m := range w.Plugin.Meshes {
		w.rows = resource.Join(w.rows, m.PeerResources())
	}
	is, err := w.check(ctx)
	if err != nil {
		return err
	}
	if err := is.print(); err != nil {
		return err
	}
	sayFailure := func(err error) string {
		var code ExitCode
		if err == nil || errors.As(err, &code) {
			return ""
		}
		return printable.Text(err.Error())
	}
	failure := sayFailure(is.err)
	if failure != "" {
		note(errOut, "%s", failure)
	}
	note(errOut, "Watching %s. Ctrl-C ends it, with the exit code of the last check.", finding.Plural(len(is.fleet.Clusters), "cluster"))
	w.ErrOut = silent{} // what it says besides is said once
	course, last, waiting := known.NewCourse(is.result), is.last, w.pace.settle
	for {
		w.ends(is.err)
		poll := w.pace.unwatched
		if is.fleet != nil {
			for _, text := range w.watchAll(ctx, is.fleet) {
				note(errOut, "%s", text)
			}
			if len(w.troubles) == 0 && !slices.ContainsFunc(is.fleet.Clusters, unreached) {
				poll = w.pace.always
			}
			is = seen{} // what was read may be large
		}
		if err := w.pause(ctx, waiting, poll); err != nil {
			return err
		}
		began := time.Now()
		now, err := w.check(ctx)
		took := time.Since(began)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			now = seen{err: err}
		}
		is = now
		if text := sayFailure(now.err); text != failure {
			if failure = text; text != "" {
				note(errOut, "%s %s", began.Local().Format(time.TimeOnly), text)
			}
		}
		if err != nil {
			continue
		}
		step := course.Next(contextsOf(now.fleet), now.result)
		if !w.notes && w.format.IsText() {
			for _, part := range []*[]finding.Finding{&step.Appeared, &step.Changed, &step.Fixed, &step.Unsure} {
				*part = slices.DeleteFunc(*part, func(f finding.Finding) bool { return f.Severity == finding.Note })
			}
		}
		changed := !step.None() || now.last != last
		waiting = max(idle*took, min(2*waiting, w.pace.busiest))
		if changed {
			waiting, last = max(idle*took, w.pace.settle), now.last
			if err := w.print(now, step); err != nil {
				return err
			}
		}
	}
}

// ends keeps what the command ends with when the user ends it.
func (w *watching) ends(err error) {
	code := ExitOK
	var given ExitCode
	switch {
	case errors.As(err, &given):
		code = int(given)
	case err != nil:
		code = ExitFailed
	}
	w.ended.Store(&code)
}

// print prints what a check finds otherwise than the one before.
func (w *watching) print(now seen, step known.Step) error {
	switch w.format {
	case report.YAML:
		fmt.Fprintln(w.Out, "---")
		return now.print()
	case report.JSON:
		return now.print()
	default:
	}
	if w.quiet {
		step = known.Step{}
	}
	w.page(w.output, w.format == report.Wide).Step(now.fleet.At, step, now.last, w.format == report.Wide)
	return w.written()
}

// written is why nothing more can be printed; nil where it can.
func (f *Frame) written() error {
	if s, ok := f.Out.(*sink); ok {
		return s.failed()
	}
	return nil
}

// pause waits until it is time to check again: some time after something changed, but not before waiting is over, and
// once poll is over.
func (w *watching) pause(ctx context.Context, waiting, poll time.Duration) error {
	soonest, latest := time.After(waiting), time.After(max(waiting, poll))
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-latest:
		return nil
	case <-w.signal:
	}
	settled := time.After(w.pace.settle)
	for _, c := range []<-chan time.Time{settled, soonest} {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-c:
		}
	}
	select {
	case <-w.signal: // it came meanwhile, and is read now
	default:
	}
	return nil
}

// changed says that something changed somewhere.
func (w *watching) changed() {
	select {
	case w.signal <- struct{}{}:
	default:
	}
}

// watchAll watches what was read of the clusters of a fleet, and says what is not watched, or is watched again.
func (w *watching) watchAll(ctx context.Context, of *facts.Fleet) []string {
	for i := range of.Clusters {
		c := &of.Clusters[i]
		if c.Unreached != nil || i >= len(w.members) {
			continue
		}
		watcher := w.watchers[c.Context]
		if watcher == nil {
			config, err := w.members[i].Config()
			if err == nil {
				cluster := survey.Cluster{Context: c.Context, Config: config, Namespace: w.Namespace}
				watcher, err = survey.Watch(ctx, cluster, w.changed)
			}
			if err != nil {
				continue // it could be read: what is wrong now the next check says
			}
			w.watchers[c.Context] = watcher
		}
		watcher.Follow(c, w.rows)
	}
	for context, watcher := range w.watchers {
		if !slices.Contains(contextsOf(of), context) {
			delete(w.watchers, context)
			go watcher.Stop() // it may wait for a server
		}
	}
	return w.newTroubles(of)
}

// newTroubles says what is not watched otherwise than at the check before.
func (w *watching) newTroubles(of *facts.Fleet) []string {
	var out []string
	is := map[string]string{}
	for i := range of.Clusters {
		c := &of.Clusters[i]
		watcher := w.watchers[c.Context]
		if watcher == nil {
			continue
		}
		trouble := watcher.Trouble()
		text := ""
		if len(trouble.Refused) > 0 {
			text = fmt.Sprintf("the user may not watch %s", finding.List(trouble.Refused))
		}
		if len(trouble.Broken) > 0 {
			if text != "" {
				text += "; "
			}
			text += fmt.Sprintf("%s cannot be watched: %s", finding.List(trouble.Broken), fleet.Classify(trouble.Err, c.Server).Reason)
		}
		name := c.Context
		if w.short != nil {
			name = w.short.Replace(name)
		}
		name = printable.Line(name)
		switch was := w.troubles[c.Context]; {
		case text != "" && text != was:
			out = append(out, fmt.Sprintf("%s: %s. Checking again every %s.", name, strings.TrimSuffix(text, "."), w.pace.unwatched))
		case text == "" && was != "":
			out = append(out, fmt.Sprintf("%s: everything is watched again.", name))
		}
		if text != "" {
			is[c.Context] = text
		}
	}
	w.troubles = is
	return out
}

// unreached reports whether nothing was read of a cluster.
func unreached(c facts.Cluster) bool { return c.Unreached != nil }

// contextsOf are the clusters of a fleet.
func contextsOf(of *facts.Fleet) []string {
	out := make([]string, len(of.Clusters))
	for i, c := range of.Clusters {
		out[i] = c.Context
	}
	return out
}
