package onnx

import (
	"fmt"
	"math"

	"github.com/qrun-onnx/qrun/tensor"
)

// SpecOf converts a type. No type, or no element type, gives a Spec that knows as little; a negative size is taken as
// unknown, as some exporters mean it. Map, opaque and sparse types have no Spec: the error wraps ErrUnsupported.
func SpecOf(p *TypeProto) (tensor.Spec, error) {
	switch v := p.GetValue().(type) {
	case nil:
		return tensor.Spec{}, nil
	case *TypeProto_TensorType:
		return tensorSpec(v.TensorType)
	case *TypeProto_SequenceType:
		elem, err := SpecOf(v.SequenceType.GetElemType())
		return tensor.Spec{Kind: tensor.KindSequence, Elem: &elem}, err
	case *TypeProto_OptionalType:
		elem, err := SpecOf(v.OptionalType.GetElemType())
		return tensor.Spec{Kind: tensor.KindOptional, Elem: &elem}, err
	case *TypeProto_MapType:
		return tensor.Spec{}, fmt.Errorf("a map type is %w", ErrUnsupported)
	case *TypeProto_SparseTensorType:
		return tensor.Spec{}, fmt.Errorf("a sparse tensor type is %w", ErrUnsupported)
	default:
		return tensor.Spec{}, fmt.Errorf("an opaque type is %w", ErrUnsupported)
	}
}

func tensorSpec(p *TypeProto_Tensor) (tensor.Spec, error) {
	d := tensor.DType(p.GetElemType())
	if int32(d) != p.GetElemType() || d != tensor.Undefined && !d.Valid() {
		return tensor.Spec{}, formatErr("%d is not an element type", p.GetElemType())
	}
	if p.GetShape() == nil {
		return tensor.Unranked(d), nil
	}
	dims := make([]tensor.Dim, len(p.Shape.GetDim()))
	for i, dim := range p.Shape.GetDim() {
		dims[i] = tensor.Dim{Name: dim.GetDimParam(), Size: -1}
		if v, ok := dim.GetValue().(*TensorShapeProto_Dimension_DimValue); ok && v.DimValue >= 0 {
			if v.DimValue > math.MaxInt {
				return tensor.Spec{}, formatErr("dimension %d of size %d is too large", i, v.DimValue)
			}
			dims[i].Size = int(v.DimValue)
		}
	}
	return tensor.Ranked(d, dims), nil
}

// TypeOf is the inverse of SpecOf.
func TypeOf(s tensor.Spec) *TypeProto {
	elem := func() *TypeProto {
		if s.Elem == nil {
			return nil
		}
		return TypeOf(*s.Elem)
	}
	switch {
	case s.Kind == tensor.KindSequence:
		return &TypeProto{Value: &TypeProto_SequenceType{SequenceType: &TypeProto_Sequence{ElemType: elem()}}}
	case s.Kind == tensor.KindOptional:
		return &TypeProto{Value: &TypeProto_OptionalType{OptionalType: &TypeProto_Optional{ElemType: elem()}}}
	case s.DType == tensor.Undefined && !s.Ranked:
		return &TypeProto{}
	}
	t := &TypeProto_Tensor{ElemType: new(int32(s.DType))}
	if s.Ranked {
		t.Shape = &TensorShapeProto{}
		for _, d := range s.Dims {
			dim := &TensorShapeProto_Dimension{}
			if d.Known() {
				dim.Value = &TensorShapeProto_Dimension_DimValue{DimValue: int64(d.Size)}
			} else if d.Name != "" {
				dim.Value = &TensorShapeProto_Dimension_DimParam{DimParam: d.Name}
			}
			t.Shape.Dim = append(t.Shape.Dim, dim)
		}
	}
	return &TypeProto{Value: &TypeProto_TensorType{TensorType: t}}
}

// NewValueInfo describes a graph input, an output or a value in between.
func NewValueInfo(name string, s tensor.Spec) *ValueInfoProto {
	return &ValueInfoProto{Name: &name, Type: TypeOf(s)}
}
