package ops

import (
	"fmt"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/tensor"
)

func vectorizers(l lib) []graph.Def {
	return []graph.Def{
		{Op: "TfIdfVectorizer", Since: 9, New: newTfIdf, Types: dtypes{tensor.String, tensor.Int32, tensor.Int64}},
	}
}

// gram is a node of the tree of known n-grams: next by the following item, and, where one ends here, its column.
type gram struct {
	next   map[any]*gram
	column int // -1: none
	id     int
}

// tfIdf counts the n-grams of a pool in each row of [C] or [N C] items, with up to so many items between neighbours: the
// counts (TF), whether there is any, times a weight (IDF), or the counts times the weight (TFIDF).
type tfIdf struct {
	mode           string
	shortest, long int
	skips          int
	root           *gram
	columns        int
	weights        []float32 // per n-gram, empty for 1
}

func newTfIdf(a *graph.Attrs) (graph.Op, error) {
	a.Require("max_gram_length", "max_skip_count", "min_gram_length", "mode", "ngram_counts", "ngram_indexes")
	o := tfIdf{mode: a.OneOf("mode", "TF", "IDF", "TFIDF"), shortest: int(a.Int("min_gram_length", 1)), long: int(a.Int("max_gram_length", 1)),
		skips: int(a.Int("max_skip_count", 0)), root: &gram{column: -1}, weights: a.Floats("weights")}
	var pool []any
	for _, v := range a.Ints("pool_int64s") {
		pool = append(pool, v)
	}
	for _, s := range a.Strings("pool_strings") {
		pool = append(pool, s)
	}
	counts, columns := a.Ints("ngram_counts"), a.Ints("ngram_indexes")
	if a.Has("pool_int64s") == a.Has("pool_strings") {
		return nil, fmt.Errorf("want one of pool_int64s and pool_strings")
	}
	if o.shortest < 1 || o.long < o.shortest || o.skips < 0 {
		return nil, fmt.Errorf("min_gram_length=%d, max_gram_length=%d and max_skip_count=%d do not fit together", o.shortest, o.long, o.skips)
	}
	for _, k := range columns {
		if k < 0 || k > maxTensorBytes/4 {
			return nil, fmt.Errorf("ngram_indexes have %d", k)
		}
		o.columns = max(o.columns, int(k)+1)
	}
	if len(o.weights) > 0 && len(o.weights) != len(columns) {
		return nil, fmt.Errorf("%d weights for %d ngram_indexes", len(o.weights), len(columns))
	}
	return o, o.fill(pool, counts, columns)
}

// fill builds the tree: counts says where in the pool the n-grams of each length begin.
func (o *tfIdf) fill(pool []any, counts, columns []int64) error {
	id := 0
	for i, start := range counts {
		end := int64(len(pool))
		if i+1 < len(counts) {
			end = counts[i+1]
		}
		n := i + 1
		if start < 0 || end < start || end > int64(len(pool)) || int(end-start)%n != 0 {
			return fmt.Errorf("ngram_counts %v do not fit a pool of %d items", counts, len(pool))
		}
		for at := int(start); at < int(end); at += n {
			if id >= len(columns) {
				return fmt.Errorf("ngram_indexes has %d entries, the pool more n-grams", len(columns))
			}
			if n >= o.shortest && n <= o.long {
				g := o.root
				for _, item := range pool[at : at+n] {
					if g.next == nil {
						g.next = map[any]*gram{}
					}
					if g.next[item] == nil {
						g.next[item] = &gram{column: -1}
					}
					g = g.next[item]
				}
				g.column, g.id = int(columns[id]), id
			}
			id++
		}
	}
	return nil
}

func (o tfIdf) Infer(c *graph.InferCtx) error {
	if err := tensorInputs(c, 1, 1); err != nil {
		return err
	}
	x := c.In(0)
	if err := wantType(c, 0, "input", tensor.String, tensor.Int32, tensor.Int64); err != nil {
		return err
	}
	if !x.Ranked {
		c.Out(0, tensor.Unranked(tensor.Float32))
		return nil
	}
	if len(x.Dims) > 2 {
		return fmt.Errorf("input %v, want [C] or [N C]", x)
	}
	dims := []tensor.Dim{tensor.Fixed(o.columns)}
	if len(x.Dims) == 2 {
		dims = []tensor.Dim{x.Dims[0], dims[0]}
	}
	c.Out(0, tensor.Ranked(tensor.Float32, dims))
	return checkDims(tensor.Float32, dims)
}

func (o tfIdf) Run(c *graph.RunCtx) error {
	x := c.In[0]
	rows, shape := 1, []int{o.columns}
	if x.Rank() == 2 {
		rows = x.Shape()[0]
		shape = []int{rows, o.columns}
	}
	y, err := output(c, 0, tensor.Float32, shape...)
	if err != nil {
		return err
	}
	dst := tensor.View[float32](y)
	clear(dst)
	items := make([]any, x.Len())
	if x.DType() == tensor.String {
		for i, s := range tensor.View[string](x) {
			items[i] = s
		}
	} else {
		for i, v := range runInts(x) {
			items[i] = v
		}
	}
	n := len(items) / max(rows, 1)
	for r := range rows {
		o.count(dst[r*o.columns:(r+1)*o.columns], items[r*n:(r+1)*n])
	}
	return nil
}

// count adds up one row. Single items do not depend on the skip and count once.
func (o tfIdf) count(row []float32, items []any) {
	shortest := o.shortest
	for step := 1; step <= o.skips+1 && shortest <= o.long; step++ {
		for start := 0; start+step*(shortest-1) < len(items); start++ {
			g := o.root
			for n, at := 1, start; n <= o.long && at < len(items); n, at = n+1, at+step {
				if g = g.next[items[at]]; g == nil {
					break
				}
				if n >= shortest && g.column >= 0 {
					o.add(row, g)
				}
			}
		}
		shortest = max(shortest, 2)
	}
}

func (o tfIdf) add(row []float32, g *gram) {
	w := float32(1)
	if len(o.weights) > 0 && o.mode != "TF" {
		w = o.weights[g.id]
	}
	if o.mode == "IDF" {
		row[g.column] = w
	} else {
		row[g.column] += w
	}
}
