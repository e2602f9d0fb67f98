package graph

import (
	"slices"
	"strings"

	"github.com/qrun-onnx/qrun/tensor"
)

// fuseEinsum makes a MatMul of an Einsum that is one, with the Transposes and Reshapes that bring the operands into its form.
// So the passes for linear layers and attention, and quantization, see what Keras writes as Einsum. Labels sort into those
// of both operands and the result (batches), of both operands alone (which are summed over), and of one operand.
func fuseEinsum(g *Graph, pc *PassCtx) (changed int, err error) {
	for n := range pc.Nodes(g) {
		if !n.Is("Einsum") || len(n.In) != 2 || n.In[0].Spec.DType != tensor.Float32 {
			continue
		}
		e, ok := newContraction(n)
		if !ok {
			continue
		}
		switch {
		case e.x[1].Const != nil && len(e.batch) == 0:
			ok, err = pc.emitWeighted(n, e)
		case e.x[0].Const != nil && len(e.batch) == 0:
			e.swap()
			ok, err = pc.emitWeighted(n, e)
		default:
			ok, err = pc.emitBatched(n, e)
		}
		if err != nil {
			return changed, err
		}
		if ok {
			changed++
		}
	}
	return changed, nil
}

// contraction is an Einsum of two operands. Each list of labels is in the order of the result, that of sum in the order of
// the second operand.
type contraction struct {
	x          [2]*Value
	in         [2]string
	out        string
	batch, sum string
	own        [2]string
}

func newContraction(n *Node) (e contraction, ok bool) {
	terms, out, ok := strings.Cut(strings.ReplaceAll(n.StrAttr("equation", ""), " ", ""), "->")
	in := strings.Split(terms, ",")
	if !ok || len(in) != 2 || strings.Contains(terms+out, ".") {
		return e, false
	}
	e = contraction{x: [2]*Value{n.In[0], n.In[1]}, in: [2]string{in[0], in[1]}, out: out}
	for _, s := range []string{in[0], in[1], out} {
		for i := range s {
			if strings.IndexByte(s[i+1:], s[i]) >= 0 {
				return e, false
			}
		}
	}
	if e.x[0].Spec.Rank() != len(in[0]) || e.x[1].Spec.Rank() != len(in[1]) {
		return e, false
	}
	for _, c := range out {
		a, b := strings.ContainsRune(in[0], c), strings.ContainsRune(in[1], c)
		switch {
		case a && b:
			e.batch += string(c)
		case a:
			e.own[0] += string(c)
		case b:
			e.own[1] += string(c)
		default:
			return e, false
		}
	}
	for _, c := range in[1] {
		if !strings.ContainsRune(out, c) {
			if !strings.ContainsRune(in[0], c) || !e.sameSize(c) {
				return e, false
			}
			e.sum += string(c)
		}
	}
	for _, c := range in[0] {
		if !strings.ContainsRune(in[1]+out, c) {
			return e, false
		}
	}
	return e, e.sum != ""
}

// sameSize reports whether a label is not one that is repeated in one operand, as far as is known.
func (e *contraction) sameSize(c rune) bool {
	d := [2]tensor.Dim{}
	for i := range d {
		d[i] = e.dim(i, c)
	}
	return d[0].Size == d[1].Size
}

// dim is a label's dimension in an operand.
func (e *contraction) dim(i int, c rune) tensor.Dim {
	return e.x[i].Spec.Dims[strings.IndexRune(e.in[i], c)]
}

func (e *contraction) swap() {
	e.x[0], e.x[1] = e.x[1], e.x[0]
	e.in[0], e.in[1] = e.in[1], e.in[0]
	e.own[0], e.own[1] = e.own[1], e.own[0]
	sum := ""
	for _, c := range e.in[1] {
		if strings.ContainsRune(e.sum, c) {
			sum += string(c)
		}
	}
	e.sum = sum
}

