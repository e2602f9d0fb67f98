package qrun

import (
	"context"
	"fmt"
	"strings"

	"github.com/qrun-onnx/qrun/graph"
	"github.com/qrun-onnx/qrun/internal/accuracy"
	"github.com/qrun-onnx/qrun/onnx"
	"github.com/qrun-onnx/qrun/ops/dynquant"
	"github.com/qrun-onnx/qrun/tensor"
)

// Trace is one quantized linear layer step by step, from its float32 input to its float32 result.
type Trace = dynquant.Trace

// LayerTrace names the layer of a Trace.
type LayerTrace struct {
	Node, Op string
	*Trace
}

// TraceLayers runs the float32 model of a file on in and takes apart the linear layers that match, as quantization with
// profile computes them on the input that each has in the float32 run. visit is called for one layer after another; its
// tensors are not used again. A nil match means all. It returns the names of all layers that can be quantized.
func TraceLayers(ctx context.Context, path string, in Tensors, profile Profile, match func(node string) bool, visit func(LayerTrace) error) ([]string, error) {
	m, err := onnx.Open(path)
	if err != nil {
		return nil, err
	}
	e, err := newEngine("", nil)
	if err != nil {
		return nil, err
	}
	g, err := graph.Build(m, e.reg)
	if err != nil {
		return nil, err
	}
	z, err := graph.NewOptimizer(g, e.reg)
	if err != nil {
		return nil, err
	}
	if _, err := z.Optimize(graph.PassOptions{Stages: []graph.Stage{graph.Clean}, KeepIntegers: true}); err != nil {
		return nil, err
	}
	layers, err := dynquant.Layers(z, e.k)
	if err != nil {
		return nil, err
	}
	var names []string
	byNode := map[string]*dynquant.Layer{}
	for _, l := range layers {
		names = append(names, l.Node)
		if match == nil || match(l.Node) {
			byNode[l.Node] = l
		}
	}
	if len(byNode) == 0 {
		return names, nil
	}
	exe, err := graph.NewExecutable(g, graph.ExecOptions{})
	if err != nil {
		return nil, err
	}
	var failed error
	watch := func(n *graph.Node, ins, _ []*tensor.Tensor) {
		l := byNode[n.Name]
		if l == nil || failed != nil || !n.Is(l.Op) {
			return
		}
		t, err := l.Trace(e.k, ins[l.Input()], string(profile))
		if err != nil {
			failed = fmt.Errorf("%s %q: %w", l.Op, l.Node, err)
			return
		}
		failed = visit(LayerTrace{l.Node, l.Op, t})
	}
	if _, err := exe.Run(ctx, in, &graph.RunOptions{Watch: watch}); err != nil {
		return names, err
	}
	return names, failed
}

// LayerSQNR runs the float32 model of a file and a quantized session of it on the same input and returns the
// signal-to-quantization-noise ratio in dB of each quantized layer's product, errors of the layers before it included.
// Layers whose product is fused into another operation are compared by that operation's result, which both runs have
// under the same name.
func LayerSQNR(ctx context.Context, path string, in Tensors, quantized *Session) (map[string]float64, error) {
	reference, err := Open(path, nil)
	if err != nil {
		return nil, err
	}
	want := map[string]*tensor.Tensor{}
	if _, err := reference.RunWith(ctx, in, RunOptions{Watch: func(n *graph.Node, _, out []*tensor.Tensor) {
		for i, t := range out {
			if t != nil && n.Out[i] != nil {
				want[n.Out[i].Name] = t
			}
		}
	}}); err != nil {
		return nil, err
	}
	ratios := map[string]float64{}
	var failed error
	if _, err := quantized.RunWith(ctx, in, RunOptions{Watch: func(n *graph.Node, _, out []*tensor.Tensor) {
		for i, name := range dynquant.LayerNames(n) {
			w := want[n.Out[i].Name]
			if w == nil || out[i] == nil || failed != nil {
				continue
			}
			s, err := accuracy.Compare(out[i], w)
			failed = err
			ratios[name] = s.SQNR
		}
	}}); err != nil {
		return nil, err
	}
	return ratios, failed
}

// UnknownLayer is the error for a name that no layer has; it lists some that there are.
func UnknownLayer(name string, names []string) error {
	if len(names) > 12 {
		names = append(names[:12:12], fmt.Sprintf("%d more", len(names)-12))
	}
	return fmt.Errorf("no linear layer %q (there are: %s)", name, strings.Join(names, ", "))
}
