package dynquant

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

// coded makes a tensor of any element type from numbers that it can hold.
func coded(t *testing.T, d tensor.DType, v []float64, shape ...int) *tensor.Tensor {
	t.Helper()
	x, err := tensor.New(d, shape...)
	if err != nil {
		t.Fatal(err)
	}
	encode(x, 0, v, true)
	return x
}

// TestQuantizeUndoesDequantize: every number of an integer type comes back, in one and in several scales.
func TestQuantizeUndoesDequantize(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	for _, d := range []tensor.DType{tensor.Uint8, tensor.Int8, tensor.Uint16, tensor.Int16, tensor.Uint4, tensor.Int4, tensor.Uint2, tensor.Int2} {
		lo, hi, _ := intRange(d)
		const n = 35 // not a whole number of bytes
		for _, c := range []struct {
			shape, scale []int
			attrs        []graph.Attr
		}{
			{[]int{n}, []int{}, nil},
			{[]int{3, n}, []int{n}, nil},
			{[]int{3, n}, []int{3}, []graph.Attr{intAttr("axis", 0)}},
			{[]int{3, n}, []int{3, 5}, []graph.Attr{intAttr("axis", -1), intAttr("block_size", 8)}},
			{[]int{3, n, 2}, []int{3, 4, 2}, []graph.Attr{intAttr("block_size", 9)}},
		} {
			x, z, s := make([]float64, count(c.shape)), make([]float64, count(c.scale)), make([]float64, count(c.scale))
			for i := range x {
				x[i] = lo + float64(r.IntN(int(hi-lo)+1))
			}
			for i := range z {
				z[i], s[i] = lo+float64(r.IntN(int(hi-lo)+1)), math.Ldexp(1, r.IntN(8)-4)
			}
			codes, zero, scale := coded(t, d, x, c.shape...), coded(t, d, z, c.scale...), coded(t, tensor.Float32, s, c.scale...)
			for _, k := range backend.All() {
				f := mustEval(t, k, "DequantizeLinear", 25, c.attrs, codes, scale, zero)
				if text := sameBits(mustEval(t, k, "QuantizeLinear", 25, c.attrs, f, scale, zero), codes); text != "" {
					t.Errorf("%s: %v %v by %v: %s", k.Name(), d, c.shape, c.scale, text)
				}
			}
		}
	}
}

func TestQuantizeEdges(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	x := []float32{nan, inf, -inf, 1e30, -1e30, 0.5, 1.5, 2.5, -0.5, -1.5, 0, 3, 3, 3, 3, 3, 3, 3, 3, 3}
	one := of(t, []float32{1})
	for _, c := range []struct {
		d    tensor.DType
		zero float64
		want []float64
	}{
		{tensor.Uint8, 10, []float64{0, 255, 0, 255, 0, 10, 12, 12, 10, 8, 10}},
		{tensor.Int8, -3, []float64{-128, 127, -128, 127, -128, -3, -1, -1, -3, -5, -3}},
		{tensor.Uint16, 7, []float64{0, 65535, 0, 65535, 0, 7, 9, 9, 7, 5, 7}},
		{tensor.Int4, 1, []float64{-8, 7, -8, 7, -8, 1, 3, 3, 1, -1, 1}},
	} {
		for range 9 {
			c.want = append(c.want, 3+c.zero)
		}
		want := coded(t, c.d, c.want, len(c.want))
		for _, k := range backend.All() {
			if text := sameBits(mustEval(t, k, "QuantizeLinear", 21, nil, of(t, x), one, coded(t, c.d, []float64{c.zero}, 1)), want); text != "" {
				t.Errorf("%s: %s", k.Name(), text)
			}
		}
	}
}

func TestQuantizeTypes(t *testing.T) {
	k := backend.All()[0]
	x := of(t, []float32{1, 2, -1000, 0.3})
	two := of(t, []float32{2})
	// the type of the zero point, of output_dtype, or uint8
	for _, c := range []struct {
		attrs []graph.Attr
		zero  *tensor.Tensor
		want  tensor.DType
	}{
		{nil, nil, tensor.Uint8},
		{[]graph.Attr{intAttr("output_dtype", int(tensor.Int4))}, nil, tensor.Int4},
		{nil, coded(t, tensor.Float8E4M3FN, []float64{0}, 1), tensor.Float8E4M3FN},
		{[]graph.Attr{intAttr("output_dtype", int(tensor.Float4E2M1))}, nil, tensor.Float4E2M1},
	} {
		if got := mustEval(t, k, "QuantizeLinear", 25, c.attrs, x, two, c.zero); got.DType() != c.want {
			t.Errorf("type %v, want %v", got.DType(), c.want)
		}
	}
	// saturate: what is beyond the largest float8 becomes it, or NaN
	big, f8 := of(t, []float32{1e6}), coded(t, tensor.Float8E4M3FN, []float64{0})
	for saturate, want := range map[int]float64{0: math.NaN(), 1: 448} {
		got := values(mustEval(t, k, "QuantizeLinear", 19, []graph.Attr{intAttr("saturate", saturate)}, big, two, f8))[0]
		if got != want && !(math.IsNaN(got) && math.IsNaN(want)) {
			t.Errorf("saturate=%d: %v, want %v", saturate, got, want)
		}
	}
	// 2.5001 rounds to the tie 2.5 in float16, the scale's type, and not in float32
	h := coded(t, tensor.Float16, []float64{1})
	near := of(t, []float32{2.5001})
	if got := values(mustEval(t, k, "QuantizeLinear", 25, nil, near, h))[0]; got != 2 {
		t.Errorf("float16 division: %v, want 2", got)
	}
	if got := values(mustEval(t, k, "QuantizeLinear", 25, []graph.Attr{intAttr("precision", 1)}, near, h))[0]; got != 3 {
		t.Errorf("float32 division: %v, want 3", got)
	}
	// int32 input
	if got := values(mustEval(t, k, "QuantizeLinear", 10, nil, of(t, []int32{7, -7, 1000}), two)); got[0] != 4 || got[1] != 0 || got[2] != 255 {
		t.Errorf("int32 input: %v", got)
	}
}

