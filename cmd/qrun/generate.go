package main

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/qrun-onnx/qrun"
	"github.com/qrun-onnx/qrun/tensor"
)

// generator makes up the values of an input.
type generator struct {
	how  string // zeros, ones, random[:LO:HI]; "" chooses by the input
	seed uint64
	dims map[string]int // sizes of symbolic dimensions; 1 where missing
}

func isGenerator(value string) bool {
	return value == "zeros" || value == "ones" || value == "random" || strings.HasPrefix(value, "random:")
}

// make returns the values and how they were chosen. Token ids stay below the size of the table that they index, masks
// are ones: both known to be what random input gets wrong.
func (g generator) make(in qrun.Input) (*tensor.Tensor, string, error) {
	s := in.Spec
	if !s.Ranked || s.Kind != tensor.KindTensor || s.DType == tensor.Undefined {
		return nil, "", usagef("input %q is %v: give it with --input", in.Name, s)
	}
	shape := make([]int, len(s.Dims))
	var assumed []string
	for i, d := range s.Dims {
		shape[i] = d.Size
		if d.Known() {
			continue
		}
		n, ok := g.dims[d.Name]
		if !ok || d.Name == "" {
			n = 1
			if d.Name != "" {
				assumed = append(assumed, d.Name+"=1")
			}
		}
		shape[i] = n
	}
	n, err := tensor.Count(shape)
	if err != nil {
		return nil, "", fmt.Errorf("input %q: %w", in.Name, err)
	}
	if n > 1<<30 {
		return nil, "", fmt.Errorf("input %q: %v has %d elements, more than is made up", in.Name, shape, n)
	}
	values, note, err := g.values(in, n)
	if err != nil {
		return nil, "", err
	}
	t, err := fromFloats(values, s.DType, shape)
	if err != nil {
		return nil, "", fmt.Errorf("input %q: %w", in.Name, err)
	}
	if len(assumed) > 0 {
		note += fmt.Sprintf(" (%s; set with --dim)", strings.Join(assumed, ", "))
	}
	return t, note, nil
}

func (g generator) values(in qrun.Input, n int) ([]float64, string, error) {
	v := make([]float64, n)
	// One source per input, so that adding an input does not change the others.
	h := uint64(14695981039346656037)
	for _, b := range []byte(in.Name) {
		h = (h ^ uint64(b)) * 1099511628211
	}
	rng := rand.New(rand.NewPCG(g.seed, h))
	fill := func(f func() float64) {
		for i := range v {
			v[i] = f()
		}
	}
	lower := strings.ToLower(in.Name)
	seeded := fmt.Sprintf("random, seed %d", g.seed)
	switch {
	case g.how == "zeros":
		return v, "zeros", nil
	case g.how == "ones":
		fill(func() float64 { return 1 })
		return v, "ones", nil
	case strings.HasPrefix(g.how, "random:"):
		lo, hi, err := parseRange(g.how)
		if err != nil {
			return nil, "", err
		}
		if in.Spec.DType.IsInteger() {
			fill(func() float64 { return float64(int64(lo) + rng.Int64N(max(1, int64(hi)-int64(lo)))) })
		} else {
			fill(func() float64 { return lo + (hi-lo)*rng.Float64() })
		}
		return v, fmt.Sprintf("random in [%v, %v), seed %d", lo, hi, g.seed), nil
	case in.Spec.DType.IsFloat():
		fill(rng.NormFloat64)
		return v, seeded, nil
	case strings.Contains(lower, "mask"), in.Spec.DType == tensor.Bool:
		fill(func() float64 { return 1 })
		return v, "ones", nil
	case strings.Contains(lower, "type"), strings.Contains(lower, "segment"):
		return v, "zeros", nil
	case in.Limit > 0:
		limit := in.Limit
		if in.Spec.DType.Bits() == 8 {
			limit = min(limit, 127)
		}
		fill(func() float64 { return float64(rng.Int64N(limit)) })
		return v, fmt.Sprintf("%s, below %d", seeded, limit), nil
	case in.Spec.DType == tensor.Uint8:
		fill(func() float64 { return float64(rng.IntN(256)) })
		return v, seeded, nil
	case in.Spec.DType == tensor.Int8:
		fill(func() float64 { return float64(rng.IntN(256) - 128) })
		return v, seeded, nil
	}
	fill(func() float64 { return 1 })
	return v, "ones", nil
}

func parseRange(how string) (lo, hi float64, err error) {
	parts := strings.Split(how, ":")
	if len(parts) == 3 {
		lo, err = strconv.ParseFloat(parts[1], 64)
		if err == nil {
			hi, err = strconv.ParseFloat(parts[2], 64)
		}
		if err == nil && lo < hi {
			return lo, hi, nil
		}
	}
	return 0, 0, usagef("%q, want random or random:LOW:HIGH", how)
}
