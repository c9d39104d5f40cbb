package dump

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/podaccess"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
)

// archiveEndings are those of the names of archives that are written.
var archiveEndings = []string{".tar.gz", ".tgz"}

// IsArchive reports whether a dump of this name is written as an archive.
func IsArchive(name string) bool {
	for _, ending := range archiveEndings {
		if strings.HasSuffix(strings.ToLower(name), ending) && len(filepath.Base(name)) > len(ending) {
			return true
		}
	}
	return false
}

// writeArchive writes into a tar that gzip compresses, with all files in one folder.
func writeArchive(final string, fleet *facts.Fleet, rows resource.Set, said map[string][]podaccess.Answer) error {
	switch _, err := os.Lstat(final); {
	case err == nil:
		return fmt.Errorf("%s is there; name a new one", final)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	dir, base := filepath.Dir(filepath.Clean(final)), filepath.Base(final)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	file, err := os.CreateTemp(dir, "."+base+".unfinished-")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file.Name()) }() // nothing is there any more if all went well
	packed := gzip.NewWriter(file)
	archive := tar.NewWriter(packed)
	top := folder(strings.TrimSuffix(strings.TrimSuffix(base, filepath.Ext(base)), ".tar"), map[string]bool{})
	err = write(fleet, rows, said, func(name string, text []byte) error {
		head := &tar.Header{
			Typeflag: tar.TypeReg, Name: top + "/" + name, Size: int64(len(text)), Mode: 0o644, ModTime: fleet.At.UTC(), Format: tar.FormatPAX,
		}
		if err := archive.WriteHeader(head); err != nil {
			return err
		}
		_, err := archive.Write(text)
		return err
	})
	if err = errors.Join(err, archive.Close(), packed.Close(), file.Chmod(0o644), file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), final)
}
