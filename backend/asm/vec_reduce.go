package asm

import "math"

// lanes are the 16 virtual lanes of every reduction: lane i takes elements i, i+16, i+32, ... in order.
type lanes [16]float32

// lanes2 are the lanes of two reductions at a time.
type lanes2 [2]lanes

func filled(x float64) (l lanes) {
	for i := range l {
		l[i] = float32(x)
	}
	return l
}

// sum, max and min combine the lanes by one fixed tree: lane i with i+8, then i+4, i+2, i+1.
func (l *lanes) sum() float32 {
	for d := 8; d > 0; d /= 2 {
		for i := range d {
			l[i] += l[i+d]
		}
	}
	return l[0]
}

func (l *lanes) max() float32 {
	for d := 8; d > 0; d /= 2 {
		for i := range d {
			l[i] = choose(l[i] > l[i+d], l[i], l[i+d])
		}
	}
	return l[0]
}

func (l *lanes) min() float32 {
	for d := 8; d > 0; d /= 2 {
		for i := range d {
			l[i] = choose(l[i] < l[i+d], l[i], l[i+d])
		}
	}
	return l[0]
}

// choose is a or b, without a branch that would be predicted wrongly half of the time.
func choose(first bool, a, b float32) float32 {
	x := math.Float32bits(b)
	if first {
		x = math.Float32bits(a)
	}
	return math.Float32frombits(x)
}

// finiteLanes are the minima and maxima of the finite elements.
func finiteLanes(src []float32) lanes2 {
	l := lanes2{filled(math.Inf(1)), filled(math.Inf(-1))}
	for i, x := range src {
		if x-x == 0 {
			l[0][i&15] = minNaN(x, l[0][i&15])
			l[1][i&15] = maxNaN(x, l[1][i&15])
		}
	}
	return l
}
