package ops

import (
	"fmt"
	"math"
	"testing"

	"github.com/qrun-onnx/qrun/tensor"
)

// slowCell are the formulas of the operators' documentation, in float64, for one direction and batch entry.
type slowCell struct {
	w, r, b, p         []float64 // [gates*H, I], [gates*H, H], [2*gates*H], [3*H]
	in, h              int
	clip               float64
	linear, inputForge bool
}

func (s *slowCell) gate(i int, x, h []float64, recurrent, bias bool) []float64 {
	n := len(s.b) / 2
	y := make([]float64, s.h)
	for u := range y {
		row := i*s.h + u
		if !recurrent {
			for k, v := range x {
				y[u] += s.w[row*s.in+k] * v
			}
			y[u] += s.b[row]
		}
		for k, v := range h {
			y[u] += s.r[row*s.h+k] * v
		}
		if bias {
			y[u] += s.b[n+row]
		}
	}
	return y
}

func sigmoid64(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

func (s *slowCell) act(x []float64, f func(float64) float64) []float64 {
	for i, v := range x {
		if s.clip > 0 {
			v = min(max(v, -s.clip), s.clip)
		}
		x[i] = f(v)
	}
	return x
}

func (s *slowCell) lstm(x, h, c []float64) ([]float64, []float64) {
	i, o, f, g := s.gate(0, x, h, false, true), s.gate(1, x, h, false, true), s.gate(2, x, h, false, true), s.gate(3, x, h, false, true)
	for u := range i {
		i[u] += s.p[u] * c[u]
		f[u] += s.p[2*s.h+u] * c[u]
	}
	s.act(i, sigmoid64)
	s.act(f, sigmoid64)
	s.act(g, math.Tanh)
	nc, nh := make([]float64, s.h), make([]float64, s.h)
	for u := range i {
		if s.inputForge {
			f[u] = 1 - i[u]
		}
		nc[u] = f[u]*c[u] + i[u]*g[u]
		o[u] += s.p[s.h+u] * nc[u]
	}
	s.act(o, sigmoid64)
	for u := range nh {
		nh[u] = o[u] * math.Tanh(nc[u])
	}
	return nh, nc
}

func (s *slowCell) gru(x, h []float64) []float64 {
	z, r := s.act(s.gate(0, x, h, false, true), sigmoid64), s.act(s.gate(1, x, h, false, true), sigmoid64)
	var g []float64
	if s.linear {
		g = s.gate(2, x, nil, false, false)
		for u, v := range s.gate(2, nil, h, true, true) {
			g[u] += r[u] * v
		}
	} else {
		rh := make([]float64, s.h)
		for u := range rh {
			rh[u] = r[u] * h[u]
		}
		g = s.gate(2, x, rh, false, true)
	}
	s.act(g, math.Tanh)
	nh := make([]float64, s.h)
	for u := range nh {
		nh[u] = (1-z[u])*g[u] + z[u]*h[u]
	}
	return nh
}

// doubled is part of a tensor as float64.
func doubled(x *tensor.Tensor, from, n int) []float64 {
	y := make([]float64, n)
	for i, v := range tensor.View[float32](x)[from : from+n] {
		y[i] = float64(v)
	}
	return y
}

func TestRecurrent(t *testing.T) {
	const steps, batch, in, hid = 5, 2, 3, 4
	lens := []int32{5, 3}
	for _, op := range []string{"RNN", "GRU", "LSTM"} {
		gates := map[string]int{"RNN": 1, "GRU": 3, "LSTM": 4}[op]
		for _, dir := range []string{"forward", "reverse", "bidirectional"} {
			for variant := range 4 {
				t.Run(fmt.Sprint(op, " ", dir, " ", variant), func(t *testing.T) {
					dirs := 1
					if dir == "bidirectional" {
						dirs = 2
					}
					at := attrs{"direction": dir, "hidden_size": hid}
					cells := make([]slowCell, dirs)
					x, w, r, b := ramp(t, steps, batch, in), ramp(t, dirs, gates*hid, in), ramp(t, dirs, gates*hid, hid), ramp(t, dirs, 2*gates*hid)
					h0, c0, p := ramp(t, dirs, batch, hid), ramp(t, dirs, batch, hid), ramp(t, dirs, 3*hid)
					for d := range cells {
						c := slowCell{w: doubled(w, d*gates*hid*in, gates*hid*in), r: doubled(r, d*gates*hid*hid, gates*hid*hid),
							b: doubled(b, d*2*gates*hid, 2*gates*hid), p: make([]float64, 3*hid), in: in, h: hid}
						if variant == 1 {
							c.clip, at["clip"] = 0.75, 0.75
						}
						if variant == 2 && op == "LSTM" {
							c.p = doubled(p, d*3*hid, 3*hid)
						}
						if variant == 3 && op == "GRU" {
							c.linear, at["linear_before_reset"] = true, 1
						}
						if variant == 3 && op == "LSTM" {
							c.inputForge, at["input_forget"] = true, 1
						}
						cells[d] = c
					}
					inputs := []*tensor.Tensor{x, w, r, b, of(t, lens), h0}
					if variant == 0 {
						inputs[rnnLens] = nil
					}
					if op == "LSTM" {
						inputs = append(inputs, c0, nil)
						if variant == 2 {
							inputs[rnnP] = p
						}
					}
					y, yh := make([]float32, steps*dirs*batch*hid), make([]float32, dirs*batch*hid)
					for d := range cells {
						for e := range batch {
							n := int(lens[e])
							if variant == 0 {
								n = steps
							}
							h, c := doubled(h0, (d*batch+e)*hid, hid), doubled(c0, (d*batch+e)*hid, hid)
							for s := range n {
								time := s
								if d == 1 || dir == "reverse" {
									time = n - 1 - s
								}
								xt := doubled(x, (time*batch+e)*in, in)
								switch op {
								case "RNN":
									h = cells[d].act(cells[d].gate(0, xt, h, false, true), math.Tanh)
								case "GRU":
									h = cells[d].gru(xt, h)
								case "LSTM":
									h, c = cells[d].lstm(xt, h, c)
								}
								for u, v := range h {
									y[((time*dirs+d)*batch+e)*hid+u] = float32(v)
								}
							}
							for u, v := range h {
								yh[(d*batch+e)*hid+u] = float32(v)
							}
						}
					}
					want := of(t, y, steps, dirs, batch, hid)
					wantClose(t, bothWays(t, op, 14, at, 1, inputs...), want, 1e-5)
					out, err := tryOp(t, op, 22, at, 2, inputs...)
					if err != nil {
						t.Fatal(err)
					}
					wantClose(t, out[1], of(t, yh, dirs, batch, hid), 1e-5)
					at["layout"] = 1
					for _, i := range []int{rnnX, rnnH0, rnnC0} {
						if i < len(inputs) {
							inputs[i] = moved(t, inputs[i], 1, 0, 2)
						}
					}
					if out, err = tryOp(t, op, 14, at, 2, inputs...); err != nil {
						t.Fatal(err)
					}
					wantClose(t, out[0], moved(t, want, 2, 0, 1, 3), 1e-5)
					wantClose(t, out[1], moved(t, of(t, yh, dirs, batch, hid), 1, 0, 2), 1e-5)
				})
			}
		}
	}
}

func TestRecurrentActivations(t *testing.T) {
	x, w, r := of(t, []float32{2, -2}, 2, 1, 1), of(t, []float32{1}, 1, 1, 1), of(t, []float32{0}, 1, 1, 1)
	for _, tc := range []struct {
		at   attrs
		want []float32
	}{
		{attrs{"activations": []string{"Relu"}}, []float32{2, 0}},
		{attrs{"activations": []string{"LeakyRelu"}, "activation_alpha": []float64{0.5}}, []float32{2, -1}},
		{attrs{"activations": []string{"affine"}, "activation_alpha": []float64{3}, "activation_beta": []float64{1}}, []float32{7, -5}},
		{attrs{"activations": []string{"HardSigmoid"}, "activation_alpha": []float64{0.125}, "activation_beta": []float64{0.5}}, []float32{0.75, 0.25}},
		{attrs{"activations": []string{"Softsign"}}, []float32{2. / 3, -2. / 3}},
		{attrs{"activations": []string{"ThresholdedRelu"}, "activation_alpha": []float64{1.5}}, []float32{2, 0}},
		{attrs{"activations": []string{"ScaledTanh"}, "activation_alpha": []float64{2}, "activation_beta": []float64{0.5}}, []float32{1.5231884, -1.5231884}},
		{attrs{"activations": []string{"Relu"}, "clip": 1.5}, []float32{1.5, 0}},
	} {
		tc.at["hidden_size"] = 1
		wantClose(t, bothWays(t, "RNN", 14, tc.at, 1, x, w, r), of(t, tc.want, 2, 1, 1, 1), 1e-6)
	}
	wantErr(t, "got 1 activations, want 3", "LSTM", 14, attrs{"activations": []string{"Relu"}}, x, w, r)
	wantErr(t, `not supported: activation "Cosh"`, "RNN", 14, attrs{"activations": []string{"Cosh"}}, x, w, r)
}

func TestRecurrentErrors(t *testing.T) {
	x, w, r := ramp(t, 2, 1, 3), ramp(t, 1, 16, 3), ramp(t, 1, 16, 4)
	wantErr(t, "W float32[1 16 3], want the shape [1 20 3]", "LSTM", 14, attrs{"hidden_size": 5}, x, w, r)
	wantErr(t, "want three dimensions", "LSTM", 14, nil, ramp(t, 2, 3), w, r)
	wantErr(t, "sequence_lens[0] is 3, want 0 to 2", "LSTM", 14, nil, x, w, r, nil, of(t, []int32{3}, 1))
	wantErr(t, "initial_h float32[1 2 4], want the shape [1 1 4]", "LSTM", 14, nil, x, w, r, nil, nil, ramp(t, 1, 2, 4))
	wantErr(t, "not supported: recurrent layer of type float64", "LSTM", 14, nil, toFloat64(t, x), toFloat64(t, w), toFloat64(t, r))
}
