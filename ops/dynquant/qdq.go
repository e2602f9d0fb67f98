package dynquant

import (
	"math"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

// FuseQDQ is the pass that computes statically quantized operators in integers. Quantizers write them as float operators
// between DequantizeLinear and QuantizeLinear (QDQ); the integer operators mean the same but for the rounding of the sums.
// It has to run before constants are folded, which would turn the quantized weights into floats.
func FuseQDQ() graph.Pass {
	return graph.Pass{Name: "qdq", Stage: graph.Fuse, Run: fuseQDQ,
		Doc: "float operators between DequantizeLinear and QuantizeLinear to integer ones"}
}

func fuseQDQ(g *graph.Graph, pc *graph.PassCtx) (changed int, err error) {
	for n := range pc.Nodes(g) {
		y, ok := gridOf(n, "QuantizeLinear")
		if !ok {
			continue
		}
		op := pc.Only(n.In[0], qdqOps...)
		if op == nil {
			continue
		}
		m := qdq{pc: pc, out: y, q: n, op: op}
		node, err := m.match()
		if err != nil {
			return changed, err
		}
		if node != nil {
			pc.Replace(n, node)
			changed++
		}
	}
	return changed, nil
}

var qdqOps = []string{"Conv", "MatMul", "Gemm", "AveragePool", "GlobalAveragePool", "Softmax", "MaxPool", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose"}

// qdqGrid is a quantized value with its constant parameters.
type qdqGrid struct {
	v           *graph.Value // of 8 bits; the float input of a QuantizeLinear
	scale, zero *graph.Value
}

// gridOf reads the parameters of a QuantizeLinear or DequantizeLinear node on 8 bits, ok is false where they are computed
// or blocked.
func gridOf(n *graph.Node, kind string) (g qdqGrid, ok bool) {
	if !n.Is(kind) || len(n.In) < 3 || n.In[2] == nil {
		return g, false
	}
	s, z := n.In[1].Const, n.In[2].Const
	if s == nil || z == nil || s.DType() != tensor.Float32 || !eightBits(z) || s.Len() != z.Len() {
		return g, false
	}
	if b, found := n.Attrs.Lookup("block_size"); found && b.I != 0 {
		return g, false
	}
	return qdqGrid{n.In[0], n.In[1], n.In[2]}, true
}

func (g qdqGrid) perTensor() bool { return g.scale.Const.Len() == 1 }

// same reports whether two grids have equal parameters.
func (g qdqGrid) same(h qdqGrid) bool {
	return g.perTensor() && h.perTensor() && g.zero.Const.DType() == h.zero.Const.DType() &&
		tensor.View[float32](g.scale.Const)[0] == tensor.View[float32](h.scale.Const)[0] && g.zero.Const.Bytes()[0] == h.zero.Const.Bytes()[0]
}

// qdq is one operator between its DequantizeLinears and its QuantizeLinear.
type qdq struct {
	pc    *graph.PassCtx
	out   qdqGrid
	q, op *graph.Node
}

// in reads input i's grid.
func (m *qdq) in(i int) (qdqGrid, bool) {
	d := m.pc.MadeBy(m.op.Arg(i), "DequantizeLinear")
	if d == nil {
		return qdqGrid{}, false
	}
	return gridOf(d, "DequantizeLinear")
}

// match returns the integer node, nil where the pattern does not hold.
func (m *qdq) match() (*graph.Node, error) {
	x, ok := m.in(0)
	if !ok || !x.perTensor() || !m.out.perTensor() || x.zero.Const.DType() != m.out.zero.Const.DType() && !m.op.Is("Conv", "MatMul", "Gemm") {
		return nil, nil
	}
	switch m.op.Type {
	case "Conv":
		return m.conv(x)
	case "MatMul":
		b, ok := m.in(1)
		if !ok || !b.perTensor() {
			return nil, nil
		}
		return m.make("", "QLinearMatMul", x.v, x.scale, x.zero, b.v, b.scale, b.zero, m.out.scale, m.out.zero)
	case "Gemm":
		return m.gemm(x)
	case "AveragePool":
		return m.make("com.microsoft", "QLinearAveragePool", x.v, x.scale, x.zero, m.out.scale, m.out.zero)
	case "GlobalAveragePool":
		return m.make("com.microsoft", "QLinearGlobalAveragePool", x.v, x.scale, x.zero, m.out.scale, m.out.zero)
	case "Softmax":
		return m.softmax(x)
	}
	// What only moves or chooses elements works on the integers as they are.
	if !x.same(m.out) || m.op.Is("MaxPool") && len(m.op.Out) > 1 {
		return nil, nil
	}
	in := append([]*graph.Value{x.v}, m.op.In[1:]...)
	return m.make("", m.op.Type, in...)
}

func (m *qdq) conv(x qdqGrid) (*graph.Node, error) {
	w, ok := m.in(1)
	if !ok || w.v.Const == nil || !w.perTensor() && w.scale.Const.Len() != w.v.Const.Shape()[0] {
		return nil, nil
	}
	in := []*graph.Value{x.v, x.scale, x.zero, w.v, w.scale, w.zero, m.out.scale, m.out.zero}
	if b := m.op.Arg(2); b != nil {
		bias := m.pc.MadeBy(b, "DequantizeLinear")
		if bias == nil || !sumsScale(bias, x, w) {
			return nil, nil
		}
		in = append(in, bias.In[0])
	}
	return m.make("", "QLinearConv", in...)
}

// gemm is QGemm where no factor but 1 is between the product and the bias; weights may have a scale for each column.
func (m *qdq) gemm(x qdqGrid) (*graph.Node, error) {
	w, ok := m.in(1)
	if !ok || w.v.Const == nil || w.v.Const.Rank() != 2 || factor(m.op, "alpha") != 1 {
		return nil, nil
	}
	column := 1
	if a, found := m.op.Attrs.Lookup("transB"); found && a.I != 0 {
		column = 0
	}
	if !w.perTensor() {
		axis := int64(1)
		if a, found := m.pc.MadeBy(m.op.Arg(1), "DequantizeLinear").Attrs.Lookup("axis"); found {
			axis = a.I
		}
		if axis < 0 {
			axis += 2
		}
		if axis != int64(column) || w.scale.Const.Len() != w.v.Const.Shape()[column] {
			return nil, nil
		}
	}
	in := []*graph.Value{x.v, x.scale, x.zero, w.v, w.scale, w.zero, nil, m.out.scale, m.out.zero}
	if b := m.op.Arg(2); b != nil {
		bias := m.pc.MadeBy(b, "DequantizeLinear")
		if bias == nil || !sumsScale(bias, x, w) || factor(m.op, "beta") != 1 {
			return nil, nil
		}
		in[gemmC] = bias.In[0]
	}
	var attrs []graph.Attr
	for _, name := range []string{"transA", "transB"} {
		if a, found := m.op.Attrs.Lookup(name); found {
			attrs = append(attrs, a)
		}
	}
	return m.pc.Make(m.op, microsoft, "QGemm", in, m.q.Out, attrs...)
}

// factor is a float attribute whose default is 1.
func factor(n *graph.Node, name string) float32 {
	if a, ok := n.Attrs.Lookup(name); ok {
		return a.F
	}
	return 1
}

// sumsScale reports whether an int32 bias is on the grid of the sums: scale of the input times scale of the weight, zero
// point 0.
func sumsScale(n *graph.Node, x, w qdqGrid) bool {
	b, s := n.In[0].Const, n.In[1].Const
	if b == nil || s == nil || b.DType() != tensor.Int32 || s.DType() != tensor.Float32 || s.Len() != w.scale.Const.Len() {
		return false
	}
	if z := n.Arg(2); z != nil {
		if z.Const == nil {
			return false
		}
		for _, v := range z.Const.Bytes() {
			if v != 0 {
				return false
			}
		}
	}
	xs := tensor.View[float32](x.scale.Const)[0]
	for i, ws := range tensor.View[float32](w.scale.Const) {
		want := float64(xs) * float64(ws)
		if math.Abs(float64(tensor.View[float32](s)[i])-want) > 1e-6*want {
			return false
		}
	}
	return true
}

func (m *qdq) softmax(x qdqGrid) (*graph.Node, error) {
	axis := int64(-1)
	if a, ok := m.op.Attrs.Lookup("axis"); ok {
		axis = a.I
	} else if m.op.Since < 13 {
		axis = 1
	}
	n, err := m.pc.Make(m.op, "com.microsoft", "QLinearSoftmax", []*graph.Value{x.v, x.scale, x.zero, m.out.scale, m.out.zero}, m.q.Out,
		graph.Attr{Name: "axis", Type: graph.AttrInt, I: axis}, graph.Attr{Name: "opset", Type: graph.AttrInt, I: int64(m.op.Since)})
	return n, err
}

// make makes the node with the attributes of the float operator.
func (m *qdq) make(domain, op string, in ...*graph.Value) (*graph.Node, error) {
	if !m.pc.Has(domain, op) {
		return nil, nil
	}
	var attrs []graph.Attr
	for _, name := range m.op.Attrs.Names() {
		a, _ := m.op.Attrs.Lookup(name)
		attrs = append(attrs, a)
	}
	return m.pc.Make(m.op, domain, op, in, m.q.Out, attrs...)
}
