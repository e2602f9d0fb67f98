package qrun

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/qrun-onnx/qrun/graph"
)

// Quantize says what happens to the weights of a float model while it is loaded.
type Quantize string

const (
	// None keeps the model as it is. Files that are quantized already run in int8.
	None Quantize = "none"
	// Dynamic turns MatMul and Gemm with constant weights into int8: weights once, at load, per output channel;
	// activations at every call, from their own minimum and maximum. Embedding tables (Gather) become int8 per row.
	Dynamic Quantize = "dynamic"
	// FP16 keeps the weights of MatMul and Gemm in float16. Activations and sums stay float32.
	FP16 Quantize = "fp16"
)

// Profile is the arithmetic of Dynamic.
type Profile string

const (
	// Row gives every row of an activation its own scale and zero point: a row's result depends on that row alone, not
	// on the batch, the padding or the number of threads. The default.
	Row Profile = "row"
	// ONNX computes exactly what the operators DynamicQuantizeLinear and MatMulInteger define: one scale and zero point
	// per tensor.
	ONNX Profile = "onnx"
)

// Options are how a model is loaded. The zero value, or nil, is the default everywhere.
type Options struct {
	Quantize Quantize // "" is None
	Profile  Profile  // "" is Row; read only with Dynamic

	// Which nodes are quantized. Only and Exclude are patterns over node names, as path.Match has them, with ** for any
	// text; a pattern that matches no node is an error. Ops lists operator types, "MatMul", "Gemm" and "Gather" when empty; "Conv" is quantized only where it is listed.
	// MinElements is the smallest weight worth quantizing, in elements.
	Ops         []string
	Only        []string
	Exclude     []string
	MinElements int

	// Threads is the number of goroutines that a Run, and concurrent Runs of one session together, compute on.
	// 0 is GOMAXPROCS.
	Threads int
	// Backend forces a tier of kernels: scalar, avx2, avxvnni, avx512vnni, amx; on arm64 scalar, neon, neondot, neoni8mm.
	// "" takes the environment variable QRUN_BACKEND, else the best that the processor has.
	Backend string
	// DisablePasses switches rewriting passes off by name; Passes lists them.
	DisablePasses []string

	// CacheDir is a directory where packed (and quantized) weights are kept for the next load of the same model with the
	// same options on the same tier: it is made if need be, and "" keeps nothing. Whoever can write to it decides what
	// the model computes. A cache that is damaged, or cannot be written, costs time and is no error.
	CacheDir string

	// Logger hears what was done while loading; nil is silent.
	Logger *slog.Logger
	// OnNode is called after every node of every Run, from the Run's goroutine. nil costs nothing.
	OnNode func(ctx context.Context, n NodeStat)
}

// NodeStat says how one node's execution went.
type NodeStat = graph.NodeStat

func (o *Options) check() error {
	if !slices.Contains([]Quantize{"", None, Dynamic, FP16}, o.Quantize) {
		return fmt.Errorf("quantize %q, want one of none, dynamic, fp16", string(o.Quantize))
	}
	if !slices.Contains([]Profile{"", Row, ONNX}, o.Profile) {
		return fmt.Errorf("profile %q, want one of row, onnx", string(o.Profile))
	}
	if o.Threads < 0 || o.MinElements < 0 {
		return fmt.Errorf("threads %d, min elements %d: neither may be negative", o.Threads, o.MinElements)
	}
	if o.Quantize != Dynamic && o.Quantize != FP16 {
		for name, list := range map[string][]string{"Ops": o.Ops, "Only": o.Only, "Exclude": o.Exclude} {
			if len(list) > 0 {
				return fmt.Errorf("%s %s has no meaning without Quantize", name, strings.Join(list, ","))
			}
		}
	}
	return nil
}
