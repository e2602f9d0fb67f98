package graph

import (
	"math"
	"slices"

	"github.com/qrun-onnx/qrun/tensor"
)

// foldAffine folds what multiplies and adds per output channel after a convolution with constant weights into the weights:
// BatchNormalization, and Mul, Div, Add and Sub with constants of one number or one per channel. It computes in float64.
func foldAffine(g *Graph, pc *PassCtx) (changed int, err error) {
	for n := range pc.Nodes(g) {
		if !n.Is("BatchNormalization", "Mul", "Div", "Add", "Sub") || len(n.Out) == 0 || n.Out[0] == nil {
			continue
		}
		for i := range min(len(n.In), 2) {
			conv := pc.Only(n.In[i], "Conv", "ConvTranspose")
			if conv == nil || i == 1 && !n.Is("Mul", "Add") {
				continue
			}
			w, ok := pc.weightsOf(conv)
			if !ok {
				continue
			}
			scale, shift, ok := pc.affine(n, i, w.channels)
			if !ok {
				continue
			}
			w.apply(scale, shift)
			in := []*Value{conv.In[0], pc.NewValue(conv.In[1].Name, tensor.Spec{}, w.w), pc.NewValue(conv.Name+"_bias", tensor.Spec{}, w.b)}
			in[1].Spec, in[2].Spec = w.w.Spec(), w.b.Spec()
			m, err := pc.rebuild(conv, conv.Domain, conv.Type, in, n.Out[:1])
			if err != nil {
				return changed, err
			}
			pc.Replace(n, m)
			changed++
			break
		}
	}
	return changed, nil
}

// rebuild makes a node with the attributes of n and more, of n's operator or a fused form of it, and n's name.
func (pc *PassCtx) rebuild(n *Node, domain, op string, in, out []*Value, more ...Attr) (*Node, error) {
	attrs := make([]Attr, 0, len(more))
	for _, name := range n.Attrs.Names() {
		if slices.ContainsFunc(more, func(a Attr) bool { return a.Name == name }) {
			continue
		}
		a, _ := n.Attrs.Lookup(name)
		attrs = append(attrs, a)
	}
	attrs = append(attrs, more...)
	if domain != n.Domain || op != n.Type {
		return pc.Make(n, domain, op, in, out, attrs...)
	}
	m := &Node{Name: n.Name, Domain: domain, Type: op, In: trimAbsent(in), Out: out}
	m.Attrs = NewAttrs(domain, op, n.Attrs.Opset, attrs...)
	m.Attrs.Name, m.Attrs.NumIn, m.Attrs.NumOut = n.Name, len(m.In), len(out)
	def, _ := pc.reg.Lookup(domain, op, n.Attrs.Opset)
	if err := m.bind(def); err != nil {
		return nil, nodeError(n, pc.root, err)
	}
	return m, nil
}

// convWeights are float32 weights and bias with output channels.
type convWeights struct {
	w, b     *tensor.Tensor
	channels int
	channel  func(i int) int // of element i of w
}

// weightsOf are copies of a convolution's constant float32 weights.
func (pc *PassCtx) weightsOf(conv *Node) (c convWeights, ok bool) {
	wv, bv := conv.Arg(1), conv.Arg(2)
	if wv == nil || wv.Const == nil || wv.Const.DType() != tensor.Float32 || wv.Const.Rank() < 3 || wv.Const.Len() == 0 ||
		bv != nil && (bv.Const == nil || bv.Const.DType() != tensor.Float32) {
		return c, false
	}
	shape := wv.Const.Shape()
	c.channels = shape[0]
	per := wv.Const.Len() / shape[0]
	c.channel = func(i int) int { return i / per }
	if conv.Type == "ConvTranspose" { // [C, M/group, ...]
		groups := int(conv.IntAttr("group", 1))
		if groups < 1 || shape[0]%groups != 0 {
			return c, false
		}
		m, inner, rows := shape[1], per/shape[1], shape[0]/groups
		c.channels = m * groups
		c.channel = func(i int) int { return i/per/rows*m + i/inner%m }
	}
	if bv != nil && bv.Const.Len() != c.channels {
		return c, false
	}
	c.w = wv.Const.Clone()
	if bv != nil {
		c.b = bv.Const.Clone()
		return c, true
	}
	b, err := tensor.New(tensor.Float32, c.channels)
	c.b = b
	return c, err == nil
}

func (c *convWeights) apply(scale, shift []float64) {
	w, b := tensor.View[float32](c.w), tensor.View[float32](c.b)
	for i := range w {
		w[i] = float32(float64(w[i]) * scale[c.channel(i)])
	}
	for i := range b {
		b[i] = float32(float64(float64(b[i])*scale[i]) + shift[i])
	}
}

