package topology

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"sigs.k8s.io/yaml"
)

// FileName is the name of the file that makes a scenario a topology.
const FileName = "topology.yaml"

// Parse reads a topology in YAML. A field that there is not is an error.
func Parse(content []byte) (Topology, error) {
	var t Topology
	if err := yaml.UnmarshalStrict(content, &t); err != nil {
		return Topology{}, fmt.Errorf("read the topology: %w", err)
	}
	if _, err := t.Resolve(); err != nil {
		return Topology{}, err
	}
	return t, nil
}

// Load reads the topology of a scenario's folder. It reports false if the folder
// has none.
func Load(dir string) (Topology, bool, error) {
	path := filepath.Join(dir, FileName)
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Topology{}, false, nil
	}
	if err != nil {
		return Topology{}, false, fmt.Errorf("read the topology: %w", err)
	}
	t, err := Parse(content)
	if err != nil {
		return Topology{}, true, fmt.Errorf("%s: %w", path, err)
	}
	return t, true, nil
}
