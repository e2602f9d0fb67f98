package qrun_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/qrun-onnx/qrun"
	"github.com/qrun-onnx/qrun/backend"
	mt "github.com/qrun-onnx/qrun/internal/modeltest"
	"github.com/qrun-onnx/qrun/onnx"
	"github.com/qrun-onnx/qrun/tensor"
)

// checkTiers asks for the same bits from every tier that this machine runs and from 1, 2 and 3 threads. Products of
// float32 are sums of fused multiply-adds in one order, in plain Go too.
func checkTiers(t *testing.T, path string, o qrun.Options, in qrun.Tensors, tiers []string) {
	t.Helper()
	var want []byte
	for _, tier := range tiers {
		for threads := 1; threads <= 3; threads++ {
			o.Backend, o.Threads = tier, threads
			got := flat(run(t, open(t, path, o), in))
			if want == nil {
				want = got
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s with %d threads has other bits than %s with 1", tier, threads, tiers[0])
			}
		}
	}
}

func tiers() (names []string) {
	for _, k := range backend.All() {
		names = append(names, k.Name())
	}
	return names
}

func TestTiersAgree(t *testing.T) {
	for _, path := range digitModels {
		for _, p := range precisions {
			t.Run(path+" "+p.name, func(t *testing.T) {
				checkTiers(t, path, p.o, digitInput(t, digitImages(t)[:7*pixels]), tiers())
			})
		}
	}
}

func TestEncoderTiersAgree(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	fast := slices.DeleteFunc(tiers(), func(name string) bool { return name == "scalar" }) // which takes a minute
	if len(fast) == 0 {
		t.Skip("there is only plain Go")
	}
	path, in := encoder(t, "minilm_l6_f32", "test_data_set_0")
	for _, p := range precisions {
		t.Run(p.name, func(t *testing.T) { checkTiers(t, path, p.o, in, fast) })
	}
	t.Run("quantized file", func(t *testing.T) {
		path, in := encoder(t, "minilm_l6_dynamic", "test_data_set_0")
		checkTiers(t, path, qrun.Options{}, in, fast)
	})
}

// The result of an image is its own: not of its place in the batch, nor of the other images.
func TestRowsAreIndependent(t *testing.T) {
	pix := digitImages(t)
	image := func(i int) []float32 { return pix[i*pixels : (i+1)*pixels] }
	for _, path := range digitModels {
		for _, p := range precisions {
			if p.o.Profile == qrun.ONNX {
				continue // its scales are of whole tensors, by definition
			}
			t.Run(path+" "+p.name, func(t *testing.T) {
				s := open(t, path, p.o)
				logits := func(in []float32) []byte { return run(t, s, digitInput(t, in))["logits"].Bytes() }
				all := logits(pix)
				size := len(all) / images
				row := func(out []byte, i int) []byte { return out[i*size : (i+1)*size] }
				for i := range images {
					if !bytes.Equal(logits(image(i)), row(all, i)) {
						t.Fatalf("image %d alone has other bits than in the batch", i)
					}
				}
				order := rand.New(rand.NewPCG(1, 2)).Perm(images)
				var shuffled []float32
				for _, i := range order {
					shuffled = append(shuffled, image(i)...)
				}
				out := logits(shuffled)
				for at, i := range order {
					if !bytes.Equal(row(out, at), row(all, i)) {
						t.Fatalf("image %d has other bits at place %d", i, at)
					}
				}
				for _, n := range []int{1, 2, 5, 13} { // padded with images of other ranges
					padded := slices.Concat(pix[:n*pixels], make([]float32, pixels), slices.Repeat([]float32{1e4, -1e4}, pixels/2))
					if !bytes.Equal(logits(padded)[:n*size], all[:n*size]) {
						t.Errorf("%d images have other bits when padded", n)
					}
				}
			})
		}
	}
}

