package ops

import "math"

// fft is the discrete Fourier transform of one length, of any prime factors: the sum over i of x[i]*exp(-2 pi k i/n),
// or with the other sign. It is immutable.
type fft struct {
	n       int
	factors []int
	root    []complex128 // exp(-2 pi k/n), or its conjugate
}

func newFFT(n int, inverse bool) *fft {
	f := &fft{n: n, root: make([]complex128, n)}
	for k := range f.root {
		s, c := math.Sincos(2 * math.Pi * float64(k) / float64(n))
		if !inverse {
			s = -s
		}
		f.root[k] = complex(c, s)
	}
	for p := 4; n > 1; {
		switch {
		case n%p == 0:
			f.factors = append(f.factors, p)
			n /= p
		case p == 4:
			p = 2
		case p == 2:
			p = 3
		case p*p > n:
			p = n
		default:
			p += 2
		}
	}
	return f
}

// widest is the room that transform needs in tmp.
func (f *fft) widest() int {
	w := 1
	for _, p := range f.factors {
		w = max(w, p)
	}
	return w
}

// transform sets dst from src, both of length n.
func (f *fft) transform(dst, src, tmp []complex128) { f.step(dst, src, tmp, f.n, 1, 0) }

// step transforms n elements of src at a distance of stride, by the factors from level on: p transforms of a p-th of the
// elements, joined.
func (f *fft) step(dst, src, tmp []complex128, n, stride, level int) {
	if n == 1 {
		dst[0] = src[0]
		return
	}
	p := f.factors[level]
	m := n / p
	for k := range p {
		f.step(dst[k*m:(k+1)*m], src[k*stride:], tmp, m, stride*p, level+1)
	}
	switch p {
	case 2:
		a, b := dst[:m], dst[m:2*m]
		for q := range a {
			t := b[q] * f.root[q*stride]
			a[q], b[q] = a[q]+t, a[q]-t
		}
	case 4:
		f.join4(dst, m, stride)
	default:
		f.join(dst, tmp[:p], m, stride)
	}
}

func (f *fft) join4(dst []complex128, m, stride int) {
	a, b, c, d := dst[:m], dst[m:2*m], dst[2*m:3*m], dst[3*m:4*m]
	quarter := f.root[f.n/4]
	for q := range a {
		k := q * stride
		t0, t1, t2, t3 := a[q], b[q]*f.root[k], c[q]*f.root[2*k], d[q]*f.root[3*k]
		s, u := t0+t2, t0-t2
		v, w := t1+t3, t1-t3
		if imag(quarter) < 0 {
			w = complex(imag(w), -real(w))
		} else {
			w = complex(-imag(w), real(w))
		}
		a[q], b[q], c[q], d[q] = s+v, u+w, s-v, u-w
	}
}

func (f *fft) join(dst, t []complex128, m, stride int) {
	p := len(t)
	for q := range m {
		for k := range t {
			t[k] = dst[k*m+q] * f.root[k*q*stride%f.n]
		}
		for r := range p {
			sum := t[0]
			for k := 1; k < p; k++ {
				sum += t[k] * f.root[k*r%p*(f.n/p)]
			}
			dst[r*m+q] = sum
		}
	}
}
