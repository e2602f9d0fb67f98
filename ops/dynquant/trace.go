package dynquant

import (
	"fmt"
	"math"

	"github.com/qrun-onnx/qrun/backend"
	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

// Layer is a linear layer of a float model, as Trace takes it apart: Y = alpha*X*W + bias.
type Layer struct {
	Node string
	Op   string
	w    *weight
	bias []float32
	side int
	form linearForm

	repeat []int // channels that the activation repeats in profile row
}

// Layers finds the matrix products of z's graph and its bodies that Quantize could quantize, with their weights, and does not
// change the graph. Others are left out.
func Layers(z *graph.Optimizer, k *backend.Kernels) ([]*Layer, error) {
	p := &pass{c: Config{Profile: "row", Kernels: k}, weights: map[weightKey]*weight{}, split: map[*weight][]int{}, sel: &selection{ops: candidateTypes}}
	var list []*Layer
	run := func(g *graph.Graph, pc *graph.PassCtx) (int, error) {
		p.pc = pc
		var plan []plannedNode
		for n := range pc.Nodes(g) {
			if !n.Is("MatMul", "Gemm") {
				continue
			}
			if pn, d := p.decide(n); d.Reason == "" {
				plan = append(plan, pn)
			}
		}
		p.findSplits(plan)
		repeat := p.agreeOnRepeats(plan)
		for i, pn := range plan {
			l := &Layer{Node: pn.n.Name, Op: pn.n.Type, w: pn.w, side: pn.side, form: pn.form, bias: p.traceBias(pn)}
			if pn.w.ints == nil {
				l.repeat = repeat[i]
			}
			list = append(list, l)
		}
		return 0, nil
	}
	_, err := z.Apply(graph.Pass{Name: "layers", Run: run}, graph.PassOptions{})
	return list, err
}

// traceBias is the bias of a Gemm, or of the Add behind a MatMul, when it is constant.
func (p *pass) traceBias(pn plannedNode) []float32 {
	if b, _ := p.bias(pn); b != nil {
		return tensor.View[float32](b.Const)
	}
	readers := p.pc.Readers(pn.n.Out[0])
	if pn.n.Type != "MatMul" || len(readers) != 1 || !readers[0].Is("Add") {
		return nil
	}
	for _, v := range readers[0].In {
		if v.Const != nil && v.Const.DType() == tensor.Float32 && v.Const.Len() == pn.w.columns() {
			return tensor.View[float32](v.Const)
		}
	}
	return nil
}

// Trace is one quantized linear layer step by step.
type Trace struct {
	X          *tensor.Tensor // float32 [rows K], the input as the product reads it
	Min, Max   []float32      // per row, or one for the tensor
	Scale      []float32
	Zero       []int32
	Repeated   []int          // the R channels that follow the K others once more, since their weights are split
	Q          *tensor.Tensor // uint8 [rows K+R], the quantized input
	W          *tensor.Tensor // float32 [K N], the weight of the file
	WQ         *tensor.Tensor // int8 [K+R N]
	WScale     []float32      // per column
	Acc        *tensor.Tensor // int32 [rows N], sum of (Q-zero)*WQ
	Product    *tensor.Tensor // float32 [rows N], float32(acc)*(scale*wscale)
	Bias       []float32      // nil where there is none
	Result     *tensor.Tensor // float32 [rows N], product + bias
	Float      *tensor.Tensor // float32 [rows N], the same layer without quantization
	Kernel     string
	PerTensor  bool
	Multiplies int64 // multiply-adds
}

// Input is the number of the node's input that is the activation.
func (l *Layer) Input() int { return 1 - l.side }

// Shape returns depth and output columns.
func (l *Layer) Shape() (k, n int) { return l.w.depth(), l.w.columns() }

// Trace computes the layer on x, an activation as the node gets it, with k's kernels, and keeps every step. profile is
// row or onnx. It takes weights of two dimensions.
func (l *Layer) Trace(k *backend.Kernels, x *tensor.Tensor, profile string) (*Trace, error) {
	depth, n := l.Shape()
	if len(l.w.shape) != 2 {
		return nil, fmt.Errorf("the weight has %d dimensions, want 2", len(l.w.shape))
	}
	xs, err := l.rows(x, depth)
	if err != nil {
		return nil, err
	}
	m := len(xs) / depth
	t := &Trace{Bias: l.bias, PerTensor: profile == "onnx", Kernel: "u8s8/" + k.Name()}
	if !t.PerTensor {
		t.Repeated = l.repeat
	}
	q, err := l.w.quantize(k, t.Repeated)
	if err != nil {
		return nil, err
	}
	wide := depth + len(t.Repeated)
	t.Multiplies = int64(m) * int64(n) * int64(wide)
	if t.X, err = tensor.Of(xs, m, depth); err != nil {
		return nil, err
	}
	if err := t.weights(l, q, depth, n); err != nil {
		return nil, err
	}
	bytes := t.quantizeInput(k, t.repeated(xs, depth), m, wide)
	if t.Q, err = tensor.Of(unpad(bytes, m, wide, k.StrideU8(wide)), m, wide); err != nil {
		return nil, err
	}
	return t, t.multiply(l, k, q, bytes, m, n)
}

// rows brings the activation into rows of the depth, as the product reads it.
func (l *Layer) rows(x *tensor.Tensor, depth int) ([]float32, error) {
	if x.DType() != tensor.Float32 {
		return nil, fmt.Errorf("the activation is %v, want float32", x)
	}
	v := tensor.View[float32](x)
	across := l.form.transA
	if l.side == 0 {
		across = !l.form.transB
	}
	if across && x.Rank() >= 2 {
		s := x.Shape()
		r, c := s[len(s)-2], s[len(s)-1]
		out := make([]float32, len(v))
		for b := 0; b < len(v); b += r * c {
			for i := range r {
				for j := range c {
					out[b+j*r+i] = v[b+i*c+j]
				}
			}
		}
		v = out
	}
	if depth == 0 || len(v)%depth != 0 {
		return nil, fmt.Errorf("the activation %v has no rows of %d", x, depth)
	}
	return v, nil
}

// repeated puts the repeated channels behind the others of each row.
func (t *Trace) repeated(xs []float32, depth int) []float32 {
	if len(t.Repeated) == 0 {
		return xs
	}
	var out []float32
	for ; len(xs) > 0; xs = xs[depth:] {
		out = append(out, xs[:depth]...)
		for _, c := range t.Repeated {
			out = append(out, xs[c])
		}
	}
	return out
}

func (t *Trace) weights(l *Layer, q *quantized, depth, n int) error {
	data, _ := signed(q.w)
	wide := depth + len(t.Repeated)
	wq := make([]int8, wide*n)
	w := make([]float32, depth*n)
	scale := tensor.View[float32](q.scale)
	for i := range wide {
		for j := range n {
			at, src := i*n+j, i*n+j
			if l.w.trans {
				at, src = j*wide+i, j*depth+i
			}
			wq[i*n+j] = data[at]
			switch {
			case i >= depth:
			case l.w.float != nil:
				w[i*n+j] = l.w.float[src]
			default:
				w[i*n+j] = float32(data[at]) * scale[min(j, len(scale)-1)]
			}
		}
	}
	t.WScale = make([]float32, n)
	for j := range n {
		t.WScale[j] = scale[min(j, len(scale)-1)] * l.form.alpha
	}
	var err error
	if t.WQ, err = tensor.Of(wq, wide, n); err != nil {
		return err
	}
	t.W, err = tensor.Of(w, depth, n)
	return err
}

// quantizeInput fills ranges, scales and zero points, and returns the quantized rows at the kernels' stride.
func (t *Trace) quantizeInput(k *backend.Kernels, xs []float32, m, depth int) []uint8 {
	stride := k.StrideU8(depth)
	q := make([]uint8, m*stride)
	if t.PerTensor {
		mn, mx, _ := k.MinMax(xs)
		s, z := backend.QuantizationU8(mn, mx)
		t.Min, t.Max, t.Scale, t.Zero = []float32{mn}, []float32{mx}, []float32{s}, []int32{int32(z)}
		for r := range m {
			k.QuantizeU8(q[r*stride:][:depth], xs[r*depth:(r+1)*depth], s, z)
		}
		return q
	}
	for r := range m {
		row := xs[r*depth : (r+1)*depth]
		mn, mx, _ := k.MinMax(row)
		s, z, _ := k.QuantizeRow(q[r*stride:(r+1)*stride], row)
		t.Min, t.Max, t.Scale, t.Zero = append(t.Min, mn), append(t.Max, mx), append(t.Scale, s), append(t.Zero, z)
	}
	return q
}

func unpad(q []uint8, m, depth, stride int) []uint8 {
	out := make([]uint8, 0, m*depth)
	for r := range m {
		out = append(out, q[r*stride:r*stride+depth]...)
	}
	return out
}

// multiply runs the integer kernel, then the steps of its epilogue one by one, and the layer in float32.
func (t *Trace) multiply(l *Layer, k *backend.Kernels, q *quantized, a []uint8, m, n int) error {
	depth := l.w.depth()
	wide := depth + len(t.Repeated)
	data, offset := signed(q.w)
	ld := n
	if l.w.trans {
		ld = wide
	}
	packed := k.PackI8(data, wide, n, ld, l.w.trans, nil, zeroPoints(q.zero, offset))
	sums := make([]int32, m)
	stride := k.StrideU8(wide)
	for i, b := range a {
		sums[i/stride] += int32(b)
	}
	acc := make([]int32, m*n)
	g := backend.GemmU8S8{M: m, A: a, LDA: stride, ZeroA: t.Zero, RowSumA: sums, B: packed, CI: acc, LDC: n}
	g.Init(k, 1)
	g.Do(0, g.Tasks())
	product, result := make([]float32, m*n), make([]float32, m*n)
	for r := range m {
		s := t.Scale[min(r, len(t.Scale)-1)]
		for j := range n {
			y := float32(float32(acc[r*n+j]) * float32(s*t.WScale[j]))
			product[r*n+j] = y
			if t.Bias != nil {
				y += t.Bias[j]
			}
			result[r*n+j] = y
		}
	}
	float := make([]float32, m*n)
	f := backend.GemmF32{M: m, A: tensor.View[float32](t.X), LDA: depth, B: k.PackF32(tensor.View[float32](t.W), depth, n, n, false), C: float, LDC: n,
		Alpha: l.form.alpha, Epi: backend.Epilogue{Bias: t.Bias}}
	f.Init(k, 1)
	f.Do(0, f.Tasks())
	var err error
	set := func(dst **tensor.Tensor, make func() (*tensor.Tensor, error)) {
		if err == nil {
			*dst, err = make()
		}
	}
	set(&t.Acc, func() (*tensor.Tensor, error) { return tensor.Of(acc, m, n) })
	set(&t.Product, func() (*tensor.Tensor, error) { return tensor.Of(product, m, n) })
	set(&t.Result, func() (*tensor.Tensor, error) { return tensor.Of(result, m, n) })
	set(&t.Float, func() (*tensor.Tensor, error) { return tensor.Of(float, m, n) })
	return err
}

// OutlierRatio is the largest magnitude of the input over its root mean square: what one scale per tensor suffers from.
func (t *Trace) OutlierRatio() float64 {
	var largest, sum float64
	v := tensor.View[float32](t.X)
	for _, x := range v {
		largest = max(largest, math.Abs(float64(x)))
		sum += float64(x) * float64(x)
	}
	if sum == 0 {
		return 0
	}
	return largest / math.Sqrt(sum/float64(len(v)))
}
