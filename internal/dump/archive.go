package dump

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
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
	// What is in an archive has its size before it: a file is written elsewhere first.
	part, err := os.CreateTemp(dir, "."+base+".unfinished-")
	if err != nil {
		return errors.Join(err, file.Close())
	}
	defer func() { _ = errors.Join(part.Close(), os.Remove(part.Name())) }()
	packed := gzip.NewWriter(file)
	archive := tar.NewWriter(packed)
	top := folder(strings.TrimSuffix(strings.TrimSuffix(base, filepath.Ext(base)), ".tar"), map[string]bool{})
	err = write(fleet, rows, said, func(name string, fill func(io.Writer) error) error {
		size, err := refill(part, fill)
		if err != nil {
			return err
		}
		head := &tar.Header{
			Typeflag: tar.TypeReg, Name: top + "/" + name, Size: size, Mode: 0o644, ModTime: fleet.At.UTC(), Format: tar.FormatPAX,
		}
		if err := archive.WriteHeader(head); err != nil {
			return err
		}
		_, err = io.Copy(archive, part)
		return err
	})
	if err = errors.Join(err, archive.Close(), packed.Close(), file.Chmod(0o644), file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), final)
}

// refill has a file filled anew, from its beginning, and leaves it to be read. size is that of what is in it, in bytes.
func refill(file *os.File, fill func(io.Writer) error) (size int64, err error) {
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return 0, err
	}
	if err := file.Truncate(0); err != nil {
		return 0, err
	}
	buffer := bufio.NewWriter(file)
	if err := errors.Join(fill(buffer), buffer.Flush()); err != nil {
		return 0, err
	}
	if size, err = file.Seek(0, io.SeekEnd); err != nil {
		return 0, err
	}
	_, err = file.Seek(0, io.SeekStart)
	return size, err
}
