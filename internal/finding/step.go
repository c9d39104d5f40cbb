package finding

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
)

// Step is one step of a fix: what to do in a sentence, then the commands that do it.
// A step without commands is for what no command does everywhere.
type Step struct {
	// Say is a sentence in the imperative for a person, ended by a full stop, or by a
	// colon before commands; "" where the commands speak for themselves. It is never
	// part of what is pasted. Names in it come through Say.
	Say string
	Run []Command
	// Instead: this step and those after it are another way to fix it, and not to be
	// taken after those before.
	Instead bool
}

// Say is a step that says what to do, and how, by commands if there are any. format
// is a sentence of ours; names in args, which may be anybody's, are reduced to an alphabet
// in which no shell finds a command.
func Say(format string, args ...any) Step {
	reduced := make([]any, len(args))
	for i, a := range args {
		if n, ok := a.(int); ok {
			reduced[i] = n
			continue
		}
		reduced[i] = plain(fmt.Sprint(a))
	}
	return Step{Say: fmt.Sprintf(format, reduced...)}
}

// Run is a step of commands alone.
func Run(commands ...Command) Step { return Step{Run: commands} }

// By adds commands to a step.
func (s Step) By(commands ...Command) Step {
	s.Run = append(s.Run[:len(s.Run):len(s.Run)], commands...)
	return s
}

// Otherwise makes a step the first of another way to fix it.
func (s Step) Otherwise() Step {
	s.Instead = true
	return s
}

// Ways are the ways of a fix: each is to be taken alone.
func Ways(steps []Step) [][]Step {
	var out [][]Step
	for _, s := range steps {
		if s.Instead || len(out) == 0 {
			out = append(out, nil)
		}
		out[len(out)-1] = append(out[len(out)-1], s)
	}
	return out
}

// plain is text of a cluster as it may stand in a sentence: letters, digits and what
// names are made of; a question mark for everything else.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune(" ._-/:@,=+%", r) {
			return r
		}
		return '?'
	}, text)
}

// stepJSON is a step in a document.
type stepJSON struct {
	Say string   `json:"say,omitempty"`
	Run []string `json:"run,omitempty"`
}

// MarshalJSON writes the sentence, and each command as it is pasted.
func (s Step) MarshalJSON() ([]byte, error) {
	out := stepJSON{Say: s.Say}
	for _, c := range s.Run {
		out.Run = append(out.Run, c.String())
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads a step of a document. Its commands are text, and only good
// for being printed again.
func (s *Step) UnmarshalJSON(data []byte) error {
	var in stepJSON
	if err := json.Unmarshal(data, &in); err != nil {
		return err
	}
	s.Say = in.Say
	for _, text := range in.Run {
		s.Run = append(s.Run, Command{printed: text})
	}
	return nil
}

// Commands are those of all steps, in their order.
func Commands(steps []Step) []Command {
	var out []Command
	for _, s := range steps {
		out = append(out, s.Run...)
	}
	return out
}
