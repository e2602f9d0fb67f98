package onnx

import (
	"fmt"
	"io"

	"google.golang.org/protobuf/proto"

	"github.com/qrun-onnx/qrun/tensor"
)

// EncodeTensor is the inverse of DecodeTensor: it writes a TensorProto, SequenceProto or OptionalProto, as the kind of
// t asks for.
func EncodeTensor(name string, t *tensor.Tensor) ([]byte, error) {
	m, err := valueProto(name, t)
	if err != nil {
		return nil, err
	}
	return proto.MarshalOptions{Deterministic: true}.Marshal(m)
}

// WriteTensorFile writes EncodeTensor's bytes to a file, which is complete or not there at all.
func WriteTensorFile(path, name string, t *tensor.Tensor) error {
	data, err := EncodeTensor(name, t)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return writeFile(path, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

func valueProto(name string, t *tensor.Tensor) (proto.Message, error) {
	switch t.Kind() {
	case tensor.KindSequence:
		return newSequence(name, t.Elems())
	case tensor.KindOptional:
		return newOptional(name, t.Elems())
	}
	return NewTensorProto(name, t)
}

// newSequence encodes a sequence; an empty one is written as one of tensors.
func newSequence(name string, elems []*tensor.Tensor) (*SequenceProto, error) {
	p := &SequenceProto{Name: &name, ElemType: new(int32(SequenceProto_TENSOR))}
	for i, e := range elems {
		if e.Kind() != elems[0].Kind() {
			return nil, fmt.Errorf("%q: element %d is a %v, the first a %v", name, i, e.Spec(), elems[0].Spec())
		}
		m, err := valueProto("", e)
		if err != nil {
			return nil, err
		}
		switch v := m.(type) {
		case *TensorProto:
			p.TensorValues = append(p.TensorValues, v)
		case *SequenceProto:
			p.ElemType = new(int32(SequenceProto_SEQUENCE))
			p.SequenceValues = append(p.SequenceValues, v)
		case *OptionalProto:
			p.ElemType = new(int32(SequenceProto_OPTIONAL))
			p.OptionalValues = append(p.OptionalValues, v)
		}
	}
	return p, nil
}

func newOptional(name string, elems []*tensor.Tensor) (*OptionalProto, error) {
	p := &OptionalProto{Name: &name, ElemType: new(int32(OptionalProto_UNDEFINED))}
	if len(elems) == 0 {
		return p, nil
	}
	m, err := valueProto("", elems[0])
	if err != nil {
		return nil, err
	}
	switch v := m.(type) {
	case *TensorProto:
		p.ElemType, p.TensorValue = new(int32(OptionalProto_TENSOR)), v
	case *SequenceProto:
		p.ElemType, p.SequenceValue = new(int32(OptionalProto_SEQUENCE)), v
	case *OptionalProto:
		p.ElemType, p.OptionalValue = new(int32(OptionalProto_OPTIONAL)), v
	}
	return p, nil
}
