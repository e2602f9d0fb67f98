package graph

import "github.com/qrun-onnx/qrun/tensor"

// The private operators that the Epilogue passes make. All are of domain qrun, version 1, on float32.
//
// FusedMatMul(A, B, bias?, residual?) = act(alpha * op(A) x op(B) + bias) + residual
//   A and B as for MatMul; op exchanges the last two dimensions where transA or transB (int, 0) is set. bias is
//   [N], one number per column of the result; residual has exactly the result's shape, or with residual_broadcast
//   (int, 0) is added as Add does. alpha (float, 1) multiplies the product.
//
// FusedConv(X, W, B?, Z?) = act(Conv(X, W, B) + Z), or act(Conv(X, W, B)) + Z with residual_last (int, 0)
//   has Conv's attributes; Z has exactly the result's shape.
//
// QConv(X, W, B?, Z?), the int8 convolution of package dynquant, takes bias and residual as FusedConv does.
//
// HalfLinear(X, W, bias?, residual?) = act(X x op(W) + bias) + residual, with W in float16 and transB, and
// QLinear(Q, scale, zero, sum, W, wscale, wzero?, bias?, residual?), the int8 product of package dynquant,
//   take bias and residual as FusedMatMul does.
//
// All have the attributes activation (string, ""), p0 and p1 (floats, 0):
//
//	""          x                        Sigmoid      1/(1+exp(-x))
//	Relu        max(x, 0)                Tanh         tanh(x)
//	Gelu        x/2*(1+erf(x/sqrt 2))    Clip         min(max(x, p0), p1)
//	GeluTanh    its tanh approximation   LeakyRelu    x >= 0: x, else p0*x
//	Silu        x*sigmoid(x)             HardSigmoid  max(0, min(1, p0*x+p1))
//	QuickGelu   x*sigmoid(p0*x)          HardSwish    x*max(0, min(1, x/6+1/2))

// slots are the inputs of a fused operator that are its bias and its residual, ok false for other nodes. The bias of a
// convolution is Conv's own, which foldAffine serves.
func slots(n *Node) (bias, residual int, ok bool) {
	if n == nil || n.Domain != "qrun" {
		return 0, 0, false
	}
	switch n.Type {
	case "FusedMatMul", "HalfLinear", "FusedConv", "QConv":
		return 2, 3, true
	case "QLinear":
		return 7, 8, true
	}
	return 0, 0, false
}

// convolves reports whether a fused operator is a convolution.
func (n *Node) convolves() bool { return n.Type == "FusedConv" || n.Type == "QConv" }

// fusable is the maker of v, a fused operator in the same graph as n, which alone reads v.
func (pc *PassCtx) fusable(n *Node, v *Value) (m *Node, bias, residual int) {
	m = pc.Maker(v)
	bias, residual, ok := slots(m)
	if !ok || !pc.Single(v) || pc.home[m] != pc.home[n] {
		return nil, 0, 0
	}
	return m, bias, residual
}

// withInput is a node's inputs with v as input i.
func withInput(n *Node, i int, v *Value) []*Value {
	in := make([]*Value, max(len(n.In), i+1))
	copy(in, n.In)
	in[i] = v
	return in
}

// activation is a function that an epilogue can apply.
type activation struct {
	name   string
	p0, p1 float32
}

func (a activation) attrs() []Attr {
	list := []Attr{StrA("activation", a.name)}
	if a.p0 != 0 || a.p1 != 0 {
		list = append(list, FloatA("p0", a.p0), FloatA("p1", a.p1))
	}
	return list
}

// activationOf is the function that a node applies to its only variable input.
func activationOf(n *Node) (a activation, ok bool) {
	if len(n.In) == 0 || len(n.Out) != 1 {
		return a, false
	}
	if n.Domain != "" {
		return contribActivation(n)
	}
	switch n.Type {
	case "Relu", "Sigmoid", "Tanh", "HardSwish":
		return activation{name: n.Type}, true
	case "Gelu":
		return geluOf(n), true
	case "LeakyRelu":
		return activation{name: n.Type, p0: n.FloatAttr("alpha", 0.01)}, true
	case "HardSigmoid":
		return activation{name: n.Type, p0: n.FloatAttr("alpha", 0.2), p1: n.FloatAttr("beta", 0.5)}, true
	case "Swish":
		if alpha := n.FloatAttr("alpha", 1); alpha != 1 {
			return activation{name: "QuickGelu", p0: alpha}, true
		}
		return activation{name: "Silu"}, true
	case "Clip":
		lo, hi, ok := clipBounds(n)
		return activation{name: n.Type, p0: float32(lo), p1: float32(hi)}, ok && lo <= hi
	}
	return a, false
}

