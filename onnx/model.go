package onnx

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
)

// Model is a decoded ONNX file. Model{Proto: p} is a model that comes from no file.
//
// Proto may be changed while nobody else uses the model. The bytes of its RawData fields must not be: they may be
// memory of the file (see Source for how long they live). Methods are safe for concurrent use while Proto does not
// change.
type Model struct {
	Proto  *ModelProto
	source *Source
}

// Option changes how Decode reads a model.
type Option func(*Source)

// WithExternalData makes Decode look for external data in directory dir of fsys ("." is its root).
func WithExternalData(fsys fs.FS, dir string) Option {
	return func(s *Source) {
		s.open = func(location string) (fs.File, error) { return openInside(fsys, dir, location) }
	}
}

// Open reads the model in a file of the operating system. Its external data are looked for in the directory of path,
// and nowhere else. The error wraps ErrFormat when the file is not a model, else it is what the system reported.
func Open(name string) (*Model, error) {
	// External data are opened when they are needed, and the working directory may be another by then.
	dir, err := filepath.Abs(filepath.Dir(name))
	if err != nil {
		return nil, err
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	return readModel(f, name, &Source{open: func(location string) (fs.File, error) { return openBeside(dir, location) }})
}

// OpenFS is Open for a file of fsys; external data are looked for in the directory of name in fsys.
func OpenFS(fsys fs.FS, name string) (*Model, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	s := &Source{}
	WithExternalData(fsys, path.Dir(name))(s)
	return readModel(f, name, s)
}

func readModel(f fs.File, name string, s *Source) (*Model, error) {
	defer f.Close()
	var err error
	if s.main, err = load(f, maxFile); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	m, err := newModel(s)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return m, nil
}

// Decode reads a model from memory, which it keeps views of: data must not change while the model is used.
// The error wraps ErrFormat.
func Decode(data []byte, opts ...Option) (*Model, error) {
	s := &Source{main: &blob{data: data}}
	for _, o := range opts {
		o(s)
	}
	return newModel(s)
}

func newModel(s *Source) (*Model, error) {
	p, err := decodeModel(s.main.data)
	runtime.KeepAlive(s)
	if err != nil {
		return nil, err
	}
	return &Model{Proto: p, source: s}, nil
}

// Source returns what must stay reachable while elements of the model's tensors are used; nil for a model that comes
// from no file.
func (m *Model) Source() *Source { return m.source }

// EmbedExternal turns external data into raw data, so that the model no longer refers to other files. The data are not
// copied. The error names the tensor.
func (m *Model) EmbedExternal() error {
	var failed error
	EachTensor(m.Proto, func(t *TensorProto) {
		if failed != nil || t.GetDataLocation() != TensorProto_EXTERNAL {
			return
		}
		data, err := m.source.externalData(t)
		if err != nil {
			failed = tensorErr(t, err)
			return
		}
		t.RawData, t.ExternalData, t.DataLocation = data, nil, nil
	})
	return failed
}
