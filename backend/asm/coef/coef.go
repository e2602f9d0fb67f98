// Package coef holds the constants of the vector functions, shared by their Go reference and by the kernel generator.
// The polynomials are minimax fits made for this project, their coefficients rounded one after the other with the
// remaining ones fitted anew. Arrays are in ascending powers.
package coef

// Argument reduction of the exponential: x = n*ln2 + r with |r| <= ln2/2. Adding Magic rounds to an integer.
const (
	Log2E = 1.4426950408889634
	Ln2Hi = 0.693147182464599609375 // float32 nearest to ln 2
	Ln2Lo = -1.90465429995776804525e-9
	Magic = 12582912 // 1.5 * 2^23
	// MagicExp also biases the exponent: the low bits of x*Log2E+MagicExp are the exponent field of 2^(n-1).
	MagicExp = Magic + 126
	// MagicExpm1 does so for 2^n.
	MagicExpm1 = Magic + 127
	// ExpLo and ExpHi clamp the argument to where the exponent field is 0 (the result is 0) or 255 (infinity).
	ExpLo = -87.5
	ExpHi = 89.5
	// Expm1Lo is below where the result rounds to -1.
	Expm1Lo = -25
	// ErfHi is above where erf rounds to 1.
	ErfHi = 4
	// TanhHi is above where tanh rounds to 1.
	TanhHi = 10
)

// ExpQ is q of exp(r) = 1 + r + r*r*q(r).
var ExpQ = [...]float32{0.49999994, 0.16666521, 0.04166828, 0.0083686905, 0.001381949}

// ErfW is w of erf(t) = 1 - exp(-t*w(t)) for 0 <= t <= ErfHi.
var ErfW = [...]float32{
	1.1283792, 0.63661534, 0.10282542, -0.019360503, 0.00026843685, 0.0012017767, -0.00036202124, 3.7977894e-05,
}

// LogQ is q of log(1+f) = f - f*f/2 + f*f*f*q(f) for sqrt(1/2) <= 1+f < sqrt(2).
var LogQ = [...]float32{
	0.3333333, -0.2500082, 0.20001242, -0.16623409, 0.14201581, -0.13159613, 0.12762198, -0.07636395,
}

// Log1pQ is q of log(1+e) = z*q(z*z) with z = e/(2+e) for 0 <= e <= 1.
var Log1pQ = [...]float32{2, 0.6666642, 0.40021443, 0.2800285, 0.28007978}

// SqrtHalfBits is the bit pattern of sqrt(1/2), where the mantissa interval of log begins.
const SqrtHalfBits = 0x3f3504f3

// Constants of the activations.
const (
	RSqrt2      = 0.70710678118654752440
	Sqrt2OverPi = 0.79788456080286535588
	GeluCubic   = 0.044715
	OneSixth    = 1.0 / 6
)
