package ops

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/qrun-onnx/qrun/tensor"
)

// toStrings writes numbers as ONNX Runtime does: 8 significant digits, NaN, INF, -INF; bool as 1 and 0.
func toStrings(dst []string, x *tensor.Tensor) {
	var b castBuf
	for at := 0; at < len(dst); at += castBlock {
		b.n = min(castBlock, len(dst)-at)
		b.load(x, at)
		for i := range b.n {
			switch b.kind {
			case castFloat:
				dst[at+i] = formatFloat(b.f[i])
			case castInt:
				dst[at+i] = strconv.FormatInt(b.i[i], 10)
			case castUint:
				dst[at+i] = strconv.FormatUint(b.u[i], 10)
			}
		}
	}
}

func formatFloat(x float64) string {
	switch {
	case math.IsNaN(x):
		return "NaN"
	case math.IsInf(x, 1):
		return "INF"
	case math.IsInf(x, -1):
		return "-INF"
	}
	return strconv.FormatFloat(x, 'g', 8, 64)
}

// fromStrings parses numbers: floats in any usual notation, in any case; integers and bools also from a float's.
func (o cast) fromStrings(y *tensor.Tensor, src []string) error {
	j := castJob{o, nil, y}
	var b castBuf
	for at := 0; at < len(src); at += castBlock {
		b.n = min(castBlock, len(src)-at)
		switch d := y.DType(); {
		case d == tensor.Uint64:
			b.kind = castUint
		case d.IsInteger():
			b.kind = castInt
		default:
			b.kind = castFloat
		}
		for i, s := range src[at : at+b.n] {
			if err := b.parse(i, strings.TrimSpace(s), y.DType()); err != nil {
				return err
			}
		}
		j.store(&b, at)
	}
	return nil
}

func (b *castBuf) parse(i int, s string, to tensor.DType) (err error) {
	switch b.kind {
	case castInt:
		if b.i[i], err = strconv.ParseInt(s, 10, 64); err == nil {
			return nil
		}
	case castUint:
		if b.u[i], err = strconv.ParseUint(s, 10, 64); err == nil {
			return nil
		}
	}
	if to == tensor.Bool && (strings.EqualFold(s, "true") || strings.EqualFold(s, "false")) {
		b.f[i] = float64(b2i(strings.EqualFold(s, "true")))
		return nil
	}
	bits := 64
	if to == tensor.Float32 {
		bits = 32
	}
	x, err := strconv.ParseFloat(s, bits)
	if err != nil && !math.IsInf(x, 0) {
		return fmt.Errorf("string %q is not a number", s)
	}
	switch b.kind {
	case castInt:
		b.i[i] = truncate[int64](x)
	case castUint:
		b.u[i] = truncate[uint64](x)
	default:
		b.f[i] = x
	}
	return nil
}