// A sentence alone has the bits that it has in a batch, also in one padded for a longer sentence: its masked positions
// count exactly nothing.
func TestSentencesAreIndependent(t *testing.T) {
	path, in := encoder(t, "minilm_l6_f32", "test_data_set_1")
	for _, p := range precisions {
		if p.o.Profile == qrun.ONNX {
			continue
		}
		t.Run(p.name, func(t *testing.T) {
			s := open(t, path, p.o)
			batch := run(t, s, in)
			mask := tensor.View[int64](in["attention_mask"])
			rows, width := in["attention_mask"].Shape()[0], in["attention_mask"].Shape()[1]
			for i := range rows {
				length := 0
				for _, m := range mask[i*width : (i+1)*width] {
					length += int(m)
				}
				one := qrun.Tensors{}
				for name, x := range in {
					one[name] = mt.Tensor(tensor.View[int64](x)[i*width:i*width+length], 1, length)
				}
				for name, alone := range run(t, s, one) {
					whole := batch[name].Bytes()
					whole = whole[i*len(whole)/rows:]
					if !bytes.Equal(alone.Bytes(), whole[:len(alone.Bytes())]) {
						t.Errorf("%s of sentence %d, %d of %d positions: other bits than in the batch", name, i, length, width)
					}
				}
			}
		})
	}
}

// chain is what ONNX Runtime's quantize_dynamic makes of a linear layer, twice, with products of [n 40] and [n 24].
func chain() *onnx.ModelProto {
	rng := rand.New(rand.NewPCG(3, 4))
	weights := func(n int) []int8 {
		w := make([]int8, n)
		for i := range w {
			w[i] = int8(rng.IntN(256) - 128)
		}
		return w
	}
	scales := func(n int) []float32 {
		s := make([]float32, n)
		for i := range s {
			s[i] = rng.Float32()/100 + 0.001
		}
		return s
	}
	var parts []any
	layer := func(i, k, n int, x, y string) {
		v := func(name string) string { return fmt.Sprint(name, i) }
		parts = append(parts, mt.Init(v("w"), weights(k*n), k, n), mt.Init(v("ws"), scales(n), n), mt.Init(v("wz"), make([]int8, n), n),
			mt.Node("DynamicQuantizeLinear", x, v("q")+" "+v("s")+" "+v("z")),
			mt.Node("MatMulInteger", v("q")+" "+v("w")+" "+v("z")+" "+v("wz"), v("i")),
			mt.Node("Cast", v("i"), v("f"), mt.At("to", int(tensor.Float32))),
			mt.Node("Mul", v("s")+" "+v("ws"), v("sc")), mt.Node("Mul", v("f")+" "+v("sc"), y))
	}
	layer(1, 64, 40, "image", "h")
	parts = append(parts, mt.Node("Relu", "h", "r"))
	layer(2, 40, 24, "r", "y")
	return mt.Model(mt.Graph(append(parts, mt.In("image", mt.Spec(tensor.Float32, "n", 64)), mt.Out("y"))...)).Proto
}

// Fusing changes no integer result.
func TestFusedChains(t *testing.T) {
	off := qrun.Options{DisablePasses: []string{"int8-chains"}}
	var bits [][]byte
	for _, o := range []qrun.Options{{}, off} {
		for _, tier := range tiers() {
			o.Backend = tier
			s, err := qrun.LoadProto(chain(), &o)
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range []int{1, 37} {
				bits = append(bits, flat(run(t, s, digitInput(t, digitImages(t)[:n*pixels]))))
			}
			fused := 0
			count := func(n qrun.NodeStat) {
				if n.Node.Type == "QLinear" {
					fused++
				}
			}
			if _, err := s.RunWith(t.Context(), digitInput(t, digitImages(t)), qrun.RunOptions{OnNode: count}); err != nil {
				t.Fatal(err)
			}
			if want := 2 - 2*len(o.DisablePasses); fused != want {
				t.Errorf("%d products are fused, want %d", fused, want)
			}
		}
	}
	for i := 2; i < len(bits); i++ {
		if !bytes.Equal(bits[i], bits[i%2]) {
			t.Errorf("run %d has other bits than run %d", i, i%2)
		}
	}
}

func TestEncoderFusedChains(t *testing.T) {
	path, in := encoder(t, "minilm_l6_dynamic", "test_data_set_1")
	fused, plain := open(t, path, qrun.Options{}), open(t, path, qrun.Options{DisablePasses: []string{"int8-chains"}})
	if !bytes.Equal(flat(run(t, fused, in)), flat(run(t, plain, in))) {
		t.Error("fused integer chains have other bits")
	}
}
