package onnx

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Bytes encodes the model. Fields are in the order of their numbers, unknown ones last, so equal models have equal
// bytes.
func (m *Model) Bytes() ([]byte, error) {
	a, size, err := newAssembler(m.Proto)
	if err != nil {
		return nil, err
	}
	w := &sliceWriter{make([]byte, 0, size)}
	err = a.write(w)
	runtime.KeepAlive(m)
	return w.b, err
}

// Save writes the model to a file. The weights go from where they are to the file without a copy of the whole. The
// file is complete or not there at all: it is written under another name in the same directory and renamed, so that
// path may be the file that the model was opened from.
//
// External data stay external, and are looked for beside the new file: call EmbedExternal first to have one file.
func (m *Model) Save(path string) error {
	a, _, err := newAssembler(m.Proto)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	err = writeFile(path, a.write)
	runtime.KeepAlive(m)
	return err
}

type sliceWriter struct{ b []byte }

func (w *sliceWriter) Write(p []byte) (int, error) {
	w.b = append(w.b, p...)
	return len(p), nil
}

// writeFile has write fill a temporary file beside path, and renames it to path.
func writeFile(path string, write func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	mode := os.FileMode(0o644)
	if old, err := os.Stat(path); err == nil {
		mode = old.Mode().Perm()
	}
	w := bufio.NewWriterSize(f, 1<<16)
	if err = write(w); err != nil {
		return err
	}
	if err = w.Flush(); err != nil {
		return err
	}
	if err = f.Chmod(mode); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// assembler turns a skeleton into the message that it stands for, piece by piece.
type assembler struct {
	skeleton []byte
	raws     [][]byte
	sizes    []int // of the nested messages that hold tensors, in the order of the skeleton
	next     int   // in sizes
}

// newAssembler also returns the size of the encoded model.
func newAssembler(m *ModelProto) (*assembler, int, error) {
	if m == nil {
		return nil, 0, fmt.Errorf("the model is empty")
	}
	a := &assembler{}
	cut := a.cut(m.ProtoReflect(), modelKind)
	var err error
	if a.skeleton, err = (proto.MarshalOptions{Deterministic: true}).Marshal(cut.Interface()); err != nil {
		return nil, 0, err
	}
	size := a.measure(a.skeleton, modelKind)
	if size > maxFile {
		return nil, 0, fmt.Errorf("the model takes %d bytes, more than the %d that its format allows", size, maxFile)
	}
	return a, size, nil
}

// cut returns a copy of m that shares all but the messages on the way to tensors, with raw_data replaced by indices
// into a.raws. m is not changed.
func (a *assembler) cut(m protoreflect.Message, k kind) protoreflect.Message {
	c := m.New()
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		child := k.child(fd.Number())
		switch {
		case k == tensorKind && fd.Number() == rawDataField:
			v = protoreflect.ValueOfBytes(protowire.AppendVarint(nil, uint64(len(a.raws))))
			a.raws = append(a.raws, m.Get(fd).Bytes())
		case child != leaf && fd.IsList():
			list, from := c.NewField(fd).List(), v.List()
			for i := range from.Len() {
				list.Append(protoreflect.ValueOfMessage(a.cut(from.Get(i).Message(), child)))
			}
			v = protoreflect.ValueOfList(list)
		case child != leaf:
			v = protoreflect.ValueOfMessage(a.cut(v.Message(), child))
		}
		c.Set(fd, v)
		return true
	})
	c.SetUnknown(m.GetUnknown())
	return c
}

// measure returns the size of the message that b, a skeleton of kind k, stands for.
func (a *assembler) measure(b []byte, k kind) int {
	size := 0
	for len(b) > 0 {
		f := a.field(b, k)
		switch {
		case f.child != leaf:
			i := len(a.sizes)
			a.sizes = append(a.sizes, 0)
			a.sizes[i] = a.measure(f.content, f.child)
			size += f.tag + protowire.SizeBytes(a.sizes[i])
		case f.raw:
			size += f.tag + protowire.SizeBytes(len(a.contentOf(f)))
		default:
			size += f.size
		}
		b = b[f.size:]
	}
	return size
}

// write writes the whole message.
func (a *assembler) write(w io.Writer) error {
	a.next = 0
	return a.emit(w, a.skeleton, modelKind)
}

func (a *assembler) emit(w io.Writer, b []byte, k kind) error {
	var head [binaryHead]byte
	for len(b) > 0 {
		f := a.field(b, k)
		var err error
		switch {
		case f.child != leaf:
			size := a.sizes[a.next]
			a.next++
			if _, err = w.Write(protowire.AppendVarint(append(head[:0], b[:f.tag]...), uint64(size))); err == nil {
				err = a.emit(w, f.content, f.child)
			}
		case f.raw:
			content := a.contentOf(f)
			if _, err = w.Write(protowire.AppendVarint(append(head[:0], b[:f.tag]...), uint64(len(content)))); err == nil {
				_, err = w.Write(content)
			}
		default:
			_, err = w.Write(b[:f.size])
		}
		if err != nil {
			return err
		}
		b = b[f.size:]
	}
	return nil
}

// binaryHead is enough for a tag and a length.
const binaryHead = 20

// wireField is the first field of a skeleton: the sizes of its tag and of the whole field.
type wireField struct {
	tag, size int
	content   []byte // of a nested message or a raw_data
	child     kind
	raw       bool
}

// field reads a field of a skeleton that the protobuf library has just written, and which is therefore whole.
func (a *assembler) field(b []byte, k kind) wireField {
	num, typ, n := protowire.ConsumeTag(b)
	f := wireField{tag: n, size: n + protowire.ConsumeFieldValue(num, typ, b[n:])}
	if typ == protowire.BytesType {
		f.child, f.raw = k.child(num), k == tensorKind && num == rawDataField
		f.content, _ = protowire.ConsumeBytes(b[n:])
	}
	return f
}

func (a *assembler) contentOf(f wireField) []byte {
	i, _ := protowire.ConsumeVarint(f.content)
	return a.raws[i]
}
