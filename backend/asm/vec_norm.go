package asm

import "math"

// softmax writes e/sum(e) as e times the reciprocal of the sum, with e = exp(src*scale+mask - max).
func softmax(dst, src, mask []float32, scale float32) {
	var l lanes
	for i := range l {
		l[i] = float32(math.Inf(-1))
	}
	for i, x := range src {
		x *= scale
		if mask != nil {
			x += mask[i]
		}
		dst[i] = x
		l[i&15] = maxNaN(x, l[i&15])
	}
	m := l.fold(maxNaN)
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

// logSoftmax is (src-max) - log(sum(exp(src-max))).
func logSoftmax(dst, src []float32) {
	var l lanes
	for i := range l {
		l[i] = float32(math.Inf(-1))
	}
	for i, x := range src {
		l[i&15] = maxNaN(x, l[i&15])
	}
	m := l.fold(maxNaN)
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

func layerNorm(dst, sum, src, add, bias, gamma, beta []float32, eps float32) (mean, invStd float32) {
	n := float32(len(src))
	var l lanes
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
		l[i&15] += x
	}
	mean = l.sum() / n
	l = lanes{}
	for i := range src {
		d := dst[i] - mean
		l[i&15] = FMA32(d, d, l[i&15])
	}
	invStd = 1 / float32(math.Sqrt(float64(l.sum()/n+eps)))
	for i := range src {
		dst[i] = scaleShift((dst[i]-mean)*invStd, gamma, beta, i)
	}
	return mean, invStd
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

func rmsNorm(dst, src, gamma []float32, eps float32) (invRMS float32) {
	invRMS = 1 / float32(math.Sqrt(float64(sumSquares(src)/float32(len(src))+eps)))
	for i, x := range src {
		dst[i] = scaleShift(x*invRMS, gamma, nil, i)
	}
	return invRMS
}
