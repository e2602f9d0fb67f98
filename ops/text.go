package ops

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func texts(l lib) []graph.Def {
	s := dtypes{tensor.String}
	return []graph.Def{
		{Op: "StringNormalizer", Since: 10, New: newStringNormalizer, Types: s},
		{Op: "StringConcat", Since: 20, New: newStringConcat, Types: s},
		{Op: "StringSplit", Since: 20, New: newStringSplit, Types: s},
		{Op: "RegexFullMatch", Since: 20, New: newRegexFullMatch, Types: s},
	}
}

// stringNormalizer drops stop words from [C] or [1 C] strings and changes the case of the others. The result is one empty
// string where nothing stays.
type stringNormalizer struct {
	change    func(string) string // nil: none
	stop      []string
	sensitive bool
	fold      func(string) string
}

func newStringNormalizer(a *graph.Attrs) (graph.Op, error) {
	lower, upper := strings.ToLower, strings.ToUpper
	if l := strings.ToLower(a.Str("locale", "")); strings.HasPrefix(l, "tr") || strings.HasPrefix(l, "az") {
		lower = func(s string) string { return strings.ToLowerSpecial(unicode.TurkishCase, s) }
		upper = func(s string) string { return strings.ToUpperSpecial(unicode.TurkishCase, s) }
	}
	o := stringNormalizer{sensitive: a.Bool("is_case_sensitive", false), fold: lower}
	o.stop = slices.Clone(a.Strings("stopwords"))
	switch a.OneOf("case_change_action", "NONE", "LOWER", "UPPER") {
	case "LOWER":
		o.change = lower
	case "UPPER":
		o.change = upper
	}
	if !o.sensitive {
		for i, w := range o.stop {
			o.stop[i] = lower(w)
		}
	}
	return o, nil
}

func (o stringNormalizer) Infer(c *graph.InferCtx) error {
	if err := tensorInputs(c, 1, 1); err != nil {
		return err
	}
	x := c.In(0)
	if err := wantType(c, 0, "input", tensor.String); err != nil {
		return err
	}
	if !x.Ranked {
		c.Out(0, tensor.Unranked(tensor.String))
		return nil
	}
	n := len(x.Dims)
	if n != 1 && n != 2 || n == 2 && x.Dims[0].Known() && x.Dims[0].Size != 1 {
		return fmt.Errorf("input %v, want [C] or [1 C]", x)
	}
	dims := anyDims(n)
	if n == 2 {
		dims[0] = tensor.Fixed(1)
	}
	c.Out(0, tensor.Ranked(tensor.String, dims))
	return nil
}

func (o stringNormalizer) Run(c *graph.RunCtx) error {
	var out []string
	for _, s := range tensor.View[string](c.In[0]) {
		key := s
		if !o.sensitive {
			key = o.fold(s)
		}
		if slices.Contains(o.stop, key) {
			continue
		}
		if o.change != nil {
			s = o.change(s)
		}
		out = append(out, s)
	}
	if len(out) == 0 {
		out = []string{""}
	}
	shape := []int{1, len(out)}[2-c.In[0].Rank():]
	y, err := output(c, 0, tensor.String, shape...)
	if err == nil {
		copy(tensor.View[string](y), out)
	}
	return err
}

// stringConcat joins the strings of two tensors that broadcast.
type stringConcat struct{}

func newStringConcat(*graph.Attrs) (graph.Op, error) { return stringConcat{}, nil }

func (stringConcat) Infer(c *graph.InferCtx) error {
	if err := tensorInputs(c, 2, 2); err != nil {
		return err
	}
	for i := range 2 {
		if err := wantType(c, i, "input", tensor.String); err != nil {
			return err
		}
	}
	s, err := broadcastSpecs(tensor.String, c.In(0), c.In(1))
	c.Out(0, s)
	return err
}

func (stringConcat) Run(c *graph.RunCtx) error {
	a, b := c.In[0], c.In[1]
	y := c.Out[0]
	if y == nil {
		dims, err := expanded(fixedDims(a.Shape()), fixedDims(b.Shape()))
		if err != nil {
			return err
		}
		if y, err = output(c, 0, tensor.String, sizes(dims)...); err != nil {
			return err
		}
	}
	dst, left, right := tensor.View[string](y), tensor.View[string](a), tensor.View[string](b)
	shape := y.Shape()
	sa, sb := broadcastStrides(a.Shape(), len(shape)), broadcastStrides(b.Shape(), len(shape))
	for i := range dst {
		p, q := offsetOf(i, shape, sa, sb)
		dst[i] = left[p] + right[q]
	}
	return nil
}