// affine is what n does to channel k of its input i: y = scale[k]*x + shift[k].
func (pc *PassCtx) affine(n *Node, i, channels int) (scale, shift []float64, ok bool) {
	if n.Type == "BatchNormalization" {
		return pc.batchNorm(n, i, channels)
	}
	if !n.In[i].Spec.Ranked {
		return nil, nil, false
	}
	c, ok := perChannel(n.In[1-i], n.In[i].Spec, channels)
	if !ok {
		return nil, nil, false
	}
	one, zero := make([]float64, channels), make([]float64, channels)
	for k := range one {
		one[k] = 1
	}
	switch n.Type {
	case "Mul":
		return c, zero, true
	case "Div":
		for k := range c {
			c[k] = 1 / c[k]
		}
		return c, zero, true
	case "Sub":
		for k := range c {
			c[k] = -c[k]
		}
	}
	return one, c, true
}

func (pc *PassCtx) batchNorm(n *Node, i, channels int) (scale, shift []float64, ok bool) {
	if i != 0 || len(n.In) != 5 || n.IntAttr("training_mode", 0) != 0 || n.Since < 7 && n.IntAttr("is_test", 0) == 0 || n.IntAttr("spatial", 1) == 0 {
		return nil, nil, false
	}
	for _, v := range n.Out[1:] {
		if v != nil && pc.Needed(v) {
			return nil, nil, false
		}
	}
	var p [4][]float64
	for k := range p {
		if p[k], ok = perChannel(n.In[k+1], tensor.Spec{}, channels); !ok || n.In[k+1].Const.Len() != channels {
			return nil, nil, false
		}
	}
	scale, shift = p[0], p[1]
	eps := float64(n.FloatAttr("epsilon", 1e-5))
	for k := range scale {
		scale[k] /= math.Sqrt(p[3][k] + eps)
		shift[k] -= float64(scale[k] * p[2][k])
	}
	return scale, shift, true
}

// perChannel reads a float32 constant of one number, or of one per channel as broadcasting with a result of spec y
// [batch, channel, ...] has it (any shape when y is not ranked).
func perChannel(v *Value, y tensor.Spec, channels int) ([]float64, bool) {
	if v == nil || v.Const == nil || v.Const.DType() != tensor.Float32 {
		return nil, false
	}
	data, shape := tensor.View[float32](v.Const), v.Const.Shape()
	if len(data) != 1 && len(data) != channels {
		return nil, false
	}
	if y.Ranked && (len(shape) > len(y.Dims) || len(data) > 1 && (len(shape) < len(y.Dims)-1 || shape[len(shape)-len(y.Dims)+1] != channels)) {
		return nil, false
	}
	c := make([]float64, channels)
	for i := range c {
		c[i] = float64(data[i%len(data)])
	}
	return c, true
}

// foldPad moves zeros that a Pad puts around the spatial dimensions into the convolution that follows.
func foldPad(g *Graph, pc *PassCtx) (changed int, err error) {
	for n := range pc.Nodes(g) {
		if !n.Is("Conv") {
			continue
		}
		pad := pc.Only(n.In[0], "Pad")
		if pad == nil {
			continue
		}
		pads, ok := pc.zeroPads(pad)
		if !ok || n.StrAttr("auto_pad", "NOTSET") != "NOTSET" {
			continue
		}
		own := n.IntsAttr("pads")
		spatial := len(pads)/2 - 2
		if own != nil && len(own) != 2*spatial {
			continue
		}
		sum := make([]int64, 2*spatial)
		for i := range sum {
			if sum[i] = pads[2+i]; i >= spatial {
				sum[i] = pads[4+i]
			}
			if own != nil {
				sum[i] += own[i]
			}
		}
		in := slices.Clone(n.In)
		in[0] = pad.In[0]
		m, err := pc.rebuild(n, n.Domain, n.Type, in, n.Out, IntsA("pads", sum...))
		if err != nil {
			return changed, err
		}
		pc.Replace(n, m)
		changed++
	}
	return changed, nil
}

// zeroPads are the pads of a Pad with constant zeros that touches neither batch nor channels and crops nothing.
func (pc *PassCtx) zeroPads(n *Node) ([]int64, bool) {
	if n.StrAttr("mode", "constant") != "constant" || n.FloatAttr("value", 0) != 0 || n.Arg(3) != nil {
		return nil, false
	}
	if v := n.Arg(2); v != nil && !IsScalar(v, 0) {
		return nil, false
	}
	pads := n.IntsAttr("pads")
	if v := n.Arg(1); v != nil {
		if v.Const == nil {
			return nil, false
		}
		pads, _ = ConstInts(v.Const)
	}
	rank := len(pads) / 2
	if rank < 3 || len(pads)%2 != 0 || n.In[0].Spec.Rank() != rank {
		return nil, false
	}
	for i, p := range pads {
		if p < 0 || i%rank < 2 && p != 0 {
			return nil, false
		}
	}
	return pads, true
}
