package dynquant

import (
	"fmt"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func (l lib) byteConvs() []graph.Def {
	return []graph.Def{
		{Op: "ConvInteger", Since: 10, New: l.newConvInteger, Types: byteTypes},
		{Op: "QLinearConv", Since: 10, New: l.newQLinearConv, Types: byteTypes},
	}
}

// convInputs are the numbers of the inputs of a convolution, -1 for those that an operator does not have.
type convInputs struct{ x, w, zeroX, zeroW, scaleX, scaleW, scaleY, zeroY, bias int }

// byteConv is a convolution of 8-bit integers over one to three spatial dimensions with int32 sums: of x less its zero
// point, padded with the zero point, and w less its own, which is one or one per output channel. ConvInteger gives the
// sums. QLinearConv adds an int32 bias and requantizes:
//
//	y = clip(rne(float32(acc + bias) * (x_scale*w_scale/y_scale)) + y_zero)
//
// Sums beyond int32 wrap around.
type byteConv struct {
	l       lib
	win     convWindow
	groups  int
	quant   bool
	in      convInputs
	hasZero bool // of w
	weight  convWeight
}

// convWeight is a weight made ready: for products of patches, or for direct sums.
type convWeight struct {
	shape []int
	packs []*backend.PackedI8 // by group: [depth, channels of the group]
	taps  []int32             // w less its zero point

	floats []float32 // taps, where float32 sums of their products are exact
}

func (l lib) newConvInteger(a *graph.Attrs) (graph.Op, error) {
	return l.newByteConv(a, false, convInputs{x: 0, w: 1, zeroX: 2, zeroW: 3, scaleX: -1, scaleW: -1, scaleY: -1, zeroY: -1, bias: -1})
}

func (l lib) newQLinearConv(a *graph.Attrs) (graph.Op, error) {
	return l.newByteConv(a, true, convInputs{x: 0, scaleX: 1, zeroX: 2, w: 3, scaleW: 4, zeroW: 5, scaleY: 6, zeroY: 7, bias: 8})
}

func (l lib) newByteConv(a *graph.Attrs, quant bool, in convInputs) (graph.Op, error) {
	w, err := newConvWindow(a)
	if err != nil {
		return nil, err
	}
	o := &byteConv{l: l, win: w, groups: int(a.Int("group", 1)), quant: quant, in: in, hasZero: in.zeroW >= 0 && a.HasIn(in.zeroW)}
	if o.groups < 1 {
		return nil, fmt.Errorf("attribute group is %d", o.groups)
	}
	return o, nil
}

func (o *byteConv) KernelName() string { return "u8s8/" + o.l.k.Name() }

func (o *byteConv) Infer(c *graph.InferCtx) error {
	lo, hi := 2, 4
	if o.quant {
		lo, hi = 8, 9
	}
	if err := wantInputs(c, lo, hi); err != nil {
		return err
	}
	for _, i := range []int{o.in.x, o.in.w} {
		if err := wantType(c, i, "convolution", byteTypes...); err != nil {
			return err
		}
	}
	if err := wantSameType(c, o.in.x, o.in.zeroX, "input and zero point"); err != nil {
		return err
	}
	if err := wantSameType(c, o.in.w, o.in.zeroW, "weights and zero point"); err != nil {
		return err
	}
	if err := wantOne(c, o.in.zeroX, "zero point of the input"); err != nil {
		return err
	}
	out := tensor.Int32
	if o.quant {
		if err := o.inferQuant(c); err != nil {
			return err
		}
		out = c.In(o.in.zeroY).DType
	}
	return o.inferShape(c, out)
}

func (o *byteConv) inferQuant(c *graph.InferCtx) error {
	for _, i := range []int{o.in.scaleX, o.in.scaleW, o.in.scaleY} {
		if err := wantType(c, i, "scale", tensor.Float32); err != nil {
			return err
		}
	}
	for _, i := range []int{o.in.scaleX, o.in.scaleY, o.in.zeroY} {
		if err := wantOne(c, i, "scale or zero point"); err != nil {
			return err
		}
	}
	if err := wantType(c, o.in.bias, "bias", tensor.Int32); err != nil {
		return err
	}
	return wantType(c, o.in.zeroY, "result", byteTypes...)
}

func (o *byteConv) inferShape(c *graph.InferCtx, out tensor.DType) error {
	x, w := c.In(o.in.x), c.In(o.in.w)
	if !x.Ranked || !w.Ranked {
		c.Out(0, tensor.Unranked(out))
		return nil
	}
	if err := o.win.check(len(x.Dims) - 2); err != nil {
		return err
	}
	if len(w.Dims) != len(x.Dims) {
		return fmt.Errorf("weights %v do not have the rank of the input %v", w, x)
	}
	for i, k := range w.Dims[2:] {
		if k.Size == 0 || o.win.kernel != nil && k.Known() && o.win.kernel[i] != k.Size {
			return fmt.Errorf("kernel_shape %v does not fit the weights %v", o.win.kernel, w)
		}
	}
	if ch := x.Dims[1]; ch.Known() && w.Dims[1].Known() && ch.Size != w.Dims[1].Size*o.groups {
		return fmt.Errorf("weights %v need %d input channels, got %d", w, w.Dims[1].Size*o.groups, ch.Size)
	}
	m := w.Dims[0]
	if m.Known() && m.Size%o.groups != 0 {
		return fmt.Errorf("weights %v have output channels that %d groups do not divide", w, o.groups)
	}
	if err := checkDepth(product(w.Dims[1:])); err != nil {
		return err
	}
	for _, i := range []int{o.in.zeroW, o.in.scaleW, o.in.bias} {
		if i >= 0 && i < c.NumIn() {
			if err := wantOneOr(c, i, "scale, zero point or bias", m); err != nil {
				return err
			}
		}
	}
	if b := o.in.bias; b >= 0 && c.Has(b) && m.Known() {
		if n := product(c.In(b).Dims); c.In(b).Ranked && n.Known() && n.Size != m.Size {
			return fmt.Errorf("bias %v, want one number for each of %d output channels", c.In(b), m.Size)
		}
	}
	dims := make([]tensor.Dim, len(x.Dims))
	dims[0], dims[1] = x.Dims[0], m
	if err := o.win.spatial(dims, x.Dims, w.Dims[2:]); err != nil {
		return err
	}
	c.Out(0, tensor.Ranked(out, dims))
	return o.checkPadded(x, w)
}

// maxPadded bounds the elements of the padded input, which a stride as long as the padding keeps out of the result.
const maxPadded = 1 << 36

func (o *byteConv) checkPadded(x, w tensor.Spec) error {
	shape, ok := x.Shape()
	kernel, ok2 := w.Shape()
	if !ok || !ok2 {
		return nil
	}
	padded := append([]int{}, shape[:2]...)
	for _, a := range o.win.axes(shape, kernel[2:]) {
		padded = append(padded, a.padded())
	}
	if n, err := tensor.Count(padded); err != nil || int64(n) > maxPadded {
		return fmt.Errorf("the padded input has the shape %v, which is too large", padded)
	}
	return nil
}

func (o *byteConv) Prepack(consts []*tensor.Tensor) (graph.Op, []int, error) {
	w, z := at(consts, o.in.w), at(consts, o.in.zeroW)
	if w == nil || w.Len() == 0 || o.hasZero && z == nil {
		return o, nil, nil
	}
	p := *o
	var err error
	if p.weight, err = o.ready(w, z); err != nil {
		return nil, nil, err
	}
	used := []int{o.in.w}
	if z != nil {
		used = append(used, o.in.zeroW)
	}
	return &p, used, nil
}

// ready brings a weight into the form that the convolution works with: groups of few channels are added up directly,
// since a product would mostly multiply padding.
func (o *byteConv) ready(w, zero *tensor.Tensor) (convWeight, error) {
	shape := w.Shape()
	m, k := shape[0]/o.groups, count(shape[1:])
	r := convWeight{shape: shape}
	if k == 0 || narrowGroups(o.groups, m, k) {
		data, offset := signed(w)
		zeros := zeroPoints(zero, offset)
		r.taps = make([]int32, len(data))
		for i, v := range data {
			if r.taps[i] = int32(v); zeros != nil {
				r.taps[i] -= zeros[min(i/k, len(zeros)-1)]
			}
		}
		r.setFloats()
		return r, nil
	}
	t, err := tensor.New(w.DType(), o.groups, m, k)
	if err != nil {
		return r, err
	}
	channelsLast(t.Bytes(), w.Bytes(), shape)
	r.packs = *o.l.packAll(t, nil, zero, true)
	return r, nil
}

// narrowGroups reports whether groups, of m output channels and sums of k products, are too small for matrix products.
func narrowGroups(groups, m, k int) bool { return groups > 1 && (m <= 2 || m*k <= 96) }

// channelsLast orders weights [M, C/group, taps...] as [M, taps..., C/group], as patches are.
func channelsLast[T uint8 | float32](dst, src []T, shape []int) {
	ch, taps := shape[1], count(shape[2:])
	for m := range shape[0] {
		for t := range taps {
			for c := range ch {
				dst[(m*taps+t)*ch+c] = src[(m*ch+c)*taps+t]
			}
		}
	}
}
