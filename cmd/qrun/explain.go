package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/qrun-onnx/qrun"
	"github.com/qrun-onnx/qrun/internal/accuracy"
	"github.com/qrun-onnx/qrun/tensor"
)

type explainFlags struct {
	inputFlags
	node    string
	profile string
	row     int
	values  int
	json    bool
}

func (e *env) explainCommand() *cobra.Command {
	f := &explainFlags{}
	c := &cobra.Command{
		Use:   "explain MODEL --node NAME",
		Short: "Show what happens inside one quantized linear layer, step by step",
		Long: `Runs the float32 model up to a linear layer and takes the layer apart as --quantize dynamic computes it: the range of
its float32 input, scale and zero point, the uint8 activations, the int8 weights and their scales, the int32 sums, the
float32 result; then the same layer in float32, and the error. So it shows, with real numbers, that the activations are
quantized at every call and that no weight is turned back into floats.`,
		Args: oneModel,
		RunE: func(_ *cobra.Command, args []string) error { return e.explain(args[0], f) },
	}
	f.inputFlags.add(c)
	fl := c.Flags()
	fl.StringVar(&f.node, "node", "", "name of the MatMul or Gemm node (default: the first that can be quantized)")
	fl.StringVar(&f.profile, "profile", "row", "row (a scale per activation row) or onnx (per tensor)")
	fl.IntVar(&f.row, "row", 0, "row of the activation to show")
	fl.IntVar(&f.values, "values", 6, "how many values of each row to show")
	fl.BoolVar(&f.json, "json", false, "print a JSON document")
	return c
}

func (e *env) explain(path string, f *explainFlags) error {
	if f.profile != "row" && f.profile != "onnx" {
		return usagef("--profile %q, want row or onnx", f.profile)
	}
	if f.values < 1 || f.row < 0 {
		return usagef("--values wants 1 or more, --row 0 or more")
	}
	info, err := qrun.Describe(path)
	if err != nil {
		return inFile(path, err)
	}
	f.stdin = e.stdin
	in, err := f.load(info.Inputs)
	if err != nil {
		return err
	}
	found := false
	match := func(n string) bool { return f.node == "" || n == f.node }
	names, err := qrun.TraceLayers(e.ctx, path, in.runs[0], qrun.Profile(f.profile), match, func(l qrun.LayerTrace) error {
		if found { // of several with one name, or without --node, the first
			return nil
		}
		found = true
		if rows := l.X.Shape()[0]; f.row >= rows {
			return usagef("--row %d: the activation has %d rows", f.row, rows)
		}
		if f.json {
			return e.printJSON(explainDocument(path, f, l))
		}
		return e.printExplanation(path, f, in, l)
	})
	if err != nil {
		return err
	}
	switch {
	case !found && len(names) == 0:
		return fmt.Errorf("%s: no MatMul or Gemm with a constant weight", path)
	case !found && f.node != "":
		return usageError{fmt.Errorf("--node: %w", qrun.UnknownLayer(f.node, names))}
	case !found:
		return fmt.Errorf("%s: the linear layers were not reached on this input", path)
	}
	return nil
}

func (e *env) printExplanation(path string, f *explainFlags, in *loaded, l qrun.LayerTrace) error {
	x := tensor.View[float32](l.X)
	rows, k := l.X.Shape()[0], l.X.Shape()[1]
	n := l.W.Shape()[1]
	r := f.row
	g := min(r, len(l.Scale)-1)
	step := func(i int, title, format string, a ...any) {
		fmt.Fprintf(e.stdout, "%2d  %-22s %s\n", i, title, fmt.Sprintf(format, a...))
	}
	show := func(format string, a ...any) { fmt.Fprintf(e.stdout, "    %-22s %s\n", "", fmt.Sprintf(format, a...)) }
	fmt.Fprintf(e.stdout, "%s   %s %q   [%d %d] x [%d %d]   profile %s\n", path, l.Op, l.Node, rows, k, k, n, f.profile)
	if len(in.generated) > 0 {
		fmt.Fprintf(e.stdout, "made-up input: %s\n", strings.Join(in.generated, ", "))
	}
	fmt.Fprintf(e.stdout, "shown: row %d of %d, first values\n\n", r, rows)
	step(1, "input", "%v, the activation as the layer gets it", l.X)
	show("%s", list(x[r*k:(r+1)*k], f.values, " %9.5f"))
	scope := "of this row"
	if l.PerTensor {
		scope = "of the whole tensor"
	}
	step(2, "its range", "min %.6g, max %.6g %s (0 included), taken now, at this call", l.Min[g], l.Max[g], scope)
	step(3, "scale and zero point", "scale = (max - min)/255 = %.8g   zero = round(-min/scale) = %d", l.Scale[g], l.Zero[g])
	q := tensor.View[uint8](l.Q)
	step(4, "quantized input", "%v, q = clip(round(x/scale) + zero, 0, 255)", l.Q)
	wide := l.Q.Shape()[1]
	show("%s", list(q[r*wide:(r+1)*wide], f.values, " %9d"))
	if r := len(l.Repeated); r > 0 {
		show("the last %s weights are split: %v", repeats(r), l.Repeated)
	}
	step(5, "weights", "%v in the file, %v here, quantized once at load; scale of each column = max|w|/127", l.W, l.WQ)
	w, wq := column(tensor.View[float32](l.W), n, 0), column(tensor.View[int8](l.WQ), n, 0)
	show("%s   column 0 in float32", list(w, f.values, " %9.5f"))
	show("%s   column 0 in int8, scale %.8g", list(wq, f.values, " %9d"), l.WScale[0])
	acc := tensor.View[int32](l.Acc)
	step(6, "integer product", "%v, acc = sum over %d of (q - zero)*w, exact; %.3g multiply-adds on %s", l.Acc, wide, float64(l.Multiplies), l.Kernel)
	show("%s", list(acc[r*n:(r+1)*n], f.values, " %9d"))
	step(7, "back to float32", "%v, y = float32(acc)*(scale*scale of the column)", l.Product)
	show("%s", list(tensor.View[float32](l.Product)[r*n:(r+1)*n], f.values, " %9.5f"))
	if l.Bias != nil {
		step(8, "bias", "float32[%d], added in float32, never quantized", len(l.Bias))
		show("%s", list(l.Bias, f.values, " %9.5f"))
	} else {
		step(8, "bias", "none")
	}
	step(9, "result", "%v", l.Result)
	show("%s", list(tensor.View[float32](l.Result)[r*n:(r+1)*n], f.values, " %9.5f"))
	step(10, "in float32", "the same layer, nothing quantized")
	show("%s", list(tensor.View[float32](l.Float)[r*n:(r+1)*n], f.values, " %9.5f"))
	s, err := accuracy.Compare(l.Result, l.Float)
	if err != nil {
		return err
	}
	step(11, "error", "max |d| %.3g   cosine %.6f   SQNR %s dB   over all rows", s.MaxAbs, s.Cosine, decibel(s.SQNR))
	fmt.Fprintf(e.stdout, "\nThe activations are quantized to uint8 at every call and multiplied as integers; the weights stay int8.\nOnly the sums become float32 again, where scale and bias are applied.\n")
	return nil
}

