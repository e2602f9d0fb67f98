package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// documents lists the fields that every version of a document has: they may grow, none may go. "a.b" is field b of
// object a, "a[].b" is field b of every element of list a, of which there has to be one.
var documents = map[string][]string{
	"qrun.run/1": {"model", "backend", "threads", "samples", "results[].mode", "results[].load_ms", "results[].median_ms", "results[].weights_bytes",
		"results[].outputs[].name", "results[].outputs[].type", "results[].outputs[].shape", "results[].values"},
	"qrun.verify/1": {"passed", "failed", "unsupported", "errors", "cases[].model", "cases[].set", "cases[].status", "cases[].max_abs", "cases[].max_rel",
		"cases[].cosine", "cases[].sqnr_db", "cases[].seconds", "cases[].message"},
	"qrun.bench/1": {"model", "cpu", "backend", "results[].quantize", "results[].threads", "results[].concurrency", "results[].load_ms", "results[].first_ms",
		"results[].runs", "results[].min_ms", "results[].p10_ms", "results[].median_ms", "results[].p90_ms", "results[].p99_ms", "results[].per_second",
		"results[].weights_bytes", "results[].arena_bytes", "results[].peak_rss_bytes", "results[].allocations", "results[].allocated_bytes"},
	"qrun.compare/1": {"model", "reference", "candidate", "samples", "outputs[].name", "outputs[].max_abs", "outputs[].mean_abs", "outputs[].rmse",
		"outputs[].cosine_mean", "outputs[].cosine_min", "outputs[].sqnr_db", "outputs[].top1_agreement", "outputs[].kl_mean", "accuracy.metric",
		"accuracy.reference", "accuracy.candidate", "accuracy.labels", "layers[].node", "layers[].op", "layers[].isolated_sqnr_db",
		"layers[].cumulative_sqnr_db", "layers[].outlier_ratio", "weights_bytes.reference", "weights_bytes.candidate", "ok"},
	"qrun.inspect/1": {"ir_version", "opsets", "producer", "inputs[].name", "inputs[].type", "inputs[].shape", "outputs[].name", "outputs[].type",
		"outputs[].shape", "parameters", "weights_bytes", "operators", "unsupported", "quantization"},
	"qrun.explain/1": {"model", "node", "op", "profile", "kernel", "row", "input", "min", "max", "scale", "zero_point", "quantized", "weights_int8",
		"weight_scales", "accumulators", "product", "bias", "result", "float32", "max_abs", "sqnr_db"},
	"qrun.ops/1": {"operators[].domain", "operators[].name", "operators[].since", "operators[].types"},
	"qrun.env/1": {"version", "go", "os", "arch", "cpu", "features", "backend", "backends", "threads"},
}

// checkDocument is the script command "document FILE SCHEMA [FIELD...]": the file is one JSON document of that schema,
// with the schema first and all its fields, and the given ones.
func checkDocument(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: document FILE SCHEMA [FIELD...]")
	}
	text := ts.ReadFile(args[0])
	if first := `"schema": "` + args[1] + `"`; !strings.HasPrefix(strings.TrimLeft(text, "{ \n"), first) {
		ts.Fatalf("the document does not begin with %s", first)
	}
	var doc map[string]any
	ts.Check(json.Unmarshal([]byte(text), &doc))
	if documents[args[1]] == nil {
		ts.Fatalf("no schema %q", args[1])
	}
	for _, path := range append(documents[args[1]], args[2:]...) {
		ts.Check(hasField(doc, path))
	}
}

func hasField(v any, path string) error {
	name, rest, more := strings.Cut(path, ".")
	key, list := strings.CutSuffix(name, "[]")
	object, ok := v.(map[string]any)
	if !ok {
		return fmt.Errorf("%T where an object with %s is wanted", v, path)
	}
	value, ok := object[key]
	if !ok {
		return fmt.Errorf("field %q is missing", path)
	}
	if !list {
		if more {
			return hasField(value, rest)
		}
		return nil
	}
	elements, ok := value.([]any)
	if !ok || len(elements) == 0 {
		return fmt.Errorf("field %q is %v, want a list of something", key, value)
	}
	for _, e := range elements {
		if more {
			if err := hasField(e, rest); err != nil {
				return err
			}
		}
	}
	return nil
}
