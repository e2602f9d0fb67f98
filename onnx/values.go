package onnx

import (
	"fmt"
	"os"

	"google.golang.org/protobuf/proto"

	"github.com/qrun-onnx/qrun/tensor"
)

// NewTensorProto encodes a tensor as raw data, which share t's memory on little-endian machines. It fails for a
// sequence or an optional.
func NewTensorProto(name string, t *tensor.Tensor) (*TensorProto, error) {
	if t.Kind() != tensor.KindTensor {
		return nil, fmt.Errorf("%q is a %v, want a tensor", name, t.Spec())
	}
	p := &TensorProto{Name: &name, DataType: new(int32(t.DType())), Dims: make([]int64, t.Rank())}
	for i, n := range t.Shape() {
		p.Dims[i] = int64(n)
	}
	if t.DType() == tensor.String {
		for _, s := range tensor.View[string](t) {
			p.StringData = append(p.StringData, []byte(s))
		}
		return p, nil
	}
	p.RawData = t.Bytes()
	if unit := unitOf(t.DType()); !littleEndian && unit > 1 {
		p.RawData = make([]byte, len(t.Bytes()))
		copyUnits(p.RawData, t.Bytes(), unit)
	}
	if p.RawData == nil {
		p.RawData = []byte{}
	}
	return p, nil
}

// DecodeTensor reads a value in the form of ONNX's test data (input_0.pb): a TensorProto, SequenceProto or
// OptionalProto. The file does not say which: spec, of the model's input or output, does; the zero Spec means a tensor.
// It returns the name in the file, often "". data are not referred to any more.
func DecodeTensor(data []byte, spec tensor.Spec) (name string, t *tensor.Tensor, err error) {
	unmarshal := func(m proto.Message) error {
		if err := (proto.UnmarshalOptions{RecursionLimit: maxDepth}).Unmarshal(data, m); err != nil {
			return formatErr("%v", err)
		}
		return nil
	}
	switch spec.Kind {
	case tensor.KindSequence:
		p := &SequenceProto{}
		if err = unmarshal(p); err == nil {
			t, err = sequenceValue(p)
		}
		return p.GetName(), t, err
	case tensor.KindOptional:
		p := &OptionalProto{}
		if err = unmarshal(p); err == nil {
			t, err = optionalValue(p)
		}
		return p.GetName(), t, err
	}
	p := &TensorProto{}
	if err = unmarshal(p); err == nil {
		t, err = (*Model)(nil).Tensor(p)
	}
	return p.GetName(), t, err
}

// ReadTensorFile is DecodeTensor for a file.
func ReadTensorFile(path string, spec tensor.Spec) (name string, t *tensor.Tensor, err error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", nil, err
	}
	if name, t, err = DecodeTensor(data, spec); err != nil {
		return "", nil, fmt.Errorf("%s: %w", path, err)
	}
	return name, t, nil
}

func sequenceValue(p *SequenceProto) (*tensor.Tensor, error) {
	elems := []*tensor.Tensor{}
	var failed error
	add := func(t *tensor.Tensor, err error) {
		if failed == nil {
			elems, failed = append(elems, t), err
		}
	}
	switch SequenceProto_DataType(p.GetElemType()) {
	case SequenceProto_UNDEFINED: // an empty sequence may leave its type out
		if len(p.GetTensorValues()) > 0 {
			failed = formatErr("sequence %q does not say what it holds", p.GetName())
		}
	case SequenceProto_TENSOR:
		for _, v := range p.GetTensorValues() {
			add((*Model)(nil).Tensor(v))
		}
	case SequenceProto_SPARSE_TENSOR:
		for _, v := range p.GetSparseTensorValues() {
			add((*Model)(nil).Sparse(v))
		}
	case SequenceProto_SEQUENCE:
		for _, v := range p.GetSequenceValues() {
			add(sequenceValue(v))
		}
	case SequenceProto_OPTIONAL:
		for _, v := range p.GetOptionalValues() {
			add(optionalValue(v))
		}
	case SequenceProto_MAP:
		failed = fmt.Errorf("a sequence of maps is %w", ErrUnsupported)
	default:
		failed = formatErr("sequence %q holds values of kind %d", p.GetName(), p.GetElemType())
	}
	if failed != nil {
		return nil, failed
	}
	return tensor.SequenceOf(elems), nil
}

func optionalValue(p *OptionalProto) (*tensor.Tensor, error) {
	var v *tensor.Tensor
	var err error
	switch OptionalProto_DataType(p.GetElemType()) {
	case OptionalProto_UNDEFINED:
	case OptionalProto_TENSOR:
		if p.GetTensorValue() != nil {
			v, err = (*Model)(nil).Tensor(p.GetTensorValue())
		}
	case OptionalProto_SPARSE_TENSOR:
		if p.GetSparseTensorValue() != nil {
			v, err = (*Model)(nil).Sparse(p.GetSparseTensorValue())
		}
	case OptionalProto_SEQUENCE:
		if p.GetSequenceValue() != nil {
			v, err = sequenceValue(p.GetSequenceValue())
		}
	case OptionalProto_OPTIONAL:
		if p.GetOptionalValue() != nil {
			v, err = optionalValue(p.GetOptionalValue())
		}
	case OptionalProto_MAP:
		err = fmt.Errorf("an optional map is %w", ErrUnsupported)
	default:
		err = formatErr("optional %q holds a value of kind %d", p.GetName(), p.GetElemType())
	}
	if err != nil {
		return nil, err
	}
	return tensor.OptionalOf(v), nil
}
