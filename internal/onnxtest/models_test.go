package onnxtest

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/qrun-onnx/qrun"
)

// TestModels runs the real models: float32 within rtol 1e-3 and atol 1e-4 (their manifest's tolerance where it has one),
// quantized models by cosine. An output that is nearly zero has no meaningful cosine, hence the atol of 1e-3 there.
func TestModels(t *testing.T) {
	samples, ok := Shared("models", "samples")
	encoders, ok2 := Shared("models", "encoders")
	if !ok || !ok2 {
		t.Skip("the models are not here")
	}
	cases, err := Find(samples, encoders)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		if c.Model == "" {
			continue // kept elsewhere
		}
		t.Run(c.Name, func(t *testing.T) {
			run := func(name string, o *qrun.Options, limits func(Case) Limits) {
				for _, r := range Run(context.Background(), c, o, limits) {
					if r.Status != Pass {
						t.Errorf("%s, %s: %s: %s", name, r.Set, r.Status, r.Message)
					}
				}
			}
			run("float32", nil, func(c Case) Limits {
				l := Limits{RTol: 1e-3, ATol: 1e-4}
				if err := ManifestLimits(filepath.Dir(c.Model), &l); err != nil {
					t.Fatal(err)
				}
				return l
			})
			cosine := 0.98
			if filepath.Base(c.Name) == "minilm_l6_f32" {
				cosine = 0.99
			}
			quantized := func(cosine float64) func(Case) Limits {
				return func(Case) Limits { return Limits{ATol: 1e-3, MinCosine: cosine} }
			}
			run("row", &qrun.Options{Quantize: qrun.Dynamic}, quantized(cosine))
			run("fp16", &qrun.Options{Quantize: qrun.FP16}, quantized(cosine))
			if testing.Short() {
				return
			}
			// One scale per tensor and whole columns, as ONNX Runtime has it, which itself gives 0.953 on the encoder.
			run("onnx", &qrun.Options{Quantize: qrun.Dynamic, Profile: qrun.ONNX}, quantized(0.94))
		})
	}
}
