package onnxtest

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/qrun-onnx/qrun"
	"github.com/qrun-onnx/qrun/internal/accuracy"
	"github.com/qrun-onnx/qrun/tensor"
)

// magikaExample is one file of magika's reference set with the label and score of its own runtime.
type magikaExample struct {
	Path       string
	Content    string `json:"content_base64"`
	Status     string
	Prediction struct {
		DL    string
		Score float64
	}
	data []byte
}

// TestMagika asks for every label of magika's reference set in float32, with the score to 1e-3, and for 99 % of the labels
// in int8.
func TestMagika(t *testing.T) {
	archive, ok := Shared("models", "magika_ref.tar.xz")
	model, ok2 := Shared("models", "samples", "magika_v3_3", "model.onnx")
	if !ok || !ok2 {
		t.Skip("magika is not here")
	}
	dir := t.TempDir()
	if err := Unpack(archive, dir); err != nil {
		t.Fatal(err)
	}
	examples, labels := readMagika(t, dir)
	if len(examples) < 300 {
		t.Fatalf("%d examples, want more", len(examples))
	}
	for _, c := range []struct {
		o    *qrun.Options
		want float64
	}{{nil, 1}, {&qrun.Options{Quantize: qrun.Dynamic}, 0.99}, {&qrun.Options{Quantize: qrun.FP16}, 0.99}} {
		s, err := qrun.Open(model, c.o)
		if err != nil {
			t.Fatal(err)
		}
		right := 0
		for batch := range slices.Chunk(examples, 32) {
			var features []int32
			for _, e := range batch {
				features = append(features, magikaFeatures(e.data)...)
			}
			in, err := tensor.Of(features, len(batch), 2048)
			if err != nil {
				t.Fatal(err)
			}
			out, err := s.Run(context.Background(), qrun.Tensors{"bytes": in})
			if err != nil {
				t.Fatal(err)
			}
			scores := out[s.Outputs()[0].Name]
			v, _ := accuracy.Floats(scores)
			for i, top := range accuracy.TopOne(scores) {
				e := batch[i]
				if labels[top] == e.Prediction.DL {
					right++
				}
				if score := v[i*len(labels)+top]; c.o == nil && math.Abs(score-e.Prediction.Score) > 1e-3 {
					t.Errorf("%s: score %v, want %v", e.Path, score, e.Prediction.Score)
				}
			}
		}
		share := float64(right) / float64(len(examples))
		t.Logf("%+v: %d of %d labels", c.o, right, len(examples))
		if share < c.want {
			t.Errorf("%+v: %.4f of the labels are right, want %v", c.o, share, c.want)
		}
	}
}

func readMagika(t *testing.T, dir string) (examples []magikaExample, labels []string) {
	t.Helper()
	var config struct {
		Labels []string `json:"target_labels_space"`
	}
	data, err := os.ReadFile(filepath.Join(dir, "assets", "models", "standard_v3_3", "config.min.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &config); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"path", "content"} {
		f, err := os.Open(filepath.Join(dir, "tests_data", "reference", "standard_v3_3-inference_examples_by_"+kind+".json.gz"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		z, err := gzip.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		var list []magikaExample
		if err := json.NewDecoder(z).Decode(&list); err != nil {
			t.Fatal(err)
		}
		for _, e := range list {
			if e.Status != "ok" || e.Prediction.DL == "undefined" { // decided without the model
				continue
			}
			if e.data, err = base64.StdEncoding.DecodeString(e.Content); err == nil && e.Path != "" {
				e.data, err = os.ReadFile(filepath.Join(dir, filepath.FromSlash(e.Path)))
			}
			if err != nil {
				t.Fatal(err)
			}
			examples = append(examples, e)
		}
	}
	return examples, config.Labels
}

// magikaFeatures are the first and the last 1024 bytes of a file without the white space around, 256 where there are fewer.
func magikaFeatures(data []byte) []int32 {
	const block, size, padding, space = 4096, 1024, 256, " \t\n\r\x0b\x0c"
	first := bytes.TrimLeft(data[:min(block, len(data))], space)
	last := bytes.TrimRight(data[max(0, len(data)-block):], space)
	first, last = first[:min(size, len(first))], last[max(0, len(last)-size):]
	x := make([]int32, 2*size)
	for i := range x {
		x[i] = padding
	}
	for i, b := range first {
		x[i] = int32(b)
	}
	for i, b := range last {
		x[2*size-len(last)+i] = int32(b)
	}
	return x
}
