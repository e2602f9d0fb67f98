package main

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/sbinet/npyio/npy"
	"github.com/sbinet/npyio/npz"

	"github.com/qrun-onnx/qrun/tensor"
)

// npyTypes are the array types of NumPy's format that have an ONNX element type.
var npyTypes = map[tensor.DType]string{
	tensor.Float32: "<f4", tensor.Float64: "<f8", tensor.Int8: "|i1", tensor.Uint8: "|u1", tensor.Int16: "<i2", tensor.Uint16: "<u2",
	tensor.Int32: "<i4", tensor.Uint32: "<u4", tensor.Int64: "<i8", tensor.Uint64: "<u8", tensor.Bool: "|b1",
}

func readNPYFile(path string) (*tensor.Tensor, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return readNPY(f, info.Size())
}

// readNPY reads one array of at most size bytes.
func readNPY(r io.Reader, size int64) (t *tensor.Tensor, err error) {
	defer func() { // the library slices damaged headers without looking
		if p := recover(); p != nil {
			t, err = nil, fmt.Errorf("not an array of NumPy's format")
		}
	}()
	in, err := npy.NewReader(r)
	if err != nil {
		return nil, err
	}
	d := in.Header.Descr
	if d.Fortran {
		return nil, fmt.Errorf("the array is in column order; save numpy.ascontiguousarray of it")
	}
	n, err := tensor.Count(d.Shape)
	if err != nil {
		return nil, err
	}
	for dt, name := range npyTypes {
		if strings.TrimLeft(name, "<|=") == strings.TrimLeft(d.Type, "<|=") {
			if int64(dt.ByteLen(n)) > size {
				return nil, fmt.Errorf("the array says %v%v and the file has %d bytes", dt, d.Shape, size)
			}
			return readElements(in, dt, d.Shape, n)
		}
	}
	return nil, fmt.Errorf("arrays of type %q are not read (float16: save it as float32)", d.Type)
}

func readElements(in *npy.Reader, d tensor.DType, shape []int, n int) (*tensor.Tensor, error) {
	switch d {
	case tensor.Float32:
		return readSlice[float32](in, shape, n)
	case tensor.Float64:
		return readSlice[float64](in, shape, n)
	case tensor.Int8:
		return readSlice[int8](in, shape, n)
	case tensor.Uint8:
		return readSlice[uint8](in, shape, n)
	case tensor.Int16:
		return readSlice[int16](in, shape, n)
	case tensor.Uint16:
		return readSlice[uint16](in, shape, n)
	case tensor.Int32:
		return readSlice[int32](in, shape, n)
	case tensor.Uint32:
		return readSlice[uint32](in, shape, n)
	case tensor.Int64:
		return readSlice[int64](in, shape, n)
	case tensor.Uint64:
		return readSlice[uint64](in, shape, n)
	}
	return readSlice[bool](in, shape, n)
}

func readSlice[T tensor.Element](in *npy.Reader, shape []int, n int) (*tensor.Tensor, error) {
	data := make([]T, n)
	if n > 0 {
		if err := in.Read(&data); err != nil {
			return nil, err
		}
	}
	if len(shape) == 0 {
		return tensor.Of(data)
	}
	return tensor.Of(data, shape...)
}

// readNPZ reads every array of an .npz file by name.
func readNPZ(r io.ReaderAt, size int64) (map[string]*tensor.Tensor, error) {
	z, err := npz.NewReader(r, size)
	if err != nil {
		return nil, err
	}
	all := map[string]*tensor.Tensor{}
	for _, key := range z.Keys() {
		m, err := z.Open(key)
		if err != nil {
			return nil, err
		}
		t, err := readNPY(m, 1<<40)
		m.Close()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		all[strings.TrimSuffix(key, ".npy")] = t
	}
	return all, nil
}

// writeNPY writes t in version 1.0 of NumPy's format (the library writes one dimension only).
func writeNPY(w io.Writer, t *tensor.Tensor) error {
	name := npyTypes[t.DType()]
	if name == "" {
		return fmt.Errorf("%v does not fit NumPy's format; write .pb or .json", t)
	}
	dims := make([]string, t.Rank())
	for i, n := range t.Shape() {
		dims[i] = fmt.Sprintf("%d,", n)
	}
	head := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", name, strings.Join(dims, " "))
	const fixed = 10 // magic, version, length
	head += strings.Repeat(" ", 63-(fixed+len(head))%64) + "\n"
	var b bytes.Buffer
	b.WriteString("\x93NUMPY\x01\x00")
	if err := binary.Write(&b, binary.LittleEndian, uint16(len(head))); err != nil {
		return err
	}
	b.WriteString(head)
	if _, err := w.Write(b.Bytes()); err != nil {
		return err
	}
	return writeLittleEndian(w, t)
}

func writeLittleEndian(w io.Writer, t *tensor.Tensor) error {
	raw, size := t.Bytes(), t.DType().Size()
	if size > 1 && binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		raw = slices.Clone(raw)
		for i := 0; i+size <= len(raw); i += size {
			slices.Reverse(raw[i : i+size])
		}
	}
	_, err := w.Write(raw)
	return err
}

// writeNPZ writes the arrays as an .npz file.
func writeNPZ(w io.Writer, names []string, all map[string]*tensor.Tensor) error {
	z := zip.NewWriter(w)
	for _, name := range names {
		f, err := z.CreateHeader(&zip.FileHeader{Name: name + ".npy", Method: zip.Deflate})
		if err != nil {
			return err
		}
		if err := writeNPY(f, all[name]); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return z.Close()
}
