package onnxgo_test

import (
	"reflect"
	"slices"
	"testing"

	"gorgonia.org/tensor"

	gorgonnx "github.com/qrun-onnx/qrun/backend/onnxgo"
	mt "github.com/qrun-onnx/qrun/internal/modeltest"
	qtensor "github.com/qrun-onnx/qrun/tensor"
)

type span struct{ start, end int }

func (s span) Start() int { return s.start }
func (s span) End() int   { return s.end }
func (s span) Step() int  { return 1 }

func matrix() *tensor.Dense { return f32([]float32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, 3, 4) }

func slice(t *testing.T, d *tensor.Dense, s ...tensor.Slice) tensor.Tensor {
	t.Helper()
	v, err := d.Slice(s...)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestFromGorgonia(t *testing.T) {
	transposed := matrix()
	if err := transposed.T(); err != nil {
		t.Fatal(err)
	}
	moved := matrix()
	if err := moved.T(); err != nil {
		t.Fatal(err)
	}
	if err := moved.Transpose(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		in     tensor.Tensor
		want   *qtensor.Tensor
		shared bool
	}{
		{"whole", matrix(), mt.Tensor([]float32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, 3, 4), true},
		{"rows", slice(t, matrix(), span{1, 3}), mt.Tensor([]float32{4, 5, 6, 7, 8, 9, 10, 11}, 2, 4), true},
		{"row", slice(t, matrix(), span{1, 2}), mt.Tensor([]float32{4, 5, 6, 7}, 4), true},
		{"columns", slice(t, matrix(), nil, span{1, 3}), mt.Tensor([]float32{1, 2, 5, 6, 9, 10}, 3, 2), false},
		{"column", slice(t, matrix(), nil, span{1, 2}), mt.Tensor([]float32{1, 5, 9}, 3), false},
		{"element", slice(t, matrix(), span{1, 2}, span{1, 2}), qtensor.Scalar(float32(5)), false},
		{"transposed", transposed, mt.Tensor([]float32{0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11}, 4, 3), false},
		{"transposed for good", moved, mt.Tensor([]float32{0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11}, 4, 3), true},
		{"column-major", tensor.New(tensor.WithShape(2, 3), tensor.AsFortran([]float32{1, 2, 3, 4, 5, 6})),
			mt.Tensor([]float32{1, 2, 3, 4, 5, 6}, 2, 3), false},
		{"scalar", tensor.New(tensor.FromScalar(int32(7))), qtensor.Scalar(int32(7)), false},
		{"one element", f32([]float32{3}, 1, 1), mt.Tensor([]float32{3}, 1, 1), true},
		{"int", tensor.New(tensor.WithShape(2), tensor.WithBacking([]int{-1, 2})), mt.Tensor([]int64{-1, 2}), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := gorgonnx.FromGorgonia(c.in)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got.Shape(), c.want.Shape()) || got.DType() != c.want.DType() || !slices.Equal(got.Bytes(), c.want.Bytes()) {
				t.Errorf("%v %v, want %v %v", got, got.Bytes(), c.want, c.want.Bytes())
			}
			if d, ok := c.in.Data().([]float32); ok && len(d) > 0 && len(got.Bytes()) > 0 {
				if shared := &d[0] == &qtensor.View[float32](got)[0]; shared != c.shared {
					t.Errorf("shared %v, want %v", shared, c.shared)
				}
			}
		})
	}
	for _, bad := range []tensor.Tensor{tensor.New(tensor.WithShape(2), tensor.WithBacking([]uintptr{1, 2})),
		tensor.New(tensor.WithShape(2), tensor.WithBacking([]float32{1, 2}, []bool{true, false}))} {
		if _, err := gorgonnx.FromGorgonia(bad); err == nil {
			t.Errorf("no error for %v", bad.Dtype())
		}
	}
}

// Every element type that both have comes back as it was, without a copy.
func TestRoundTrip(t *testing.T) {
	for _, in := range []*qtensor.Tensor{
		mt.Tensor([]float32{1, 2}), mt.Tensor([]float64{1, 2}), mt.Tensor([]int8{1, -2}), mt.Tensor([]int16{1, 2}), mt.Tensor([]int32{1, 2}),
		mt.Tensor([]int64{1, 2}), mt.Tensor([]uint8{1, 2}), mt.Tensor([]uint16{1, 2}), mt.Tensor([]uint32{1, 2}), mt.Tensor([]uint64{1, 2}),
		mt.Tensor([]bool{true, false}), mt.Tensor([]string{"a", "b"}), mt.Tensor([]complex64{1, 2i}), mt.Tensor([]complex128{1, 2i}),
		qtensor.Scalar(float32(3)), qtensor.Scalar("c"), qtensor.Scalar(true), mt.Tensor([]float32{1, 2, 3, 4}, 1, 2, 2),
	} {
		g, err := gorgonnx.ToGorgonia(in)
		if err != nil {
			t.Errorf("%v: %v", in, err)
			continue
		}
		out, err := gorgonnx.FromGorgonia(g)
		if err != nil {
			t.Errorf("%v: %v", in, err)
			continue
		}
		if !slices.Equal(out.Shape(), in.Shape()) || out.DType() != in.DType() || !slices.Equal(out.Bytes(), in.Bytes()) {
			t.Errorf("%v %v came back as %v %v", in, in.Bytes(), out, out.Bytes())
		}
		if in.Rank() > 0 && in.DType() != qtensor.String && !out.Overlaps(in) {
			t.Errorf("%v was copied", in)
		}
		if in.DType() == qtensor.String && !reflect.DeepEqual(qtensor.View[string](in), qtensor.View[string](out)) {
			t.Errorf("strings %v", qtensor.View[string](out))
		}
	}
	empty, err := qtensor.New(qtensor.Float32, 0, 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []*qtensor.Tensor{mt.Tensor([]qtensor.F16{1}), qtensor.SequenceOf(nil), empty} {
		if _, err := gorgonnx.ToGorgonia(bad); err == nil {
			t.Errorf("no error for %v", bad)
		}
	}
}
