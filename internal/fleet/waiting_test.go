package fleet

import (
	"testing"
	"time"

	"github.com/spf13/pflag"
)

// A time is given as kubectl takes it, under either name.
func TestTimeout(t *testing.T) {
	for text, want := range map[string]time.Duration{"15": 15 * time.Second, "0": 0, "1m30s": 90 * time.Second} {
		for _, name := range []string{"--timeout", "--request-timeout"} {
			f, flags := NewFlags(), pflag.NewFlagSet("test", pflag.ContinueOnError)
			f.AddFlags(flags)
			if err := flags.Parse([]string{name, text}); err != nil || f.Timeout != want {
				t.Errorf("%s %s is %s, %v; want %s", name, text, f.Timeout, err, want)
			}
		}
	}
}
