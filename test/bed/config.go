package bed

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

// Config says which fleet to start.
type Config struct {
	// Clusters are the names of the clusters. Each is also the name of its
	// context in the fleet's kubeconfig.
	Clusters []string

	// Dir is where the fleet makes a directory of its own, which Stop removes.
	// By default it is a folder per user below the system's temporary
	// directory.
	Dir string

	// Log hears what takes long: the compilation of the servers, before
	// anything else. By default it is the standard error output.
	Log io.Writer
}

// withDefaults returns the configuration with its defaults filled in.
func (c Config) withDefaults() Config {
	if c.Dir == "" {
		c.Dir = defaultBase()
	}
	if c.Log == nil {
		c.Log = os.Stderr
	}
	return c
}

// validate says what no fleet can be made of.
func (c Config) validate() error {
	if len(c.Clusters) == 0 {
		return errors.New("a fleet needs at least one cluster")
	}
	seen := map[string]bool{}
	for _, name := range c.Clusters {
		// Names become folders, etcd prefixes and contexts.
		if problems := validation.IsDNS1123Label(name); len(problems) > 0 {
			return fmt.Errorf("cluster name %q: %s", name, strings.Join(problems, "; "))
		}
		if seen[name] {
			return fmt.Errorf("cluster name %q is given twice", name)
		}
		seen[name] = true
	}
	return nil
}
