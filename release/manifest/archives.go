package manifest

import (
	"debug/buildinfo"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// licenses are the names of which krew-index wants to find one among the installed files.
var licenses = []string{
	"license", "license.txt", "license.md", "licenses", "licenses.txt", "licenses.md", "copying", "copying.txt",
}

// CheckArchives installs every platform of a manifest from the archives in a folder, and
// reports what krew-index would not take: an archive that is not there or another, no
// program, no license. Besides, the program has to be this plugin for this platform.
func CheckArchives(p Plugin, dir string) error {
	var faults []error
	for i, platform := range p.Spec.Platforms {
		for _, t := range Known {
			if !platform.Selects(t) {
				continue
			}
			if err := checkArchive(p, t, filepath.Join(dir, platform.Archive())); err != nil {
				faults = append(faults, fmt.Errorf("spec.platforms[%d]: %w", i, err))
			}
		}
	}
	return errors.Join(faults...)
}

func checkArchive(p Plugin, t Target, archive string) error {
	root, err := os.MkdirTemp("", "krew-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(root) }()
	link, err := Install(root, p, t, archive)
	if err != nil {
		return err
	}
	licensed := false
	err = filepath.WalkDir(filepath.Join(root, "store"), func(_ string, e fs.DirEntry, err error) error {
		licensed = licensed || err == nil && e.Type().IsRegular() && slices.Contains(licenses, strings.ToLower(e.Name()))
		return err
	})
	if err != nil {
		return err
	}
	if !licensed {
		return fmt.Errorf("%s installs no license", archive)
	}
	info, err := buildinfo.ReadFile(link)
	if err != nil {
		return fmt.Errorf("%s: the program: %w", archive, err)
	}
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	if built := (Target{settings["GOOS"], settings["GOARCH"]}); built != t {
		return fmt.Errorf("%s: the program is for %s", archive, built)
	}
	if name := strings.TrimSuffix(Link(p.Name, t), ".exe"); !strings.HasSuffix(info.Path, "/"+name) {
		return fmt.Errorf("%s: the program is built from %s, and not from %s", archive, info.Path, name)
	}
	return nil
}
