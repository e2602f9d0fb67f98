package dynquant

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func randomFloats(r *rand.Rand, n int, offset float32) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(r.NormFloat64()) + offset
	}
	return v
}

// quantizedConv is QConv from its definition: each sample, or with whole the tensor, on its grid, integer sums, and one
// rounding for each step.
func (k *convCase) quantizedConv(t *testing.T, x, w, b, z []float32, whole bool, act string) []float32 {
	shapeX, shapeW, shapeY := k.shapes()
	depth, size := count(shapeW[1:]), len(x)/k.n
	q, scaleW := make([]int8, len(w)), make([]float32, k.m)
	for m := range k.m {
		top := 0.0
		for _, v := range w[m*depth : (m+1)*depth] {
			top = max(top, math.Abs(float64(v)))
		}
		scaleW[m] = float32(top / 127)
		for i, v := range w[m*depth : (m+1)*depth] {
			q[m*depth+i] = int8(math.RoundToEven(float64(v / scaleW[m])))
		}
	}
	var y []float32
	one := *k
	one.n = 1
	for s := range k.n {
		part := x[s*size : (s+1)*size]
		span := part
		if whole {
			span = x
		}
		var mn, mx float32
		for _, v := range span {
			mn, mx = min(mn, v), max(mx, v)
		}
		scale, zero := backend.QuantizationU8(mn, mx)
		bytes := make([]uint8, size)
		for i, v := range part {
			bytes[i] = uint8(max(0, min(255, math.RoundToEven(float64(v/scale))+float64(zero))))
		}
		sx := append([]int{1}, shapeX[1:]...)
		sums := one.reference(of(t, bytes, sx...), of(t, q, shapeW...), float64(zero), func(int) float64 { return 0 })
		for i, acc := range sums {
			m := i / count(shapeY[2:])
			v := float32(float32(acc)*float32(scale*scaleW[m])) + b[m]
			if z != nil {
				v += z[s*len(sums)+i]
			}
			if act == "Relu" {
				v = max(v, 0)
			}
			y = append(y, v)
		}
	}
	return y
}

func TestQConv(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for i := range 60 {
		k := randomConv(r)
		shapeX, shapeW, shapeY := k.shapes()
		x, w, b := randomFloats(r, count(shapeX), 0.5), randomFloats(r, count(shapeW), 0), randomFloats(r, k.m, 0)
		profile, act := []string{"row", "onnx"}[i%2], []string{"", "Relu"}[r.IntN(2)]
		attrs := append(k.attrs(), graph.StrA("profile", profile), graph.StrA("activation", act))
		in := []*tensor.Tensor{of(t, x, shapeX...), of(t, w, shapeW...), of(t, b, k.m)}
		var z []float32
		if i%3 == 0 {
			z = randomFloats(r, count(shapeY), 0)
			in = append(in, of(t, z, shapeY...))
		}
		want := of(t, k.quantizedConv(t, x, w, b, z, profile == "onnx", act), shapeY...)
		for _, kern := range backend.All() {
			if text := sameBits(mustEval(t, kern, "qrun.QConv", 1, attrs, in...), want); text != "" {
				t.Fatalf("%s: %+v, profile %s, %q: %s", kern.Name(), k, profile, act, text)
			}
		}
	}
}

// TestQConvResidualLast adds the residual behind the activation.
func TestQConvResidualLast(t *testing.T) {
	x, w, z := of(t, []float32{1, -1, 0.5, 2}, 1, 1, 4), of(t, []float32{1, -1}, 2, 1, 1), of(t, []float32{1, 2, 3, 4, 5, 6, 7, 8}, 1, 2, 4)
	attrs := []graph.Attr{graph.StrA("activation", "Relu"), graph.IntA("residual_last", 1)}
	for _, kern := range backend.All() {
		plain := tensor.View[float32](mustEval(t, kern, "qrun.QConv", 1, nil, x, w))
		got := tensor.View[float32](mustEval(t, kern, "qrun.QConv", 1, attrs, x, w, nil, z))
		for i, v := range got {
			if want := max(plain[i], 0) + tensor.View[float32](z)[i]; v != want {
				t.Errorf("%s: element %d is %g, want %g", kern.Name(), i, v, want)
			}
		}
	}
}

// TestQConvSamplesAreAlone: in profile row a sample has the same bits alone and in a batch, beside a NaN too, which makes
// its own sample NaN and no other.
func TestQConvSamplesAreAlone(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	const n, c, m, side = 3, 5, 9, 12
	x, w := randomFloats(r, n*c*side*side, 0), of(t, randomFloats(r, m*c*9, 0), m, c, 3, 3)
	for i := range c * side * side {
		x[i] *= 100
	}
	x[2*c*side*side+7] = float32(math.NaN())
	attrs := []graph.Attr{intsAttr("pads", 1, 1, 1, 1)}
	for _, kern := range backend.All() {
		all := tensor.View[float32](mustEval(t, kern, "qrun.QConv", 1, attrs, of(t, x, n, c, side, side), w))
		alone := mustEval(t, kern, "qrun.QConv", 1, attrs, of(t, x[c*side*side:2*c*side*side], 1, c, side, side), w)
		if text := sameBits(of(t, all[m*side*side:2*m*side*side], 1, m, side, side), alone); text != "" {
			t.Errorf("%s: %s", kern.Name(), text)
		}
		for i, v := range all {
			if last := i >= 2*m*side*side; last != (v != v) {
				t.Fatalf("%s: element %d of sample %d is %g", kern.Name(), i, i/(m*side*side), v)
			}
		}
	}
}

// TestDepthwiseConvInteger covers the planes that are summed in float32.
func TestDepthwiseConvInteger(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 1))
	for _, kernel := range []int64{3, 5} {
		for _, stride := range []int64{1, 2} {
			for _, pad := range []int64{0, 1, 2} {
				k := convCase{n: 2, c: 6, m: 6, groups: 6, in: []int64{19, 37}, kernel: []int64{kernel, kernel}, stride: []int64{stride, stride},
					dilate: []int64{1, 1}, pad: []int64{pad, pad}, tail: []int64{pad, pad}}
				shapeX, shapeW, shapeY := k.shapes()
				for _, dx := range byteTypes {
					x, w := randomBytes(t, r, dx, pad == 2, shapeX...), randomBytes(t, r, tensor.Int8, pad == 2, shapeW...)
					zero := randomBytes(t, r, dx, false)
					want := of(t, k.reference(x, w, values(zero)[0], func(int) float64 { return 0 }), shapeY...)
					for _, kern := range backend.All() {
						if text := sameBits(mustEval(t, kern, "ConvInteger", 10, k.attrs(), x, w, zero), want); text != "" {
							t.Fatalf("%s: %+v of %v: %s", kern.Name(), k, dx, text)
						}
					}
				}
			}
		}
	}
}

func TestQConvErrors(t *testing.T) {
	x, w := of(t, make([]float32, 16), 1, 2, 8), of(t, make([]float32, 12), 3, 2, 2)
	wantErr(t, "want a residual of shape", "qrun.QConv", 1, nil, x, w, nil, of(t, make([]float32, 3), 3))
	wantErr(t, "need 2 input channels", "qrun.QConv", 1, nil, of(t, make([]float32, 8), 1, 1, 8), w)
	wantErr(t, "profile", "qrun.QConv", 1, []graph.Attr{graph.StrA("profile", "none")}, x, w)
	w.Bytes()[3] = 0x7f
	w.Bytes()[2] = 0xc0
	wantErr(t, "NaN or infinite", "qrun.QConv", 1, nil, x, w)
}