// contribActivation is activationOf for the domains qrun and com.microsoft.
func contribActivation(n *Node) (a activation, ok bool) {
	if len(n.In) != 1 || n.Domain != "qrun" && n.Domain != "com.microsoft" {
		return a, false
	}
	switch n.Type {
	case "Silu", "HardSwish":
		return activation{name: n.Type}, true
	case "Gelu":
		return geluOf(n), true
	case "QuickGelu":
		return activation{name: n.Type, p0: n.FloatAttr("alpha", 1.702)}, true
	case "FastGelu":
		return activation{name: "GeluTanh"}, true
	}
	return a, false
}

func geluOf(n *Node) activation {
	if n.StrAttr("approximate", "none") == "tanh" {
		return activation{name: "GeluTanh"}
	}
	return activation{name: "Gelu"}
}

// fuseActivation puts an activation into the product or convolution before it.
func fuseActivation(g *Graph, pc *PassCtx) (changed int, err error) {
	for n := range pc.Nodes(g) {
		a, ok := activationOf(n)
		if !ok {
			continue
		}
		m, _, residual := pc.fusable(n, n.In[0])
		if m == nil || m.StrAttr("activation", "") != "" || !m.convolves() && m.Arg(residual) != nil {
			continue
		}
		fused, err := pc.rebuild(m, m.Domain, m.Type, m.In, n.Out, a.attrs()...)
		if err != nil {
			return changed, err
		}
		pc.Replace(n, fused)
		changed++
	}
	return changed, nil
}

// mayBeResidual reports whether a sum of the result y of a linear layer m with z is one of equal shapes as far as is known:
// then the layer finds out in each run.
func mayBeResidual(m *Node, y, z *Value) bool {
	w := m.Arg(1)
	if m.Type == "QLinear" {
		w = m.Arg(4)
	}
	if m.convolves() || w.Const == nil || w.Const.Rank() != 2 || w.Const.Len() == 0 || m.IntAttr("transA", 0) != 0 || z.Spec.DType != tensor.Float32 ||
		!z.Spec.Ranked || y.Spec.Rank() < 2 || len(z.Spec.Dims) != y.Spec.Rank() {
		return false
	}
	last := len(z.Spec.Dims) - 1
	for i, d := range z.Spec.Dims {
		if e := y.Spec.Dims[i]; d.Size != e.Size && d.Known() && e.Known() || d.Known() != e.Known() && (d.Size == 1 || e.Size == 1) || i == last && !d.Known() {
			return false
		}
	}
	return true
}

// fuseResidual puts the sum with a tensor of the same shape into the product or convolution before it.
func fuseResidual(g *Graph, pc *PassCtx) (changed int, err error) {
	for n := range pc.Nodes(g) {
		if !n.Is("Add") || len(n.In) != 2 || n.In[0] == n.In[1] {
			continue
		}
		for i := range n.In {
			m, _, residual := pc.fusable(n, n.In[1-i])
			if m == nil || m.Arg(residual) != nil {
				continue
			}
			same, err := pc.sameExactShape(n.In[0], n.In[1])
			if err != nil {
				return changed, err
			}
			var more []Attr
			if !same {
				if !mayBeResidual(m, n.In[1-i], n.In[i]) {
					continue
				}
				more = append(more, IntA("residual_broadcast", 1))
			}
			if m.convolves() && m.StrAttr("activation", "") != "" {
				more = append(more, IntA("residual_last", 1))
			}
			fused, err := pc.rebuild(m, m.Domain, m.Type, withInput(m, residual, n.In[i]), n.Out, more...)
			if err != nil {
				return changed, err
			}
			pc.Replace(n, fused)
			changed++
			break
		}
	}
	return changed, nil
}
