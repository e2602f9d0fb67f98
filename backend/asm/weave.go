package asm

import "unsafe"

func weaveScalar(a *ArgsWeave) {
	cols := int(a.Cols)
	for r := range int(a.Rows) {
		dst := row[float32](unsafe.Pointer(a.Dst), a.LDD, r, 2*cols)
		x, y := row[float32](unsafe.Pointer(a.A), a.LDS, r, cols), row[float32](unsafe.Pointer(a.B), a.LDS, r, cols)
		i := 0
		for ; i+4 <= cols; i += 4 {
			d, s, t := dst[2*i:2*i+8:2*i+8], x[i:i+4:i+4], y[i:i+4:i+4]
			d[0], d[1], d[2], d[3], d[4], d[5], d[6], d[7] = s[0], t[0], s[1], t[1], s[2], t[2], s[3], t[3]
		}
		for ; i < cols; i++ {
			dst[2*i], dst[2*i+1] = x[i], y[i]
		}
	}
}
