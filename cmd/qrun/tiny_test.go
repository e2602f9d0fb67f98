package main

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	. "github.com/qrun-onnx/qrun/internal/modeltest"
	"github.com/qrun-onnx/qrun/onnx"
	"github.com/qrun-onnx/qrun/tensor"
)

func splitLines(text string) []string { return strings.Split(strings.TrimRight(text, "\n"), "\n") }

// tinyModels are models of a node or a few: good ones, and each of the rest with one thing wrong.
func tinyModels() map[string]*onnx.Model {
	x := In("x", Spec(tensor.Float32, "n", 4))
	w := Init("w", []float32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, 4, 3)
	fc := Node("MatMul@fc", "x w", "y")
	model := func(parts ...any) *onnx.Model { return Model(Graph(append([]any{x, Out("y")}, parts...)...)) }
	newer := model(fc, w)
	newer.Proto.OpsetImport = Opsets("", 99)
	unknown := model(Node("FooBar@foo", "x", "a"), Node("FooBar", "a", "b"), Node("com.acme:Acme@head", "b", "y"))
	unknown.Proto.OpsetImport = Opsets("", 17, "com.acme", 1)
	return map[string]*onnx.Model{
		"lin.onnx": model(fc, w),
		"two.onnx": model(Out("z"), Node("Relu@r", "x", "y"), Node("Neg@neg", "x", "z")),
		"emb.onnx": Model(Graph(In("ids", Spec(tensor.Int64, "batch", "seq")), In("mask", Spec(tensor.Int64, "batch", "seq")), Out("y"),
			Init("table", []float32{0, 1, 2, 3, 4, 5, 6, 7}, 4, 2), Init("last", []int64{2}, 1),
			Node("Gather@emb", "table ids", "e"), Node("Cast@cast", "mask", "m", At("to", 1)), Node("Unsqueeze@un", "m last", "m3"), Node("Mul@mul", "e m3", "y"))),
		"image.onnx": Model(Graph(In("pixels", Spec(tensor.Float32, 1, 3, 2, 2)), Out("y"), Node("Identity@id", "pixels", "y"))),
		"swap.onnx":  Model(Graph(In("y", Spec(tensor.Float32, "n", 4)), Out("x"), Node("Neg@neg", "y", "x"))),
		"nan.onnx":   model(Node("Sqrt@root", "x", "y")),

		"mismatch.onnx":  model(Init("w", make([]float32, 15), 5, 3), fc),
		"unknown.onnx":   unknown,
		"newer.onnx":     newer,
		"attribute.onnx": model(Node("Relu@r", "x", "y", At("frobnicate", 1))),
		"axis.onnx":      model(Node("Softmax@sm", "x", "y", At("axis", 7))),
		"nobody.onnx":    model(Node("Add@sum", "x q", "y")),
		"cycle.onnx":     model(Node("Add@sum", "x b", "y"), Node("Relu@r", "y", "b")),
		"types.onnx":     model(Init("i", []int64{1, 2, 3, 4}, 4), Node("Add@sum", "x i", "y")),
		"reshape.onnx":   model(Init("s", []int64{3, 3}, 2), Node("Reshape@rs", "x s", "y")),
		"gone.onnx":      model(external("w", "gone.bin"), fc),
		"outside.onnx":   model(external("w", "../w.bin"), fc),
		"short.onnx":     model(external("w", "short.bin"), fc),
	}
}

func external(name, file string) *onnx.TensorProto {
	p := Init(name, make([]float32, 12), 4, 3)
	where := onnx.TensorProto_EXTERNAL
	p.RawData, p.FloatData, p.DataLocation = nil, nil, &where
	p.ExternalData = []*onnx.StringStringEntryProto{{Key: new("location"), Value: &file}}
	return p
}

func writeTinyModels(dir string) error {
	for name, m := range tinyModels() {
		if err := m.Save(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	whole, err := os.ReadFile(filepath.Join(digits, "mlp.onnx"))
	if err != nil {
		return err
	}
	noise := make([]byte, 4000)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range noise {
		noise[i] = byte(rng.Uint32())
	}
	array, err := os.ReadFile(filepath.Join(digits, "images.npy"))
	if err != nil {
		return err
	}
	picture := image.NewRGBA(image.Rect(0, 0, 2, 2))
	draw.Draw(picture, picture.Bounds(), image.NewUniform(color.RGBA{255, 0, 51, 255}), image.Point{}, draw.Src)
	var pixels bytes.Buffer
	if err := png.Encode(&pixels, picture); err != nil {
		return err
	}
	files := map[string][]byte{
		"red.png":        pixels.Bytes(),
		"truncated.onnx": whole[:len(whole)/2], "random.onnx": noise, "empty.onnx": nil, "text.onnx": []byte("hello world\n"), "short.bin": {1, 2, 3},
		"random.npy": noise, "random.npz": noise, "random.pb": noise, "random.png": noise, "cut.npy": array[:900], "head.npy": array[:70],
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}
