package ops

import (
	"fmt"
	"slices"
	"strings"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func einsums(l lib) []graph.Def {
	types := dtypes{tensor.Float32, tensor.Float64, tensor.Float16, tensor.BFloat16, tensor.Int32, tensor.Int64, tensor.Int8, tensor.Int16,
		tensor.Uint8, tensor.Uint16, tensor.Uint32, tensor.Uint64}
	return []graph.Def{
		{Op: "Einsum", Since: 12, New: l.newEinsum, Types: types},
	}
}

// einsum sums products of elements over the axes whose labels are in no term of the output. Operands are joined from the
// left, two at a time; a pair becomes one batched matrix product where the type is float32.
type einsum struct {
	lib
	terms  [][]rune // labels per input; the axes of "..." are dots, as many as the input has
	out    []rune
	hasOut bool
}

// dots stands for "..." in a term.
const dots = '.'

func (l lib) newEinsum(a *graph.Attrs) (graph.Op, error) {
	a.Require("equation")
	if err := a.Err(false); err != nil {
		return nil, err
	}
	eq := strings.ReplaceAll(a.Str("equation", ""), " ", "")
	o := einsum{lib: l}
	left, right, arrow := strings.Cut(eq, "->")
	o.hasOut = arrow
	term := func(s string) ([]rune, error) {
		s = strings.ReplaceAll(s, "...", string(dots))
		for _, r := range s {
			if r != dots && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') {
				return nil, fmt.Errorf("equation %q has %q", eq, r)
			}
		}
		if strings.Count(s, string(dots)) > 1 {
			return nil, fmt.Errorf("equation %q has two ellipses in a term", eq)
		}
		return []rune(s), nil
	}
	for _, s := range strings.Split(left, ",") {
		t, err := term(s)
		if err != nil {
			return nil, err
		}
		o.terms = append(o.terms, t)
	}
	if len(o.terms) != a.NumIn {
		return nil, fmt.Errorf("equation %q has %d terms for %d inputs", eq, len(o.terms), a.NumIn)
	}
	var err error
	if o.out, err = term(right); err != nil {
		return nil, err
	}
	for i, r := range o.out {
		if slices.Contains(o.out[:i], r) {
			return nil, fmt.Errorf("equation %q has %q twice in the output", eq, r)
		}
		if r != dots && !slices.ContainsFunc(o.terms, func(t []rune) bool { return slices.Contains(t, r) }) {
			return nil, fmt.Errorf("equation %q has %q only in the output", eq, r)
		}
	}
	return o, nil
}

// dotLabel is the label of an axis of an ellipsis, counted from its end, so that shorter ones broadcast.
func dotLabel(fromEnd int) rune { return rune(0x1000 + fromEnd) }

// labels names every axis of input i, which has that rank.
func (o einsum) labels(i, rank int) ([]rune, error) {
	t := o.terms[i]
	k := slices.Index(t, dots)
	n := rank - len(t)
	if k >= 0 {
		n++
	}
	if n < 0 || k < 0 && n != 0 {
		return nil, fmt.Errorf("term %q of the equation for an input of %d dimensions", string(t), rank)
	}
	if k < 0 {
		return t, nil
	}
	var list []rune
	for e := n; e > 0; e-- {
		list = append(list, dotLabel(e))
	}
	return slices.Concat(t[:k], list, t[k+1:]), nil
}

// output lists the labels of the output, given those of the inputs.
func (o einsum) output(in [][]rune) []rune {
	count := map[rune]int{}
	widest := 0
	for _, t := range in {
		for _, r := range t {
			count[r]++
			if r >= 0x1000 {
				widest = max(widest, int(r-0x1000))
			}
		}
	}
	var all []rune
	for e := widest; e > 0; e-- {
		all = append(all, dotLabel(e))
	}
	if o.hasOut {
		k := slices.Index(o.out, dots)
		if k < 0 {
			return o.out
		}
		return slices.Concat(o.out[:k], all, o.out[k+1:])
	}
	var single []rune
	for r, n := range count {
		if n == 1 && r < 0x1000 {
			single = append(single, r)
		}
	}
	slices.Sort(single)
	return append(all, single...)
}

