package command

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
)

// formats is flag -o: the format of what is printed and, where the command has such, files that are written
// besides, as FORMAT=FILE.
type formats struct {
	word
	toFiles []report.Format // those that may be written into files
	files   []outFile
}

// outFile is a file that a result is written into.
type outFile struct {
	format report.Format
	name   string
}

// Set takes what the user gives.
func (v *formats) Set(text string) error {
	name, file, found := strings.Cut(text, "=")
	format := report.Format(name)
	if !found || !slices.Contains(v.toFiles, format) {
		return v.word.Set(text)
	}
	if file == "" {
		return fmt.Errorf("%q names no file", text)
	}
	v.files = append(v.files, outFile{format, file})
	return nil
}

// toFiles writes a result into the files that -o names. write writes it to where results go, in a format.
func (f *Frame) toFiles(o *Output, write func(report.Format) error) error {
	out, errOut := f.Out, f.ErrOut
	defer func() { f.Out, f.ErrOut = out, errOut }()
	for _, file := range o.format.files {
		var text bytes.Buffer
		f.Out, f.ErrOut = &text, silent{} // what is said for people is said with what is printed
		if err := write(file.format); err != nil {
			return err
		}
		if err := writeWhole(file.name, text.Bytes()); err != nil {
			return fmt.Errorf("-o %s=%s: %w", file.format, file.name, err)
		}
	}
	return nil
}

// writeWhole writes a file at once: whoever reads it meanwhile, as the textfile collector of the node exporter
// does, sees the former one or the new one. What is there and is no regular file is written to as it is.
func writeWhole(name string, text []byte) (err error) {
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		return os.WriteFile(name, text, 0o644)
	}
	if resolved, err := filepath.EvalSymlinks(name); err == nil {
		name = resolved
	}
	file, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".unfinished-")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(file.Name())
		}
	}()
	_, err = file.Write(text)
	if err = errors.Join(err, file.Chmod(0o644), file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), name)
}
