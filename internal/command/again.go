package command

import (
	"strings"

	"github.com/spf13/pflag"
)

// Again are the flags with which another command, of any plugin, looks at the same clusters: all
// have the same ones.
func (f *Frame) Again() []string {
	var out []string
	f.persistent.VisitAll(func(flag *pflag.Flag) {
		if !flag.Changed {
			return
		}
		value := flag.Value.String()
		if list, ok := flag.Value.(pflag.SliceValue); ok && flag.Value.Type() == "stringArray" {
			for _, one := range list.GetSlice() {
				out = append(out, "--"+flag.Name, one)
			}
			return
		}
		if list, ok := flag.Value.(pflag.SliceValue); ok {
			value = strings.Join(list.GetSlice(), ",")
		}
		switch {
		case flag.Value.Type() == "bool":
			out = append(out, "--"+flag.Name)
		case flag.Shorthand != "":
			out = append(out, "-"+flag.Shorthand, value)
		default:
			out = append(out, "--"+flag.Name, value)
		}
	})
	return out
}
