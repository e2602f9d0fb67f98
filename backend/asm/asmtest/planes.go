package asmtest

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"unsafe"

	"github.com/qrun-onnx/qrun/backend/asm"
)

// Planes is one call of a kernel over planes.
type Planes struct {
	Gemm
	Planes asm.ArgsPlanes
}

// PlanesCases are calls for a kernel: rows of every width with every padding, few and many output rows.
func PlanesCases(d asm.Kernel) []*Planes {
	lanes := 8
	if d.ISA == asm.AVX512 {
		lanes = 16
	}
	if d.ISA == asm.NEON {
		lanes = 4
	}
	kh, kw, stride := d.M, d.N, 1
	if d.ISA == asm.Scalar {
		kh, kw = 3, 3
	}
	if strings.Contains(d.Name, "Stride2") {
		stride = 2
	}
	var cases []*Planes
	for w := asm.LeastPlanesWidth(d.ISA); w < 6*lanes; w++ {
		for pad := range kw {
			g := &Planes{}
			r := maker{rand.New(rand.NewPCG(uint64(w), uint64(pad))), &g.Gemm}
			top, after := r.IntN(kh), r.IntN(kw)
			if w+pad+after < kw {
				after = kw - w - pad
			}
			outW := (w+pad+after-kw)/stride + 1
			h, rows, planes := 1+r.IntN(12), 1+r.IntN(9), 1+r.IntN(3)
			var b asm.PlanesBlocks
			b.Set(lanes, kw, stride, pad, w, outW)
			a := &g.Planes
			*a = asm.ArgsPlanes{
				X: unsafe.Pointer(fill(r, planes*h*w, r.float)), Masks: fill(r, len(b.Masks), func() int32 { m := b.Masks[0]; b.Masks = b.Masks[1:]; return m }),
				Planes: int64(planes), StepX: int64(4 * h * w), LDX: int64(4 * w), Row: int64(-top), H: int64(h), Rows: int64(rows), Pad: int64(4 * pad),
				Lead: int64(b.Lead), Inner: int64(b.Inner), Trail: int64(b.Trail),
				KH: int64(kh), KW: int64(kw), Stride: int64(stride), InW: int64(w), OutW: int64(outW), Lo: -1e30, Hi: 1e30,
			}
			outside := float32(0)
			if strings.Contains(d.Name, "Max") {
				a.Max, outside = 1, -3e38
			}
			a.Outside = fill(r, w, func() float32 { return outside })
			a.W = fill(r, planes*kh*kw, r.float)
			if r.IntN(3) > 0 {
				a.Bias = fill(r, planes, r.float)
			}
			if r.IntN(3) > 0 {
				a.Lo, a.Hi = 0, 2
			}
			ldc := outW + r.IntN(3)
			g.Result = buffer[float32](r, planes*rows*ldc, true)
			g.Take()
			g.Args.LDC = int64(4 * ldc)
			a.Dst, a.LDC, a.StepC = unsafe.SliceData(g.Result), int64(4*ldc), int64(4*rows*ldc)
			g.Name = fmt.Sprintf("%s %dx%d pad=%d,%d out=%dx%d planes=%d", d.Name, h, w, top, pad, rows, outW, planes)
			cases = append(cases, g)
		}
	}
	return cases
}

// Patches is one call of a kernel that packs rows.
type Patches struct {
	Gemm
	Patches asm.ArgsPatches
}

// PatchesCases are calls for a kernel, of many depths and all widths.
func PatchesCases(d asm.Kernel) []*Patches {
	n, least := d.N, d.N-15
	switch d.ISA {
	case asm.Scalar:
		n, least = 48, 1
	case asm.AVX2:
		least = 1
	}
	var cases []*Patches
	for cols := least; cols <= n; cols++ {
		g := &Patches{}
		r := maker{rand.New(rand.NewPCG(uint64(cols), 3)), &g.Gemm}
		k := 1 + r.IntN(11)
		x, offset := r.patches(k, cols)
		g.Result = buffer[float32](r, k*n, true)
		g.Args.LDC = int64(4 * n)
		g.Patches = asm.ArgsPatches{Dst: unsafe.SliceData(g.Result), X: x, Offset: offset, K: int64(k), Cols: int64(cols), Width: int64(n)}
		g.Name = fmt.Sprintf("%s K=%d cols=%d", d.Name, k, cols)
		g.Take()
		cases = append(cases, g)
	}
	return cases
}