// sizes is the product of sizes of labels of the second operand, and each of them, when they are known.
func (e *contraction) sizes(labels string) (n int64, each []int64, ok bool) {
	n = 1
	for _, c := range labels {
		d := e.dim(1, c)
		if d.Size < 1 {
			return 0, nil, false
		}
		n, each = n*int64(d.Size), append(each, int64(d.Size))
	}
	return n, each, true
}

// emitWeighted makes the product with a constant second operand, whose labels may stand for several dimensions.
func (pc *PassCtx) emitWeighted(n *Node, e contraction) (bool, error) {
	k, _, okK := e.sizes(e.sum)
	cols, each, okN := e.sizes(e.own[1])
	if !okK || !okN || e.own[0] == "" || e.own[1] == "" {
		return false, nil
	}
	s := sequence{pc: pc, at: n}
	x := s.transpose(e.x[0], e.in[0], e.own[0]+e.sum)
	if len(e.sum) > 1 {
		x = s.reshape(x, append(make([]int64, len(e.own[0])), k)...)
	}
	w := s.transpose(e.x[1], e.in[1], e.sum+e.own[1])
	if len(e.in[1]) != 2 {
		w = s.reshape(w, k, cols)
	}
	y := s.node("MatMul", x, w)
	if len(each) > 1 {
		y = s.reshape(y, append(make([]int64, len(e.own[0])), each...)...)
	}
	y = s.transpose(y, e.own[0]+e.own[1], e.out)
	return true, s.finish(y)
}

// emitBatched makes the product of two operands with one label each for rows, columns and what is summed over.
func (pc *PassCtx) emitBatched(n *Node, e contraction) (bool, error) {
	if len(e.sum) != 1 || len(e.own[0]) != 1 || len(e.own[1]) != 1 {
		return false, nil
	}
	if strings.Index(e.out, e.own[0]) > strings.Index(e.out, e.own[1]) {
		e.swap()
	}
	s := sequence{pc: pc, at: n}
	x := s.transpose(e.x[0], e.in[0], e.batch+e.own[0]+e.sum)
	w := s.transpose(e.x[1], e.in[1], e.batch+e.sum+e.own[1])
	y := s.transpose(s.node("MatMul", x, w), e.batch+e.own[0]+e.own[1], e.out)
	return true, s.finish(y)
}

// sequence makes nodes one after another in place of node at.
type sequence struct {
	pc   *PassCtx
	at   *Node
	made []*Node
	err  error
}

func (s *sequence) node(op string, in ...*Value) *Value { return s.attrs(op, nil, in...) }

func (s *sequence) attrs(op string, attrs []Attr, in ...*Value) *Value {
	v := s.pc.NewValue(s.at.Out[0].Name+"_"+op, tensor.Unranked(in[0].Spec.DType), nil)
	if s.err != nil {
		return v
	}
	n, err := s.pc.Make(s.at, "", op, in, []*Value{v}, attrs...)
	if err != nil {
		s.err = err
		return v
	}
	if op != "MatMul" {
		n.Name = s.at.Name + "/" + v.Name
	}
	s.made = append(s.made, n)
	return v
}

// transpose brings dimensions with labels from into the order of to.
func (s *sequence) transpose(v *Value, from, to string) *Value {
	if from == to {
		return v
	}
	perm := make([]int64, len(to))
	for i, c := range to {
		perm[i] = int64(strings.IndexRune(from, c))
	}
	return s.attrs("Transpose", []Attr{IntsA("perm", perm...)}, v)
}

func (s *sequence) reshape(v *Value, dims ...int64) *Value {
	return s.node("Reshape", v, s.pc.ints("shape", dims...))
}

// finish puts the nodes, the last of which makes y, in the place of the one that was.
func (s *sequence) finish(y *Value) error {
	if s.err != nil {
		return s.err
	}
	i := slices.IndexFunc(s.made, func(n *Node) bool { return n.Out[0] == y })
	last := s.made[i]
	last.Out[0] = s.at.Out[0]
	for _, n := range s.made[:i] {
		s.pc.Insert(s.at, n)
	}
	s.pc.Replace(s.at, last)
	return nil
}
