package finding

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/kubectl-mesh/kubectl-mesh/internal/printable"
)

// Command is a command to be pasted into a POSIX shell, bash or zsh. It is held as
// words and quoted when it is printed: no name in it can become another command.
type Command struct {
	// Args are the program and its arguments, not quoted.
	Args []string
	// Pipe is the command that reads its output; nil for none.
	Pipe *Command
	// Into is the file that its output goes to; "" for none. Append adds to the file.
	Into   string
	Append bool
	// Blanks are words of Args, or parts of them, in whose place a person puts a value
	// before the command is pasted: ADDRESS.
	Blanks []string

	// printed is the text of a command that was read from a document.
	printed string
}

// Shell is a command of any program.
func Shell(args ...string) Command { return Command{Args: args} }

// Kubectl is a kubectl command for one cluster.
func Kubectl(context string, args ...string) Command {
	return Command{Args: append([]string{"kubectl", "--context=" + context}, args...)}
}

// Blank is the command with words in whose place a person puts a value.
func (c Command) Blank(words ...string) Command {
	c.Blanks = append(c.Blanks[:len(c.Blanks):len(c.Blanks)], words...)
	return c
}

// To pipes the output of c, or of the last command that it is piped into, into next.
func (c Command) To(next Command) Command {
	if c.Pipe != nil {
		next = c.Pipe.To(next)
	}
	c.Pipe = &next
	return c
}

// Context is the kubeconfig context that the command is for; "" for none or several.
func (c Command) Context() string {
	for _, a := range c.Args {
		if name, ok := strings.CutPrefix(a, "--context="); ok {
			return name
		}
	}
	return ""
}

// Equal reports whether two commands are the same when they are pasted.
func (c Command) Equal(other Command) bool { return c.String() == other.String() }

// String is the command as it is pasted: one line of printable text.
func (c Command) String() string {
	if c.printed != "" {
		return c.printed
	}
	words := make([]string, len(c.Args))
	for i, a := range c.Args {
		words[i] = Quote(a)
	}
	text := strings.Join(words, " ")
	switch {
	case c.Into != "" && c.Append:
		text += " >> " + Quote(c.Into)
	case c.Into != "":
		text += " > " + Quote(c.Into)
	}
	if c.Pipe != nil {
		text += " | " + c.Pipe.String()
	}
	return text
}

// Quote quotes a word for bash and zsh where it needs to be. What cannot be seen is
// written as in C ($'\012'), which both know.
func Quote(word string) string {
	ordinary := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-./:=@%+,", r)
	}
	switch {
	// zsh takes a word that begins with = for the path of a program.
	case word != "" && word[0] != '=' && strings.IndexFunc(word, func(r rune) bool { return !ordinary(r) }) < 0:
		return word
	case strings.IndexFunc(word, printable.Hidden) < 0 && utf8.ValidString(word):
		return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
	}
	var b strings.Builder
	b.WriteString("$'")
	for i := 0; i < len(word); {
		r, size := utf8.DecodeRuneInString(word[i:])
		switch {
		case r == '\'', r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case printable.Hidden(r) || r == utf8.RuneError && size == 1:
			for _, octet := range []byte(word[i : i+size]) {
				fmt.Fprintf(&b, `\%03o`, octet)
			}
		default:
			b.WriteRune(r)
		}
		i += size
	}
	b.WriteString("'")
	return b.String()
}
