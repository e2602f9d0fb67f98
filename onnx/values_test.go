package onnx

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/qrun-onnx/qrun/tensor"
)

func TestSpec(t *testing.T) {
	ranked := func(d tensor.DType, dims ...tensor.Dim) tensor.Spec {
		return tensor.Ranked(d, append([]tensor.Dim{}, dims...))
	}
	elem := ranked(tensor.Float32, tensor.Dim{Name: "n", Size: -1}, tensor.Fixed(0), tensor.AnyDim)
	sequence := tensor.Spec{Kind: tensor.KindSequence, Elem: &elem}
	for _, s := range []tensor.Spec{
		{}, elem, sequence, {Kind: tensor.KindOptional, Elem: &sequence}, {Kind: tensor.KindSequence, Elem: &tensor.Spec{}},
		tensor.Unranked(tensor.String), ranked(tensor.Int64), ranked(tensor.Undefined, tensor.Fixed(3)), ranked(tensor.Int2, tensor.Fixed(1<<20)),
	} {
		info := NewValueInfo("x", s)
		got, err := SpecOf(info.Type)
		if err != nil || !reflect.DeepEqual(got, s) {
			t.Errorf("%v became %v, %v", s, got, err)
		}
	}
	dim := func(v int64) *TypeProto {
		p := TypeOf(ranked(tensor.Float32, tensor.Fixed(1)))
		p.GetTensorType().Shape.Dim[0].Value = &TensorShapeProto_Dimension_DimValue{DimValue: v}
		return p
	}
	if got, err := SpecOf(dim(-1)); err != nil || got.Dims[0] != tensor.AnyDim {
		t.Errorf("a dimension of -1 became %v, %v; want an unknown one", got, err)
	}
	if got, err := SpecOf(&TypeProto{Value: &TypeProto_TensorType{}}); err != nil || got.Ranked || got.DType != tensor.Undefined {
		t.Errorf("a tensor type without content: %v, %v", got, err)
	}
	for _, c := range []struct {
		p    *TypeProto
		want error
	}{
		{&TypeProto{Value: &TypeProto_MapType{}}, ErrUnsupported},
		{&TypeProto{Value: &TypeProto_OpaqueType{}}, ErrUnsupported},
		{&TypeProto{Value: &TypeProto_SparseTensorType{}}, ErrUnsupported},
		{&TypeProto{Value: &TypeProto_TensorType{TensorType: &TypeProto_Tensor{ElemType: new(int32(99))}}}, ErrFormat},
		{&TypeProto{Value: &TypeProto_TensorType{TensorType: &TypeProto_Tensor{ElemType: new(int32(-255))}}}, ErrFormat},
	} {
		if _, err := SpecOf(c.p); !errors.Is(err, c.want) {
			t.Errorf("%v: %v, want %v", c.p, err, c.want)
		}
	}
}

func TestValueFiles(t *testing.T) {
	floats, text := mustOf(t, []float32{1, 2, 3, 4}, 2, 2), mustOf(t, []string{"a", ""}, 2)
	seq := tensor.SequenceOf([]*tensor.Tensor{floats, mustOf(t, []float32{}, 0)})
	path := filepath.Join(t.TempDir(), "value.pb")
	for _, v := range []*tensor.Tensor{
		floats, text, tensor.Scalar(true), tensor.Scalar(complex64(1i)), mustNew(t, tensor.Int4, 3), mustNew(t, tensor.Float8E8M0, 0),
		seq, tensor.SequenceOf(nil), tensor.SequenceOf([]*tensor.Tensor{seq, tensor.SequenceOf(nil)}),
		tensor.OptionalOf(nil), tensor.OptionalOf(text), tensor.OptionalOf(seq), tensor.OptionalOf(tensor.OptionalOf(floats)),
		tensor.SequenceOf([]*tensor.Tensor{tensor.OptionalOf(nil), tensor.OptionalOf(floats)}),
	} {
		if err := WriteTensorFile(path, "the name", v); err != nil {
			t.Error(err)
			continue
		}
		name, got, err := ReadTensorFile(path, v.Spec())
		if err != nil || name != "the name" || !sameValue(got, v) {
			t.Errorf("%v became %q %v, %v", v, name, got, err)
		}
	}
	if err := WriteTensorFile(path, "", tensor.SequenceOf([]*tensor.Tensor{floats, seq})); err == nil {
		t.Error("a sequence of tensors and sequences was written")
	}
	if _, err := NewTensorProto("", seq); err == nil {
		t.Error("a sequence became a TensorProto")
	}
	if err := os.WriteFile(path, []byte{0xff}, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, k := range []tensor.Kind{tensor.KindTensor, tensor.KindSequence, tensor.KindOptional} {
		if _, _, err := ReadTensorFile(path, tensor.Spec{Kind: k}); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), path) {
			t.Errorf("%v, want ErrFormat and the path", err)
		}
	}
	if _, _, err := ReadTensorFile(path+"x", tensor.Spec{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v, want os.ErrNotExist", err)
	}
}