func repeats(n int) string {
	if n == 1 {
		return "1 repeats a channel, since its"
	}
	return fmt.Sprintf("%d repeat channels, since their", n)
}

func column[T any](m []T, n, j int) []T {
	var c []T
	for i := j; i < len(m); i += n {
		c = append(c, m[i])
	}
	return c
}

// list shows the first values of v.
func list[T any](v []T, most int, format string) string {
	var b strings.Builder
	for i, x := range v {
		if i == most {
			b.WriteString("  ...")
			break
		}
		fmt.Fprintf(&b, format, x)
	}
	return b.String()
}

type explainDoc struct {
	Schema      string    `json:"schema"`
	Model       string    `json:"model"`
	Node        string    `json:"node"`
	Op          string    `json:"op"`
	Profile     string    `json:"profile"`
	Kernel      string    `json:"kernel"`
	Row         int       `json:"row"`
	Input       []float32 `json:"input"`
	Min         float32   `json:"min"`
	Max         float32   `json:"max"`
	Scale       float32   `json:"scale"`
	ZeroPoint   int32     `json:"zero_point"`
	Repeated    []int     `json:"repeated,omitempty"` // channels that follow the others once more
	Quantized   []int     `json:"quantized"`
	Weights     [][]int   `json:"weights_int8"` // by row of the depth
	WeightScale []float32 `json:"weight_scales"`
	Accumulator []int32   `json:"accumulators"`
	Product     []float32 `json:"product"`
	Bias        []float32 `json:"bias"`
	Result      []float32 `json:"result"`
	Float32     []float32 `json:"float32"`
	MaxAbs      float64   `json:"max_abs"`
	SQNR        *float64  `json:"sqnr_db"`
}

// explainDocument has the whole of one row.
func explainDocument(path string, f *explainFlags, l qrun.LayerTrace) explainDoc {
	k, n, r := l.X.Shape()[1], l.W.Shape()[1], f.row
	g := min(r, len(l.Scale)-1)
	d := explainDoc{Schema: "qrun.explain/1", Model: path, Node: l.Node, Op: l.Op, Profile: f.profile, Kernel: l.Kernel, Row: r,
		Input: tensor.View[float32](l.X)[r*k : (r+1)*k], Min: l.Min[g], Max: l.Max[g], Scale: l.Scale[g], ZeroPoint: l.Zero[g],
		Repeated: l.Repeated, WeightScale: l.WScale, Accumulator: tensor.View[int32](l.Acc)[r*n : (r+1)*n], Product: tensor.View[float32](l.Product)[r*n : (r+1)*n],
		Bias: l.Bias, Result: tensor.View[float32](l.Result)[r*n : (r+1)*n], Float32: tensor.View[float32](l.Float)[r*n : (r+1)*n]}
	wide := l.Q.Shape()[1]
	for _, x := range tensor.View[uint8](l.Q)[r*wide : (r+1)*wide] {
		d.Quantized = append(d.Quantized, int(x))
	}
	wq := tensor.View[int8](l.WQ)
	for i := range wide {
		row := make([]int, n)
		for j := range row {
			row[j] = int(wq[i*n+j])
		}
		d.Weights = append(d.Weights, row)
	}
	if s, err := accuracy.Compare(l.Result, l.Float); err == nil {
		d.MaxAbs, d.SQNR = s.MaxAbs, finite(s.SQNR)
	}
	return d
}
