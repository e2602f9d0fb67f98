package onnx

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// externalData returns the bytes that a tensor's external_data describes. Keys other than location, offset and length
// (as checksum) are hints and not used.
func (s *Source) externalData(t *TensorProto) ([]byte, error) {
	var location string
	offset, length := int64(0), int64(-1)
	for _, e := range t.GetExternalData() {
		var err error
		switch e.GetKey() {
		case "location":
			location = e.GetValue()
		case "offset":
			offset, err = parseSize(e)
		case "length":
			length, err = parseSize(e)
		}
		if err != nil {
			return nil, err
		}
	}
	if location == "" {
		return nil, formatErr("its external data have no location")
	}
	clean, err := cleanLocation(location)
	if err != nil {
		return nil, err
	}
	data, err := s.externalBytes(clean)
	if err != nil {
		return nil, fmt.Errorf("external data %q: %w", location, err)
	}
	size := int64(len(data))
	if length < 0 {
		length = max(size-offset, 0)
	}
	if offset > size || length > size-offset {
		return nil, formatErr("external data %q: %d bytes at offset %d do not fit the file's %d bytes", location, length, offset, size)
	}
	return data[offset : offset+length : offset+length], nil
}

func parseSize(e *StringStringEntryProto) (int64, error) {
	v, err := strconv.ParseInt(e.GetValue(), 10, 64)
	if err != nil || v < 0 {
		return 0, formatErr("external data: %s is %q, want a number of bytes", e.GetKey(), e.GetValue())
	}
	return v, nil
}

// cleanLocation returns the location as a path for fs.FS, and fails for one that is absolute or has a "..".
func cleanLocation(location string) (string, error) {
	outside := strings.HasPrefix(location, "/") || strings.ContainsAny(location, "\\\x00") || filepath.VolumeName(location) != ""
	for part := range strings.SplitSeq(location, "/") {
		outside = outside || part == ".."
	}
	clean := path.Clean(location)
	if outside || clean == "." || !fs.ValidPath(clean) {
		return "", formatErr("external data %q: the location must be a path inside the model's directory", location)
	}
	return clean, nil
}

// openBeside opens a file below dir; the operating system refuses links that lead out of dir.
func openBeside(dir, location string) (fs.File, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	f, err := root.Open(filepath.FromSlash(location))
	if err != nil {
		return nil, err
	}
	return regular(f)
}

// openInside opens a file below dir in fsys. Links are followed as long as they stay in fsys.
func openInside(fsys fs.FS, dir, location string) (fs.File, error) {
	name, err := followLinks(fsys, path.Join(dir, location))
	if err != nil {
		return nil, err
	}
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	return regular(f)
}

// regular refuses what has no size, such as a pipe.
func regular(f fs.File) (fs.File, error) {
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is not a regular file")
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// maxLinks is how many links one path may go through, as in operating systems.
const maxLinks = 40

// followLinks resolves the symbolic links of name, where fsys shows them (fs.ReadLinkFS). It fails where one leads out
// of fsys: os.DirFS would follow it.
func followLinks(fsys fs.FS, name string) (string, error) {
	if _, ok := fsys.(fs.ReadLinkFS); !ok {
		return name, nil
	}
	done, rest := ".", name
	for links := 0; rest != ""; {
		part, after, _ := strings.Cut(rest, "/")
		at := path.Join(done, part)
		info, err := fs.Lstat(fsys, at)
		if err != nil {
			return "", err
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			done, rest = at, after
			continue
		}
		target, err := fs.ReadLink(fsys, at)
		if err != nil {
			return "", err
		}
		links++
		inside := path.Join(done, target)
		if path.IsAbs(target) || filepath.IsAbs(target) || !fs.ValidPath(inside) || links > maxLinks {
			return "", formatErr("%s is a link that leads out of the model's directory", at)
		}
		done, rest = ".", path.Join(inside, after)
	}
	return done, nil
}
