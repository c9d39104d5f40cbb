// Package pattern holds regular expressions that are compiled when they are first used: a
// plugin that asks no cluster is there in ten milliseconds, and compiling is a part of them.
package pattern

import (
	"regexp"
	"sync"
)

// Of is the expression of a text in the syntax of regexp. Like regexp.MustCompile it panics where
// that is not one, when it is first called.
func Of(text string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(text) })
}
