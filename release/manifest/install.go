package manifest

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// receipt is what krew keeps of a plugin that it installed, so that it can upgrade and
// uninstall it.
type receipt struct {
	Plugin `json:",inline"`
	Status struct {
		Source struct {
			Name string `json:"name"`
		} `json:"source"`
	} `json:"status"`
}

// detached is the name that krew has for the index of a plugin that is from none.
const detached = "detached"

// Install installs a plugin from its archive under krew's folder, as krew does: the
// archive's sum is that of the manifest, the files that the manifest names are moved to
// store/NAME/VERSION, and bin/kubectl-… is a link to the program. What was installed of
// the plugin before is replaced. It returns the link.
func Install(root string, p Plugin, t Target, archive string) (string, error) {
	platform, err := p.For(t)
	if err != nil {
		return "", err
	}
	got, err := SumOf(archive)
	if err != nil {
		return "", err
	}
	if got != platform.SHA256 {
		return "", fmt.Errorf(
			"%s has the sha256 %s, and the manifest of %s says %s: one of them is not of this release",
			archive,
			got,
			p.Name,
			platform.SHA256,
		)
	}
	if err := Uninstall(root, p.Name, t); err != nil {
		return "", err
	}
	store := filepath.Join(root, "store", p.Name, p.Spec.Version)
	if err := installFiles(archive, store, platform); err != nil {
		return "", fmt.Errorf("%s: %w", archive, err)
	}
	program := filepath.Join(store, filepath.FromSlash(platform.Bin))
	info, err := os.Stat(program)
	if err != nil {
		return "", fmt.Errorf("%s: bin is %s, which is none of its files", archive, platform.Bin)
	}
	if t.OS != "windows" && info.Mode()&0o111 == 0 {
		return "", fmt.Errorf("%s: %s is not executable", archive, platform.Bin)
	}
	link := filepath.Join(root, "bin", Link(p.Name, t))
	if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
		return "", err
	}
	if program, err = filepath.Abs(program); err != nil {
		return "", err
	}
	if err := os.Symlink(program, link); err != nil {
		return "", err
	}
	return link, writeReceipt(filepath.Join(root, "receipts", p.Name+Extension), p)
}

// Uninstall removes what there is of a plugin under krew's folder, as krew does.
func Uninstall(root, plugin string, t Target) error {
	for _, path := range []string{
		filepath.Join(root, "bin", Link(plugin, t)),
		filepath.Join(root, "store", plugin),
		filepath.Join(root, "receipts", plugin+Extension),
	} {
		if err := os.RemoveAll(path); err != nil {
			return err
		}
	}
	return nil
}

// installFiles unpacks the archive, and moves what the platform names to the folder.
func installFiles(archive, into string, platform Platform) error {
	if err := os.MkdirAll(into, 0o755); err != nil {
		return err
	}
	staging, err := os.MkdirTemp(filepath.Dir(into), "unpacked-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(staging) }()
	if err := unpack(archive, staging); err != nil {
		return err
	}
	files := platform.Files
	if files == nil {
		files = []File{{From: "*", To: "."}}
	}
	for _, f := range files {
		found, err := filepath.Glob(filepath.Join(staging, filepath.FromSlash(path.Clean("/"+f.From))))
		if err != nil {
			return fmt.Errorf("files from %q: %w", f.From, err)
		}
		if len(found) == 0 {
			return fmt.Errorf("it has no file %s", f.From)
		}
		to := filepath.Join(into, filepath.FromSlash(path.Clean("/"+f.To)))
		for _, from := range found {
			target := to
			// krew takes the target for a folder, but where one file is named and a name for it.
			if f.To == "." || from != filepath.Join(staging, filepath.FromSlash(f.From)) {
				target = filepath.Join(to, filepath.Base(from))
			}
			if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
				return err
			}
			if err := os.Rename(from, target); err != nil {
				return err
			}
		}
	}
	return nil
}

func writeReceipt(file string, p Plugin) error {
	r := receipt{Plugin: p}
	r.CreationTimestamp = metav1.NewTime(time.Now())
	r.Status.Source.Name = detached
	text, err := yaml.Marshal(r)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o644)
}