// broadcastStrides are the distances of neighbours on each of rank axes, 0 where a shape repeats.
func broadcastStrides(shape []int, rank int) []int {
	s := make([]int, rank)
	step := 1
	for k := len(shape) - 1; k >= 0; k-- {
		if shape[k] != 1 {
			s[rank-len(shape)+k] = step
		}
		step *= shape[k]
	}
	return s
}

// stringSplit cuts strings at a delimiter, or at white space, into a new last axis as long as the longest result, filled
// up with empty strings. Output 1 has the number of parts.
type stringSplit struct {
	delimiter string
	most      int // cuts, -1 for any number
}

func newStringSplit(a *graph.Attrs) (graph.Op, error) {
	o := stringSplit{a.Str("delimiter", ""), int(a.Int("maxsplit", -1))}
	if !a.Has("maxsplit") {
		o.most = -1
	}
	return o, nil
}

func (o stringSplit) Infer(c *graph.InferCtx) error {
	if err := tensorInputs(c, 1, 1); err != nil {
		return err
	}
	x := c.In(0)
	if err := wantType(c, 0, "input", tensor.String); err != nil {
		return err
	}
	if !x.Ranked {
		c.Out(0, tensor.Unranked(tensor.String))
		c.Out(1, tensor.Unranked(tensor.Int64))
		return nil
	}
	c.Out(0, insertAxis(x, len(x.Dims), tensor.AnyDim))
	c.Out(1, tensor.Ranked(tensor.Int64, x.Dims))
	return nil
}

func (o stringSplit) parts(s string) []string {
	if o.delimiter != "" {
		if s == "" {
			return nil
		}
		return strings.SplitN(s, o.delimiter, o.limit())
	}
	if o.most < 0 {
		return strings.Fields(s)
	}
	var parts []string
	for s = strings.TrimLeftFunc(s, unicode.IsSpace); s != ""; s = strings.TrimLeftFunc(s, unicode.IsSpace) {
		end := strings.IndexFunc(s, unicode.IsSpace)
		if end < 0 || len(parts) == o.most {
			return append(parts, s)
		}
		parts = append(parts, s[:end])
		s = s[end:]
	}
	return parts
}

// limit is the number of parts for strings.SplitN.
func (o stringSplit) limit() int {
	if o.most < 0 {
		return -1
	}
	return o.most + 1
}

func (o stringSplit) Run(c *graph.RunCtx) error {
	x := c.In[0]
	var all [][]string
	widest := 0
	for _, s := range tensor.View[string](x) {
		p := o.parts(s)
		all = append(all, p)
		widest = max(widest, len(p))
	}
	y, err := output(c, 0, tensor.String, append(append([]int{}, x.Shape()...), widest)...)
	if err != nil {
		return err
	}
	dst := tensor.View[string](y)
	clear(dst)
	for i, p := range all {
		copy(dst[i*widest:], p)
	}
	if !c.Wants(1) {
		return nil
	}
	n, err := output(c, 1, tensor.Int64, x.Shape()...)
	if err != nil {
		return err
	}
	for i, p := range all {
		tensor.View[int64](n)[i] = int64(len(p))
	}
	return nil
}

// regexFullMatch tells which strings a regular expression in RE2's syntax matches as a whole.
type regexFullMatch struct{ pattern *regexp.Regexp }

func newRegexFullMatch(a *graph.Attrs) (graph.Op, error) {
	a.Require("pattern")
	p, err := regexp.Compile(`^(?:` + a.Str("pattern", "") + `)\z`)
	if err != nil {
		return nil, fmt.Errorf("attribute pattern: %w", err)
	}
	return regexFullMatch{p}, nil
}

func (o regexFullMatch) Infer(c *graph.InferCtx) error {
	if err := tensorInputs(c, 1, 1); err != nil {
		return err
	}
	x := c.In(0)
	if err := wantType(c, 0, "input", tensor.String); err != nil {
		return err
	}
	x.DType = tensor.Bool
	c.Out(0, x)
	return nil
}

func (o regexFullMatch) Run(c *graph.RunCtx) error {
	y, err := output(c, 0, tensor.Bool, c.In[0].Shape()...)
	if err != nil {
		return err
	}
	for i, s := range tensor.View[string](c.In[0]) {
		if y.Bytes()[i] = 0; o.pattern.MatchString(s) {
			y.Bytes()[i] = 1
		}
	}
	return nil
}
