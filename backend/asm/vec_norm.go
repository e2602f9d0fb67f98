package asm

import "math"

// softmaxRow writes e/sum(e) as e times the reciprocal of the sum, with e = exp(src*scale+mask - max).
func softmaxRow(dst, src, mask []float32, scale float32) {
	l := filled(math.Inf(-1))
	for i, x := range src {
		x = float32(x * scale)
		if mask != nil {
			x += mask[i]
		}
		dst[i] = x
		l[i&15] = maxNaN(x, l[i&15])
	}
	m := l.max()
	l = lanes{}
	for i := range src {
		e := expCore(dst[i] - m)
		dst[i] = e
		l[i&15] += e
	}
	r := 1 / l.sum()
	for i := range src {
		dst[i] *= r
	}
}

// logSoftmaxRow is (src-max) - log(sum(exp(src-max))).
func logSoftmaxRow(dst, src []float32) {
	l := filled(math.Inf(-1))
	for i, x := range src {
		l[i&15] = maxNaN(x, l[i&15])
	}
	m := l.max()
	l = lanes{}
	for i, x := range src {
		d := x - m
		dst[i] = d
		l[i&15] += expCore(d)
	}
	s := Log(l.sum())
	for i := range src {
		dst[i] -= s
	}
}

// gather stores src+add+bias in dst, and in sum if there is one.
func gather(dst, src, add, bias, sum []float32) {
	for i, x := range src {
		if add != nil {
			x += add[i]
		}
		if bias != nil {
			x += bias[i]
		}
		if sum != nil {
			sum[i] = x
		}
		dst[i] = x
	}
}

// layerNormRow is (x-mean)*inv, then scaleShift, of the row in dst.
func layerNormRow(dst, gamma, beta []float32, eps float32) (mean, inv float32) {
	n := float32(len(dst))
	var l lanes
	for i, x := range dst {
		l[i&15] += x
	}
	mean = l.sum() / n
	l = lanes{}
	for i, x := range dst {
		d := x - mean
		l[i&15] = FMA32(d, d, l[i&15])
	}
	inv = 1 / float32(math.Sqrt(float64(l.sum()/n+eps)))
	for i, x := range dst {
		dst[i] = scaleShift(float32((x-mean)*inv), gamma, beta, i)
	}
	return mean, inv
}

// rmsNormRow is x*inv, then scaleShift, of the row in dst.
func rmsNormRow(dst, gamma, beta []float32, eps float32) (inv float32) {
	var l lanes
	for i, x := range dst {
		l[i&15] = FMA32(x, x, l[i&15])
	}
	inv = 1 / float32(math.Sqrt(float64(l.sum()/float32(len(dst))+eps)))
	for i, x := range dst {
		dst[i] = scaleShift(float32(x*inv), gamma, beta, i)
	}
	return inv
}

// scaleShift is fma(y, gamma, beta), or the one of the two that is there.
func scaleShift(y float32, gamma, beta []float32, i int) float32 {
	switch {
	case gamma != nil && beta != nil:
		return FMA32(y, gamma[i], beta[i])
	case gamma != nil:
		return y * gamma[i]
	case beta != nil:
		return y + beta[i]
	}
	return y
}
