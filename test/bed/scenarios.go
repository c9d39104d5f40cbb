package bed

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/test/bed/topology"
)

// Scenario is a folder of manifests, or with a topology, that comes with the bed.
type Scenario struct {
	// Name is the name of its folder.
	Name string
	// Summary is the first line of its README.md.
	Summary string
	// Dir is its folder, which LoadManifests reads.
	Dir string
	// Topology is whether it is a topology, which StartScenario makes a mesh of,
	// instead of manifests.
	Topology bool
}

// Scenarios returns the scenarios that come with the bed, by name.
func Scenarios(ctx context.Context) ([]Scenario, error) {
	source, err := sourceDir(ctx)
	if err != nil {
		return nil, err
	}
	return scenariosIn(filepath.Join(source, "scenarios"))
}

// ScenarioDir returns the folder of a scenario that is given by its name or as
// the path of a folder.
func ScenarioDir(ctx context.Context, nameOrDir string) (string, error) {
	if strings.ContainsRune(nameOrDir, filepath.Separator) || nameOrDir == "." {
		return nameOrDir, nil
	}
	scenarios, err := Scenarios(ctx)
	if err != nil {
		return "", err
	}
	for _, scenario := range scenarios {
		if scenario.Name == nameOrDir {
			return scenario.Dir, nil
		}
	}
	if info, err := os.Stat(nameOrDir); err == nil && info.IsDir() {
		return nameOrDir, nil
	}
	return "", fmt.Errorf("there is neither a scenario nor a folder named %q", nameOrDir)
}

// scenariosIn returns the scenarios in a folder, which need not exist.
func scenariosIn(dir string) ([]Scenario, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list the scenarios: %w", err)
	}
	var scenarios []Scenario
	for _, entry := range entries {
		if !entry.IsDir() {
			continue
		}
		scenario := Scenario{Name: entry.Name(), Dir: filepath.Join(dir, entry.Name())}
		if scenario.Summary, err = firstLine(filepath.Join(scenario.Dir, "README.md")); err != nil {
			return nil, fmt.Errorf("scenario %s: %w", scenario.Name, err)
		}
		if _, scenario.Topology, err = topology.Load(scenario.Dir); err != nil {
			return nil, fmt.Errorf("scenario %s: %w", scenario.Name, err)
		}
		scenarios = append(scenarios, scenario)
	}
	return scenarios, nil
}

// firstLine returns the first line of a Markdown file, without the marks of a
// heading.
func firstLine(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Scan()
	return strings.TrimSpace(strings.TrimLeft(lines.Text(), "# ")), lines.Err()
}