func (o einsum) Infer(c *graph.InferCtx) error {
	if err := tensorInputs(c, c.NumIn(), c.NumIn()); err != nil {
		return err
	}
	all := make([]int, c.NumIn())
	for i := range all {
		all[i] = i
	}
	d, err := sameType(c, all...)
	if err != nil {
		return err
	}
	if err := checkType("inputs", d, numberTypes); err != nil {
		return err
	}
	size := map[rune]tensor.Dim{}
	in := make([][]rune, c.NumIn())
	for i := range in {
		x := c.In(i)
		if !x.Ranked {
			c.Out(0, tensor.Unranked(d))
			return nil
		}
		if in[i], err = o.labels(i, len(x.Dims)); err != nil {
			return err
		}
		for k, r := range in[i] {
			have, ok := size[r]
			if !ok {
				have = tensor.Fixed(1)
			}
			u, ok := broadcastDim(have, x.Dims[k])
			if !ok {
				return fmt.Errorf("label %q has sizes %v and %v", r, have, x.Dims[k])
			}
			size[r] = u
		}
	}
	dims := []tensor.Dim{}
	for _, r := range o.output(in) {
		dims = append(dims, size[r])
	}
	c.Out(0, tensor.Ranked(d, dims))
	return checkDims(d, dims)
}

// factor is a tensor of float64 with a label per axis.
type factor struct {
	labels []rune
	shape  []int
	data   []float64
}

func (o einsum) Run(c *graph.RunCtx) error {
	in := make([][]rune, len(c.In))
	size := map[rune]int{}
	for i, x := range c.In {
		var err error
		if in[i], err = o.labels(i, x.Rank()); err != nil {
			return err
		}
		for k, r := range in[i] {
			if n := x.Shape()[k]; size[r] <= 1 {
				size[r] = n
			}
		}
	}
	out := o.output(in)
	shape := []int{}
	for _, r := range out {
		shape = append(shape, size[r])
	}
	y, err := output(c, 0, c.In[0].DType(), shape...)
	if err != nil || y.Len() == 0 {
		return err
	}
	if done, err := o.asProduct(c, in, out, size); done || err != nil {
		return err
	}
	var acc factor
	for i, x := range c.In {
		data, err := toFloats(x)
		if err != nil {
			return err
		}
		next := factor{in[i], x.Shape(), data}
		if i == 0 {
			acc = next
			if len(c.In) > 1 {
				continue
			}
			next = factor{data: []float64{1}}
		}
		keep := out
		for _, t := range in[min(i+1, len(in)):] {
			keep = slices.Concat(keep, t)
		}
		last := i == len(c.In)-1
		if last {
			keep = out
		}
		acc = contract(acc, next, keep, last, size)
	}
	return fromFloats(y, acc.data)
}

// contract multiplies two operands and sums over the labels that are not kept. In the last step the labels of the result
// are those kept, in their order.
func contract(a, b factor, keep []rune, last bool, size map[rune]int) factor {
	var axes []rune
	for _, r := range keep {
		if !slices.Contains(axes, r) && (last || slices.Contains(a.labels, r) || slices.Contains(b.labels, r)) {
			axes = append(axes, r)
		}
	}
	kept := len(axes)
	for _, r := range slices.Concat(a.labels, b.labels) {
		if !slices.Contains(axes, r) {
			axes = append(axes, r)
		}
	}
	n := make([]int, len(axes))
	for i, r := range axes {
		n[i] = size[r]
	}
	sa, sb := a.strides(axes), b.strides(axes)
	y := factor{labels: axes[:kept], shape: n[:kept], data: make([]float64, elemCount(n[:kept]))}
	inner := elemCount(n[kept:])
	for i := range y.data {
		sum := 0.0
		for k := range inner {
			pa, pb := offsetOf(i, n[:kept], sa, sb)
			qa, qb := offsetOf(k, n[kept:], sa[kept:], sb[kept:])
			sum += float64(a.data[pa+qa] * b.data[pb+qb])
		}
		y.data[i] = sum
	}
	return y
}

// strides is the distance of neighbours along each of the axes; an axis that is not there, or of size 1, has none, and a
// label that is there twice walks the diagonal.
func (o factor) strides(axes []rune) []int {
	s := make([]int, len(axes))
	step := 1
	for k := len(o.labels) - 1; k >= 0; k-- {
		if o.shape[k] != 1 {
			s[slices.Index(axes, o.labels[k])] += step
		}
		step *= o.shape[k]
	}
	return s
}

// offsetOf are the offsets of position i of a box of the sizes n.
func offsetOf(i int, n, sa, sb []int) (a, b int) {
	for k := len(n) - 1; k >= 0; k-- {
		p := i % n[k]
		i /= n[k]
		a += p * sa[k]
		b += p * sb[k]
	}
	return a, b
}