// powers makes float8e8m0 numbers of their bits.
func powers(t *testing.T, bits ...uint8) *tensor.Tensor {
	t.Helper()
	x, err := tensor.FromBytes(tensor.Float8E8M0, bits, len(bits))
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func TestDequantizeTypes(t *testing.T) {
	k := backend.All()[0]
	s := coded(t, tensor.Float16, []float64{0.5})
	got := mustEval(t, k, "DequantizeLinear", 19, nil, of(t, []int8{-4, 3}), s, of(t, []int8{1}))
	if text := sameBits(got, coded(t, tensor.Float16, []float64{-2.5, 1}, 2)); text != "" {
		t.Error(text)
	}
	got = mustEval(t, k, "DequantizeLinear", 23, []graph.Attr{intAttr("output_dtype", int(tensor.Float32))}, of(t, []uint8{9}), s)
	if text := sameBits(got, of(t, []float32{4.5})); text != "" {
		t.Error(text)
	}
	got = mustEval(t, k, "DequantizeLinear", 10, nil, of(t, []int32{1 << 24, -3}), of(t, []float32{0.25}))
	if text := sameBits(got, of(t, []float32{1 << 22, -0.75})); text != "" {
		t.Error(text)
	}
	e8 := powers(t, 125, 130) // 1/4 and 8
	got = mustEval(t, k, "DequantizeLinear", 24, []graph.Attr{intAttr("output_dtype", 1), intAttr("axis", 0), intAttr("block_size", 2)}, of(t, []int8{4, 8, 1}), e8)
	if text := sameBits(got, of(t, []float32{1, 2, 8})); text != "" {
		t.Error(text)
	}
	got = mustEval(t, k, microsoft+".DequantizeLinear", 1, nil, of(t, []uint8{9, 7}), of(t, []float32{0.5}), of(t, []uint8{8}))
	if text := sameBits(got, of(t, []float32{0.5, -0.5})); text != "" {
		t.Error(text)
	}
}

func TestQuantizeErrors(t *testing.T) {
	x, s := of(t, []float32{1, 2, 3, 4}, 2, 2), of(t, []float32{1, 2, 3})
	one := of(t, []float32{1})
	wantErr(t, "want one element or the 2 of axis 1", "QuantizeLinear", 13, nil, x, s)
	wantErr(t, "axis 2 is out of range", "QuantizeLinear", 13, []graph.Attr{intAttr("axis", 2)}, x, s)
	wantErr(t, `"block_size" is not known`, "QuantizeLinear", 13, []graph.Attr{intAttr("block_size", 2)}, x, one)
	wantErr(t, "blocks of 2 along axis 1", "QuantizeLinear", 21, []graph.Attr{intAttr("block_size", 2)}, x, of(t, []float32{1, 2, 3, 4}, 2, 2))
	wantErr(t, "does not fit the scale", "QuantizeLinear", 13, nil, x, one, of(t, []uint8{1, 2}))
	wantErr(t, "but output_dtype is", "QuantizeLinear", 21, []graph.Attr{intAttr("output_dtype", int(tensor.Int8))}, x, one, of(t, []uint8{1}))
	wantErr(t, "which is no element type", "QuantizeLinear", 21, []graph.Attr{intAttr("output_dtype", 258)}, x, one)
	wantErr(t, "not supported", "QuantizeLinear", 23, []graph.Attr{intAttr("precision", int(tensor.Float64))}, x, one)
	wantErr(t, "want 0", "QuantizeLinear", 19, nil, x, one, coded(t, tensor.Float8E5M2, []float64{1}))
	wantErr(t, "not supported", "QuantizeLinear", 13, nil, of(t, []float64{1}), one)
	wantErr(t, "need the attribute output_dtype", "DequantizeLinear", 24, nil, of(t, []int8{1}), powers(t, 127))
	wantErr(t, "want the same", "DequantizeLinear", 13, nil, of(t, []int8{1}), one, of(t, []uint8{1}))
}
