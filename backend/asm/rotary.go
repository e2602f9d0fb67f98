package asm

import "unsafe"

func rotaryScalar(a *ArgsRotary) {
	at := func(p *float32, r, step int64) []float32 {
		return unsafe.Slice((*float32)(unsafe.Add(unsafe.Pointer(p), r*step)), a.N)
	}
	c0, c1, s0, s1 := at(a.Cos, 0, 0), at(a.Cos1, 0, 0), at(a.Sin, 0, 0), at(a.Sin1, 0, 0)
	for r := range a.Rows {
		x0, x1 := at(a.X, r, a.XStep), at(a.X1, r, a.XStep)
		d0, d1 := at(a.Dst, r, a.DstStep), at(a.Dst1, r, a.DstStep)
		for i, x := range x0 {
			y := x1[i]
			d0[i] = float32(x*c0[i]) - float32(y*s0[i])
			d1[i] = float32(y*c1[i]) + float32(x*s1[i])
		}
	}
}
