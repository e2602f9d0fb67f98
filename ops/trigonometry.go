package ops

import "math"

// sin32 and cos32 are the float32 nearest to the sine and cosine but in about one of a million cases, where they are its
// neighbour. The operations are those of float64, none of them fused, so that all processors give the same bits.
func sin32(x float32) float32 {
	if v := float64(x); v > -turnLimit && v < turnLimit {
		return turnedSine(v, 0)
	}
	return float32(math.Sin(float64(x)))
}

func cos32(x float32) float32 {
	if v := float64(x); v > -turnLimit && v < turnLimit {
		return turnedSine(v, 1)
	}
	return float32(math.Cos(float64(x)))
}

const (
	turnLimit = 1e5 // up to which a multiple of turnHigh is exact

	turnHigh = 6746518852.0 / (1 << 32) // the first 33 bits of pi/2
	turnLow  = math.Pi/2 - turnHigh

	turnRound = 3 << 51 // a float64 with ones as its last place
)

// turnSeries are the series of sin(r)/r and cos(r) in r*r: nine digits more than a float32 has, for |r| <= pi/4.
var turnSeries = [2][8]float64{
	{1, -1.0 / 6, 1.0 / 120, -1.0 / 5040, 1.0 / 362880, -1.0 / 39916800, 1.0 / 6227020800, -1.0 / 1307674368000},
	{1, -1.0 / 2, 1.0 / 24, -1.0 / 720, 1.0 / 40320, -1.0 / 3628800, 1.0 / 479001600, -1.0 / 87178291200},
}

// turnedSine is the sine of v and quarters of a turn. There is no branch on the quarter that v is in, which no processor
// would predict.
func turnedSine(v float64, quarters uint64) float32 {
	t := float64(v*(2/math.Pi)) + turnRound
	k := t - turnRound
	quarters += math.Float64bits(t)
	r := v - float64(k*turnHigh)
	r -= float64(k * turnLow)
	z := float64(r * r)
	factor := [2]float64{r, 1}
	c := &turnSeries[quarters&1]
	s := float64(c[7]*z) + c[6]
	s = float64(s*z) + c[5]
	s = float64(s*z) + c[4]
	s = float64(s*z) + c[3]
	s = float64(s*z) + c[2]
	s = float64(s*z) + c[1]
	s = float64(s*z) + c[0]
	s = float64(s * factor[quarters&1])
	return math.Float32frombits(math.Float32bits(float32(s)) ^ uint32(quarters&2)<<30)
}
