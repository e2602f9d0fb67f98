package dynquant

import (
	"math/rand/v2"
	"testing"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

// lastToFirst reorders a tensor with channels last to one with channels first.
func lastToFirst(t *testing.T, x *tensor.Tensor) *tensor.Tensor {
	s := x.Shape()
	c, in := s[len(s)-1], count(s[1:len(s)-1])
	y, err := tensor.New(x.DType(), append([]int{s[0], c}, s[1:len(s)-1]...)...)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range x.Bytes() {
		y.Bytes()[(i/(c*in)*c+i%c)*in+i/c%in] = v
	}
	return y
}

// TestAveragePoolOrders: channels first, computed by planes in float32, and last, by windows in integers.
func TestAveragePoolOrders(t *testing.T) {
	r := rand.New(rand.NewPCG(21, 22))
	ints := intsAttr
	for i, at := range [][]graph.Attr{
		{ints("kernel_shape", 2, 2), ints("strides", 2, 2)},
		{ints("kernel_shape", 3, 3), ints("strides", 2, 2), ints("pads", 1, 1, 1, 1), intAttr("count_include_pad", 1)},
		{ints("kernel_shape", 3, 3), ints("pads", 1, 1, 1, 1)},
		{ints("kernel_shape", 3, 3), ints("strides", 2, 2), ints("pads", 0, 1, 2, 1), intAttr("ceil_mode", 1)},
		{ints("kernel_shape", 4, 3), ints("strides", 3, 1), ints("dilations", 1, 2), ints("pads", 1, 0, 1, 1)},
		{ints("kernel_shape", 5), ints("strides", 3), ints("pads", 2, 2)},
		{ints("kernel_shape", 2, 3, 2), ints("strides", 1, 2, 2), ints("pads", 0, 1, 0, 1, 1, 1)},
		nil,
	} {
		op, rank := "com.microsoft.QLinearAveragePool", 2
		switch i {
		case 5:
			rank = 1
		case 6:
			rank = 3
		case 7:
			op = "com.microsoft.QLinearGlobalAveragePool"
		}
		shape := append(append([]int{2}, []int{9, 11, 17}[3-rank:]...), 7)
		for _, d := range byteTypes {
			x, zx, zy := randomBytes(t, r, d, i%2 == 0, shape...), randomBytes(t, r, d, false, 1), randomBytes(t, r, d, false, 1)
			sx, sy := of(t, []float32{0.3 + r.Float32()}), of(t, []float32{0.1 + r.Float32()})
			last := append([]graph.Attr{intAttr("channels_last", 1)}, at...)
			want := lastToFirst(t, mustEval(t, backend.All()[0], op, 1, last, x, sx, zx, sy, zy))
			for _, k := range backend.All() {
				got := mustEval(t, k, op, 1, at, lastToFirst(t, x), sx, zx, sy, zy)
				if text := sameBits(got, want); text != "" {
					t.Errorf("%s: %s %v of %v: %s", k.Name(), op, at, d, text)
				}
			}
		}
	}
}
