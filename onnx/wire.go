package onnx

import (
	"unsafe"

	"google.golang.org/protobuf/encoding/protowire"
)

// kind names the messages that can hold a TensorProto somewhere below; every other field is a leaf to the walkers in
// this package.
type kind uint8

const (
	leaf kind = iota
	modelKind
	graphKind
	nodeKind
	attributeKind
	functionKind
	trainingKind
	sparseKind
	tensorKind
)

var kindNames = [...]string{leaf: "field", modelKind: "model", graphKind: "graph", nodeKind: "node", attributeKind: "attribute",
	functionKind: "function", trainingKind: "training info", sparseKind: "sparse tensor", tensorKind: "tensor"}

// Fields of TensorProto.
const (
	dimsField      protowire.Number = 1
	dataTypeField  protowire.Number = 2
	floatDataField protowire.Number = 4
	rawDataField   protowire.Number = 9
)

// children gives the kind of the message in each field of each kind of message.
var children = [...][26]kind{
	modelKind:     {7: graphKind, 20: trainingKind, 25: functionKind},
	graphKind:     {1: nodeKind, 5: tensorKind, 15: sparseKind},
	nodeKind:      {5: attributeKind},
	attributeKind: {5: tensorKind, 6: graphKind, 10: tensorKind, 11: graphKind, 22: sparseKind, 23: sparseKind},
	functionKind:  {7: nodeKind, 11: attributeKind},
	trainingKind:  {1: graphKind, 2: graphKind},
	sparseKind:    {1: tensorKind, 2: tensorKind},
	tensorKind:    {},
}

func (k kind) child(num protowire.Number) kind {
	if int(num) >= len(children[k]) {
		return leaf
	}
	return children[k][num]
}

// A skeleton is an encoded message in which the contents of every raw_data are replaced by a varint: the index into a
// list of the contents. It is small, so the protobuf library may copy it at will, and lengths in it may be padded. Packed
// float_data, which are the same bytes, are taken out likewise: raw_data stands for them.

// skeletonOf walks data, a message of kind k, and returns its skeleton and the contents, which are views of data.
func skeletonOf(data []byte, k kind) (skeleton []byte, raws []rawContent, err error) {
	s := stripper{data: data}
	if err := s.message(k, 0, len(data), 1); err != nil {
		return nil, nil, err
	}
	return s.out, s.raws, nil
}

type stripper struct {
	data []byte
	out  []byte
	raws []rawContent
}

// rawContent is what was taken out of a tensor: raw_data, or float_data.
type rawContent struct {
	data   []byte
	floats bool
}

// message walks data[at:end].
func (s *stripper) message(k kind, at, end, depth int) error {
	if depth > maxDepth {
		return formatErr("messages nested deeper than %d", maxDepth)
	}
	floats := k == tensorKind && onlyPackedFloats(s.data[at:end])
	for at < end {
		num, typ, n := protowire.ConsumeTag(s.data[at:end])
		if n < 0 {
			return badWire(k, at, n)
		}
		value := at + n
		child, raw := k.child(num), k == tensorKind && (num == rawDataField || floats && num == floatDataField)
		if typ != protowire.BytesType || child == leaf && !raw {
			v := protowire.ConsumeFieldValue(num, typ, s.data[value:end])
			if v < 0 {
				return badWire(k, at, v)
			}
			s.out = append(s.out, s.data[at:value+v]...)
			at = value + v
			continue
		}
		content, v := protowire.ConsumeBytes(s.data[value:end])
		if v < 0 {
			return badWire(k, at, v)
		}
		if raw {
			s.out = protowire.AppendTag(s.out, rawDataField, protowire.BytesType)
		} else {
			s.out = append(s.out, s.data[at:value]...)
		}
		at = value + v
		if raw {
			s.out = protowire.AppendVarint(s.out, uint64(protowire.SizeVarint(uint64(len(s.raws)))))
			s.out = protowire.AppendVarint(s.out, uint64(len(s.raws)))
			s.raws = append(s.raws, rawContent{content[:len(content):len(content)], num == floatDataField})
			continue
		}
		length := len(s.out)
		s.out = append(s.out, make([]byte, paddedLen)...)
		if err := s.message(child, at-len(content), at, depth+1); err != nil {
			return err
		}
		putPadded(s.out[length:], len(s.out)-length-paddedLen)
	}
	return nil
}

// minFloats is the size in bytes from which float_data are worth a look.
const minFloats = 1 << 10

// onlyPackedFloats reports whether an encoded float32 tensor has all its elements in one packed float_data, as many as
// its shape says.
func onlyPackedFloats(tensor []byte) bool {
	if len(tensor) < minFloats {
		return false
	}
	bytes, elements, isFloat := -1, uint64(1), false
	for at := 0; at < len(tensor); {
		num, typ, n := protowire.ConsumeTag(tensor[at:])
		if n < 0 {
			return false
		}
		at += n
		v := protowire.ConsumeFieldValue(num, typ, tensor[at:])
		if v < 0 {
			return false
		}
		value := tensor[at : at+v]
		at += v
		switch num {
		case dimsField:
			if typ == protowire.BytesType {
				value, _ = protowire.ConsumeBytes(value)
			}
			for len(value) > 0 {
				d, n := protowire.ConsumeVarint(value)
				if n < 0 || d > maxFile || elements > maxFile {
					return false
				}
				elements *= d
				value = value[n:]
			}
		case dataTypeField:
			d, _ := protowire.ConsumeVarint(value)
			isFloat = d == uint64(TensorProto_FLOAT)
		case floatDataField:
			if typ != protowire.BytesType || bytes >= 0 {
				return false
			}
			content, _ := protowire.ConsumeBytes(value)
			bytes = len(content)
		case rawDataField:
			return false
		}
	}
	return isFloat && bytes >= minFloats && uint64(bytes) == 4*elements
}

// floatsOf copies packed floats: the tensor that they make does not hold the file.
func floatsOf(data []byte) []float32 {
	f := make([]float32, len(data)/4)
	copyUnits(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(f))), 4*len(f)), data, 4)
	return f
}

// paddedLen is the size of the lengths written into a skeleton.
const paddedLen = 5

func putPadded(dst []byte, v int) {
	for i := range paddedLen - 1 {
		dst[i] = byte(v) | 0x80
		v >>= 7
	}
	dst[paddedLen-1] = byte(v)
}

func badWire(k kind, at, code int) error {
	return formatErr("%s: %v at byte %d", kindNames[k], protowire.ParseError(code), at)
}
