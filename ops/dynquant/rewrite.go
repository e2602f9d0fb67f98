package dynquant

import (
	"fmt"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

const maxDepth = backend.MaxDepthI8

// linearForm is how a MatMul or Gemm node reads its operands: alpha*op(A)*op(B) + beta*C.
type linearForm struct {
	transA, transB bool
	alpha, beta    float32
	c              *graph.Value // nil: none
}

func formOf(n *graph.Node) (linearForm, error) {
	f := linearForm{alpha: 1, beta: 1}
	if n.Type == "MatMul" {
		return f, nil
	}
	a := n.Attrs.Clone()
	f.alpha, f.beta = a.Float("alpha", 1), a.Float("beta", 1)
	f.transA, f.transB = a.Bool("transA", false), a.Bool("transB", false)
	f.c = n.Arg(2)
	a.Ignore("broadcast") // of opset 6
	return f, a.Err(true)
}

func (w *weight) elements() int {
	n := 1
	for _, d := range w.shape {
		n *= d
	}
	return n
}

func (w *weight) bytes() int64 {
	if w.ints != nil {
		return int64(len(w.ints.Bytes()))
	}
	return int64(4 * len(w.float))
}

// rewrite replaces a node by a quantized product, with Transposes around it where the weight was on the left or the
// activation transposed, and what C adds behind it unless it is a bias.
func (p *pass) rewrite(pn plannedNode) error {
	n := pn.n
	x, across := pn.activation()
	var err error
	if across {
		if x, err = p.transpose(n, x); err != nil {
			return err
		}
	}
	bias, rest := p.bias(pn)
	out := n.Out[0]
	last := out
	back := pn.side == 0 && x.Spec.Rank() >= 2
	if back || rest != nil {
		last = p.pc.NewValue(out.Name+"_product", tensor.Unranked(tensor.Float32), nil)
	}
	node, err := p.product(n, x, last, bias, pn)
	if err != nil {
		return err
	}
	if last == out {
		p.pc.Replace(n, node)
		return nil
	}
	p.pc.Insert(n, node)
	if err := p.specOf(last, x, pn); err != nil {
		return err
	}
	return p.behind(pn, last, rest, back)
}

// specOf sets the rank of a product that a Transpose reads.
func (p *pass) specOf(y, x *graph.Value, pn plannedNode) error {
	if x.Spec.Ranked {
		dims := append([]tensor.Dim{}, x.Spec.Dims...)
		for i := range dims {
			dims[i] = tensor.AnyDim
		}
		for len(dims) < len(pn.w.shape) {
			dims = append(dims, tensor.AnyDim)
		}
		y.Spec = tensor.Ranked(tensor.Float32, dims)
	}
	return nil
}

// behind makes n's output from the product: transposed back where that is asked for, and beta*C added.
func (p *pass) behind(pn plannedNode, y, rest *graph.Value, back bool) error {
	n := pn.n
	last := n
	emit := func(domain, op string, in []*graph.Value, final bool, attrs ...graph.Attr) (*graph.Value, error) {
		out := n.Out[0]
		if !final {
			out = p.pc.NewValue(n.Out[0].Name+"_"+op, tensor.Unranked(tensor.Float32), nil)
		}
		node, err := p.pc.Make(n, domain, op, in, []*graph.Value{out}, attrs...)
		if err != nil {
			return nil, err
		}
		if final {
			p.pc.Replace(last, node)
		} else {
			p.pc.Insert(n, node)
		}
		return out, nil
	}
	var err error
	if back {
		perm, ok := exchange(y)
		if !ok {
			return fmt.Errorf("the rank of %q is not known", y.Name)
		}
		if y, err = emit("", "Transpose", []*graph.Value{y}, rest == nil, perm); err != nil || rest == nil {
			return err
		}
	}
	if pn.form.beta != 1 {
		b := p.pc.NewValue("beta", tensor.Spec{}, nil)
		p.pc.SetConst(b, tensor.Scalar(pn.form.beta))
		if rest, err = emit("", "Mul", []*graph.Value{rest, b}, false); err != nil {
			return err
		}
	}
	_, err = emit("", "Add", []*graph.Value{y, rest}, true)
	return err
}

func exchange(v *graph.Value) (graph.Attr, bool) {
	r := v.Spec.Rank()
	if r < 2 {
		return graph.Attr{}, false
	}
	perm := make([]int64, r)
	for i := range perm {
		perm[i] = int64(i)
	}
	perm[r-1], perm[r-2] = perm[r-2], perm[r-1]
	return graph.Attr{Name: "perm", Type: graph.AttrInts, Ints: perm}, true
}

func (p *pass) transpose(n *graph.Node, x *graph.Value) (*graph.Value, error) {
	perm, ok := exchange(x)
	if !ok {
		return x, nil // a vector is its own row
	}
	out := p.pc.NewValue(x.Name+"_transposed", tensor.Unranked(tensor.Float32), nil)
	dims := append([]tensor.Dim{}, x.Spec.Dims...)
	r := len(dims)
	dims[r-1], dims[r-2] = dims[r-2], dims[r-1]
	out.Spec = tensor.Ranked(tensor.Float32, dims)
	node, err := p.pc.Make(n, "", "Transpose", []*graph.Value{x}, []*graph.Value{out}, perm)
	if err != nil {
		return nil, err
	}
	p.pc.Insert(n, node)
	return out, nil
}

// bias splits C into a constant with one element per output column, beta included, and what has to be added behind.
func (p *pass) bias(pn plannedNode) (bias, rest *graph.Value) {
	f := pn.form
	if f.c == nil || f.beta == 0 {
		return nil, nil
	}
	t := f.c.Const
	if t == nil || t.DType() != tensor.Float32 || pn.side == 0 {
		return nil, f.c
	}
	cols := pn.w.columns()
	last := 1
	if t.Rank() > 0 {
		last = t.Shape()[t.Rank()-1]
	}
	if t.Len() != last || last != 1 && last != cols {
		return nil, f.c
	}
	src := tensor.View[float32](t)
	b := make([]float32, cols)
	for i := range b {
		b[i] = src[min(i, last-1)] * f.beta
	}
	bt, err := tensor.Of(b, cols)
	if err != nil {
		return nil, f.c
	}
	v := p.pc.NewValue(f.c.Name+"_bias", tensor.Spec{}, nil)
	p.pc.SetConst(v, bt)
	return v, nil
}

// product makes the node that multiplies.
func (p *pass) product(n *graph.Node, x, y, bias *graph.Value, pn plannedNode) (*graph.Node, error) {
	if err := p.constants(n, pn); err != nil {
		return nil, err
	}
	w := pn.p
	attrs := []graph.Attr{graph.IntA("transB", int64(b2i(w.w.trans)))}
	if a := pn.form.alpha; a != 1 && w.w.ints == nil {
		attrs = append(attrs, graph.FloatA("alpha", a))
	}
	if p.c.Half {
		return p.pc.Make(n, "qrun", "HalfLinear", []*graph.Value{x, w.wv, bias}, []*graph.Value{y}, attrs...)
	}
	rows, err := p.quantizedRows(n, x, w.repeat)
	if err != nil {
		return nil, err
	}
	if len(w.repeat) > 0 {
		a := graph.IntsA("repeat")
		for _, c := range w.repeat {
			a.Ints = append(a.Ints, int64(c))
		}
		attrs = append(attrs, a)
	}
	in := []*graph.Value{rows.Out[0], rows.Out[1], rows.Out[2], rows.Out[3], w.wv, w.scale, w.zer, bias}
	return p.pc.Make(n, "qrun", "QLinear", in, []*graph.Value{y}, attrs...)
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// quantizedRows returns the node that quantizes x, made before its first reader and shared by the others.
func (p *pass) quantizedRows(n *graph.Node, x *graph.Value, repeat []int) (*graph.Node, error) {
	key := rowsKey{x, fmt.Sprint(repeat)}
	if r := p.rows[key]; r != nil {
		return r, nil
	}
	r, err := makeRows(p.pc, n, x, p.c.Profile, repeat)
	if err != nil {
		return nil, err
	}
	p.pc.Insert(n, r)
	p.rows[key] = r
	return r, nil
}

// makeRows makes a QuantizeRows node on x.
func makeRows(pc *graph.PassCtx, at *graph.Node, x *graph.Value, profile string, repeat []int) (*graph.Node, error) {
	outs := []*graph.Value{
		pc.NewValue(x.Name+"_quantized", tensor.Unranked(tensor.Uint8), nil),
		pc.NewValue(x.Name+"_scale", tensor.Unranked(tensor.Float32), nil),
		pc.NewValue(x.Name+"_zero_point", tensor.Unranked(tensor.Int32), nil),
		pc.NewValue(x.Name+"_sum", tensor.Unranked(tensor.Int32), nil),
	}
	attrs := []graph.Attr{{Name: "profile", Type: graph.AttrString, S: profile}}
	if len(repeat) > 0 {
		a := graph.Attr{Name: "repeat", Type: graph.AttrInts}
		for _, i := range repeat {
			a.Ints = append(a.Ints, int64(i))
		}
		attrs = append(attrs, a)
	}
	r, err := pc.Make(at, "qrun", "QuantizeRows", []*graph.Value{x}, outs, attrs...)
	if err == nil {
		r.Name = at.Name + "/quantize"
	}
	return r, err
}

// constants makes the weight's constants, once for all nodes that share it.
func (p *pass) constants(n *graph.Node, pn plannedNode) error {
	w := pn.p
	if w.wv != nil {
		return nil
	}
	v := n.In[pn.side]
	name := v.Name
	if w.w.ints == nil {
		t, err := w.w.tensor()
		if err != nil {
			return err
		}
		if w.wv = v; v.Const != t {
			w.wv = p.constant(name+"_float", t)
		}
		if p.c.Half {
			return nil
		}
		s, err := tensor.Of(w.scales, len(w.scales))
		if err != nil {
			return err
		}
		w.scale = p.constant(name+"_scale", s)
		return nil
	}
	scale := w.q.scale
	if a := pn.form.alpha; a != 1 {
		scale = scale.Clone()
		for i, s := range tensor.View[float32](scale) {
			tensor.View[float32](scale)[i] = s * a
		}
	}
	w.wv, w.scale = p.constant(name+"_quantized", w.q.w), p.constant(name+"_scale", scale)
	if w.q.zero != nil {
		w.zer = p.constant(name+"_zero_point", w.q.zero)
	}
	return nil
}

func (p *pass) constant(name string, t *tensor.Tensor) *graph.Value {
	v := p.pc.NewValue(name, tensor.Spec{}, nil)
	p.pc.SetConst(v, t)
	return v
}
