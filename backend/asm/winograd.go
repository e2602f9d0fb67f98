package asm

import "unsafe"

// winogradScalar is the Go kernel of Winograd.
func winogradScalar(a *ArgsWinograd) {
	lanes := int(a.Lanes)
	at := func(p *float32, bytes int) *float32 { return (*float32)(unsafe.Add(unsafe.Pointer(p), bytes)) }
	for ch := range int(a.Channels) {
		for t := range int(a.N) * lanes {
			v, tile := t/lanes, t%lanes
			lane := tile%(lanes/4)*4 + tile/(lanes/4) // quarters are transposed
			matrix := 4 * (v*lanes + lane)
			if a.Input != 0 {
				src := at(a.Src, ch*int(a.StepSrc)+16*t)
				var d [6][6]float32
				for i := range d {
					row := at(src, i%4*int(a.StepRow)+i/4*int(a.NextRow))
					copy(d[i][:], unsafe.Slice(row, 6))
					d[i] = winogradForward(d[i])
				}
				for j := range 6 {
					y := winogradForward([6]float32{d[0][j], d[1][j], d[2][j], d[3][j], d[4][j], d[5][j]})
					for i, x := range y {
						*at(a.Dst, ch*int(a.StepDst)+(6*i+j)*int(a.StepF)+matrix) = x
					}
				}
				continue
			}
			var m [6][4]float32
			for j := range m {
				var x [6]float32
				for i := range x {
					x[i] = *at(a.Src, ch*int(a.StepSrc)+(6*i+j)*int(a.StepF)+matrix)
				}
				m[j] = winogradBack(x)
			}
			for i := range 4 {
				y := winogradBack([6]float32{m[0][i], m[1][i], m[2][i], m[3][i], m[4][i], m[5][i]})
				for k, x := range y {
					if a.Bias != nil {
						x += elem(a.Bias, ch)
					}
					if x < a.Lo {
						x = a.Lo
					}
					if x > a.Hi {
						x = a.Hi
					}
					*at(a.Dst, ch*int(a.StepDst)+i*int(a.StepRow)+16*t+4*k) = x
				}
			}
		}
	}
}

// winogradForward is the transform of a row or column of the input.
func winogradForward(d [6]float32) [6]float32 {
	c, e := d[4]-d[2], d[3]-d[1]
	a, b := FMA32(-4, d[2], d[4]), FMA32(-4, d[1], d[3])
	return [6]float32{FMA32(4, d[0]-d[2], c), a + b, a - b, FMA32(2, e, c), FMA32(-2, e, c), FMA32(-4, e, d[5]-d[3])}
}

// winogradBack is the transform of a row or column of the products.
func winogradBack(m [6]float32) [4]float32 {
	s, d, t, e := m[1]+m[2], m[1]-m[2], m[3]+m[4], m[3]-m[4]
	return [4]float32{m[0] + s + t, FMA32(2, e, d), FMA32(4, t, s), FMA32(8, e, d) + m[5]}
}

// WinogradWeights writes the transform of a 3x3 kernel, element f of the 36 to dst[f*step]. It computes in float64.
func WinogradWeights(dst []float32, step int, w []float32) {
	forward := func(g [3]float64) [6]float64 {
		return [6]float64{
			g[0] / 4, -(g[0] + g[1] + g[2]) / 6, -(g[0] - g[1] + g[2]) / 6,
			g[0]/24 + g[1]/12 + g[2]/6, g[0]/24 - g[1]/12 + g[2]/6, g[2],
		}
	}
	var rows [3][6]float64
	for i := range rows {
		rows[i] = forward([3]float64{float64(w[3*i]), float64(w[3*i+1]), float64(w[3*i+2])})
	}
	for j := range 6 {
		for i, x := range forward([3]float64{rows[0][j], rows[1][j], rows[2][j]}) {
			dst[(6*i+j)*step] = float32(x)
		}
	}
}
