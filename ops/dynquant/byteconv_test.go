package dynquant

import (
	"math/rand/v2"
	"testing"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

// convCase is a convolution with all that moves it; spatial sizes are given for every dimension.
type convCase struct {
	n, c, m, groups                       int
	in, kernel, stride, dilate, pad, tail []int64 // tail: padding after
}

func (k *convCase) attrs() []graph.Attr {
	return []graph.Attr{intAttr("group", k.groups), intsAttr("strides", k.stride...), intsAttr("dilations", k.dilate...),
		intsAttr("pads", append(append([]int64{}, k.pad...), k.tail...)...)}
}

func (k *convCase) shapes() (x, w, y []int) {
	x, w, y = []int{k.n, k.c}, []int{k.m, k.c / k.groups}, []int{k.n, k.m}
	for i := range k.in {
		x, w = append(x, int(k.in[i])), append(w, int(k.kernel[i]))
		y = append(y, int((k.in[i]+k.pad[i]+k.tail[i]-(k.kernel[i]-1)*k.dilate[i]-1)/k.stride[i]+1))
	}
	return x, w, y
}

// reference is the convolution from its definition, in int64.
func (k *convCase) reference(x, w *tensor.Tensor, zx float64, zw func(ch int) float64) []int32 {
	sx, sw, sy := k.shapes()
	xv, wv := values(x), values(w)
	out := make([]int32, count(sy))
	pos, tap := make([]int, len(k.in)), make([]int, len(k.in))
	for i := range out {
		flat := i
		for d := len(pos) - 1; d >= 0; d-- {
			pos[d], flat = flat%sy[2+d], flat/sy[2+d]
		}
		ch, b := flat%k.m, flat/k.m
		acc := int64(0)
		for j := range count(sw[1:]) {
			rest, inside, at := j, true, 0
			for d := len(tap) - 1; d >= 0; d-- {
				tap[d], rest = rest%sw[2+d], rest/sw[2+d]
			}
			at = b*k.c + ch/(k.m/k.groups)*(k.c/k.groups) + rest
			for d := range tap {
				p := pos[d]*int(k.stride[d]) + tap[d]*int(k.dilate[d]) - int(k.pad[d])
				inside = inside && p >= 0 && p < sx[2+d]
				at = at*sx[2+d] + p
			}
			if inside {
				acc += int64(xv[at]-zx) * int64(wv[ch*count(sw[1:])+j]-zw(ch))
			}
		}
		out[i] = int32(acc)
	}
	return out
}

func randomConv(r *rand.Rand) convCase {
	groups := []int{1, 1, 2, 3, 8}[r.IntN(5)]
	k := convCase{n: 1 + r.IntN(2), groups: groups, c: groups * (1 + r.IntN(4)), m: groups * (1 + r.IntN(20))}
	for range 1 + r.IntN(3) {
		kernel, dilate := int64(1+r.IntN(3)), int64(1+r.IntN(2))
		k.in = append(k.in, (kernel-1)*dilate+1+int64(r.IntN(14)))
		k.kernel, k.dilate = append(k.kernel, kernel), append(k.dilate, dilate)
		k.stride, k.pad, k.tail = append(k.stride, int64(1+r.IntN(3))), append(k.pad, int64(r.IntN(3))), append(k.tail, int64(r.IntN(2)))
	}
	return k
}

func TestConvIntegerRandom(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for i := range 120 {
		k := randomConv(r)
		dx, dw := byteTypes[r.IntN(2)], byteTypes[r.IntN(2)]
		shapeX, shapeW, shapeY := k.shapes()
		x, w := randomBytes(t, r, dx, i%3 == 0, shapeX...), randomBytes(t, r, dw, i%3 == 0, shapeW...)
		in := []*tensor.Tensor{x, w, nil, nil}
		zx, zw := 0.0, noZero
		if r.IntN(3) > 0 {
			in[2] = randomBytes(t, r, dx, false)
			zx = values(in[2])[0]
		}
		if n := []int{0, 1, k.m}[r.IntN(3)]; n > 0 {
			in[3] = randomBytes(t, r, dw, false, n)
			zw = columnOf(in[3], k.m)
		}
		want := of(t, k.reference(x, w, zx, func(ch int) float64 { return zw(0, ch) }), shapeY...)
		for _, kern := range backend.All() {
			got := mustEval(t, kern, "ConvInteger", 10, k.attrs(), in...)
			if text := sameBits(got, want); text != "" {
				t.Fatalf("%s: %+v of %v: %s", kern.Name(), k, in, text)
			}
		}
	}
}

func TestQLinearConvSaturates(t *testing.T) {
	x, w := of(t, []uint8{10, 20, 30, 40}, 1, 1, 4), of(t, []int8{2, -3}, 2, 1, 1)
	one := of(t, []float32{1})
	for _, c := range []struct {
		zero, want *tensor.Tensor
	}{
		{of(t, []uint8{5}), of(t, []uint8{25, 45, 65, 85, 0, 0, 0, 0}, 1, 2, 4)},
		{of(t, []int8{-5}), of(t, []int8{15, 35, 55, 75, -35, -65, -95, -125}, 1, 2, 4)},
	} {
		got := mustEval(t, backend.All()[0], "QLinearConv", 10, nil, x, one, of(t, []uint8{0}), w, of(t, []float32{1, 1}), of(t, []int8{0, 0}), one, c.zero)
		if text := sameBits(got, c.want); text != "" {
			t.Error(text)
		}
	}
}

func TestConvIntegerErrors(t *testing.T) {
	u8 := func(shape ...int) *tensor.Tensor {
		x, err := tensor.New(tensor.Uint8, shape...)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	wantErr(t, "need 3 input channels", "ConvInteger", 10, nil, u8(1, 2, 4, 4), u8(5, 3, 1, 1))
	wantErr(t, "smaller than the kernel", "ConvInteger", 10, nil, u8(1, 2, 4, 4), u8(5, 2, 5, 1))
	wantErr(t, "groups do not divide", "ConvInteger", 10, []graph.Attr{intAttr("group", 2)}, u8(1, 2, 4), u8(5, 1, 1))
	wantErr(t, "one to three", "ConvInteger", 10, nil, u8(1, 2, 4, 4, 4, 4), u8(5, 2, 1, 1, 1, 1))
	wantErr(t, "one element", "ConvInteger", 10, nil, u8(1, 2, 4), u8(5, 2, 1), u8(2))
	wantErr(t, "kernel_shape", "ConvInteger", 10, []graph.Attr{intsAttr("kernel_shape", 3)}, u8(1, 2, 4), u8(5, 2, 1))
	wantErr(t, "attribute pads", "ConvInteger", 10, []graph.Attr{intsAttr("pads", -1, 0)}, u8(1, 2, 4), u8(5, 2, 1))
	wantErr(t, "one element or 5", "ConvInteger", 10, nil, u8(1, 2, 4), u8(5, 2, 1), nil, u8(2))
}
