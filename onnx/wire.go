package onnx

import (
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

// rawDataField is TensorProto.raw_data.
const rawDataField protowire.Number = 9

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
// list of the contents. It is small, so the protobuf library may copy it at will, and lengths in it may be padded.

// skeletonOf walks data, a message of kind k, and returns its skeleton and the contents, which are views of data.
func skeletonOf(data []byte, k kind) (skeleton []byte, raws [][]byte, err error) {
	s := stripper{data: data}
	if err := s.message(k, 0, len(data), 1); err != nil {
		return nil, nil, err
	}
	return s.out, s.raws, nil
}

type stripper struct {
	data []byte
	out  []byte
	raws [][]byte
}

// message walks data[at:end].
func (s *stripper) message(k kind, at, end, depth int) error {
	if depth > maxDepth {
		return formatErr("messages nested deeper than %d", maxDepth)
	}
	for at < end {
		num, typ, n := protowire.ConsumeTag(s.data[at:end])
		if n < 0 {
			return badWire(k, at, n)
		}
		value := at + n
		child, raw := k.child(num), k == tensorKind && num == rawDataField
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
		s.out = append(s.out, s.data[at:value]...)
		at = value + v
		if raw {
			s.out = protowire.AppendVarint(s.out, uint64(protowire.SizeVarint(uint64(len(s.raws)))))
			s.out = protowire.AppendVarint(s.out, uint64(len(s.raws)))
			s.raws = append(s.raws, content[:len(content):len(content)])
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