func TestValueErrors(t *testing.T) {
	for _, c := range []struct {
		kind tensor.Kind
		m    proto.Message
		want error
	}{
		{tensor.KindSequence, &SequenceProto{TensorValues: []*TensorProto{{}}}, ErrFormat},
		{tensor.KindSequence, &SequenceProto{ElemType: new(int32(1)), TensorValues: []*TensorProto{{}}}, ErrFormat},
		{tensor.KindSequence, &SequenceProto{ElemType: new(int32(2)), SparseTensorValues: []*SparseTensorProto{{}}}, ErrFormat},
		{tensor.KindSequence, &SequenceProto{ElemType: new(int32(SequenceProto_MAP))}, ErrUnsupported},
		{tensor.KindSequence, &SequenceProto{ElemType: new(int32(77))}, ErrFormat},
		{tensor.KindOptional, &OptionalProto{ElemType: new(int32(OptionalProto_MAP))}, ErrUnsupported},
		{tensor.KindOptional, &OptionalProto{ElemType: new(int32(-1))}, ErrFormat},
		{tensor.KindOptional, &OptionalProto{ElemType: new(int32(2)), SparseTensorValue: &SparseTensorProto{}}, ErrFormat},
	} {
		data := marshal(t, c.m)
		if _, v, err := DecodeTensor(data, tensor.Spec{Kind: c.kind}); v != nil || !errors.Is(err, c.want) {
			t.Errorf("%v: %v, %v, want %v", c.m, v, err, c.want)
		}
	}
}

func FuzzDecodeTensor(f *testing.F) {
	v := mustOf(f, []float32{1, 2}, 1, 2)
	for kind, t := range map[tensor.Kind]*tensor.Tensor{tensor.KindTensor: v, tensor.KindSequence: tensor.SequenceOf([]*tensor.Tensor{v}),
		tensor.KindOptional: tensor.OptionalOf(v)} {
		data, err := EncodeTensor("x", t)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, uint8(kind))
	}
	f.Fuzz(func(t *testing.T, data []byte, kind uint8) {
		spec := tensor.Spec{Kind: tensor.Kind(kind % 3)}
		name, v, err := DecodeTensor(data, spec)
		if err != nil || v.Len() > 1<<20 { // a sparse tensor may be large
			return
		}
		again, err := EncodeTensor(name, v)
		if err != nil {
			return // a sequence of values of different kinds
		}
		if _, back, err := DecodeTensor(again, spec); err != nil || !sameValue(back, v) {
			t.Errorf("%v became %v, %v", v, back, err)
		}
	})
}

func sameValue(a, b *tensor.Tensor) bool {
	return a.Kind() == b.Kind() && a.DType() == b.DType() && slices.Equal(a.Shape(), b.Shape()) && slices.Equal(a.Bytes(), b.Bytes()) &&
		(a.DType() != tensor.String || slices.Equal(tensor.View[string](a), tensor.View[string](b))) &&
		slices.EqualFunc(a.Elems(), b.Elems(), sameValue)
}
