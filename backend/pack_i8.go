package backend

import (
	"unsafe"

	"github.com/qrun-onnx/qrun/backend/asm"
)

// PackedI8 is an int8 matrix B[K,N] in the panel layout of one tier's kernel, with its column sums.
type PackedI8 struct {
	K, N  int
	Scale []float32 // N, or nil when only integer results are asked for
	Zero  []int32   // N zero points of B, nil when all are 0

	layout *layout
	sums   []int32   // per column: the sum of its elements minus K times its zero point
	comp   []int32   // per padded column: -sums as the kernels multiply it with A's zero point
	scale  []float32 // Scale padded
	zero   []int32   // Zero padded
	big    bool      // sums do not fit comp: it is 0 and zero points are left to Go
	data   []int8
	clip   *clipped // nil where there is none
}

// Bytes is the memory of the packed matrix with its parameters.
func (p *PackedI8) Bytes() int64 {
	return p.clip.bytes() + int64(len(p.data)) + 4*int64(len(p.sums)+len(p.comp)+len(p.scale)+len(p.zero)+len(p.Scale)+len(p.Zero))
}

// MaxDepthI8 is the largest K for which the int32 sum of u8 x s8 products cannot overflow.
const MaxDepthI8 = (1<<31 - 1) / (255 * 128)

// PackI8 packs B, given as b[i*ldb+j] (row-major [K,N]) or, with trans, as b[j*ldb+i]. scale and zero may be nil, of
// length 1 or of length N. A uint8 matrix is packed as int8 by the caller's x^0x80 with zero points less 128.
func (k *Kernels) PackI8(b []int8, K, N, ldb int, trans bool, scale []float32, zero []int32) *PackedI8 {
	rows, cols := K, N
	if trans {
		rows, cols = N, K
	}
	return packI8(k, b[:extent(rows, cols, ldb)], recipeOf("i8", K, N, ldb, trans), K, N, ldb, trans, scale, zero, func() []int8 { return b })
}

// PackI8Into is PackI8 to a p that was packed before or is new; its memory is used again where it is large enough.
func (k *Kernels) PackI8Into(p *PackedI8, b []int8, K, N, ldb int, trans bool, scale []float32, zero []int32) {
	old := *p
	k.fillI8(p, b, K, N, ldb, trans)
	p.finish(k, old, scale, zero)
}

// fillI8 makes the panels of p and the sums of its columns.
func (k *Kernels) fillI8(p *PackedI8, b []int8, K, N, ldb int, trans bool) {
	l := &k.u8s8
	w := l.width(N)
	old := *p
	*p = PackedI8{K: K, N: N, layout: l, sums: cleared(old.sums, w), comp: cleared(old.comp, w), data: cleared(old.data, w*l.padded(K))}
	for i := range l.panels(N) {
		k.packPanel(p, b, i, ldb, trans)
	}
	p.sum(k)
}

// finish sets what depends on scales and zero points, in memory of old where that is large enough.
func (p *PackedI8) finish(k *Kernels, old PackedI8, scale []float32, zero []int32) {
	N, w := p.N, len(p.sums)
	if scale != nil {
		p.scale = spread(old.scale, scale, N, w)
		p.Scale = p.scale[:N]
	}
	for _, z := range zero {
		if z != 0 {
			p.zero = spread(old.zero, zero, N, w)
			p.Zero = p.zero[:N]
			break
		}
	}
	p.compensate(k.form.plain())
}

// sum adds up the columns: the product with a row of ones.
func (p *PackedI8) sum(k *Kernels) {
	ones := make([]uint8, k.StrideU8(p.K))
	for i := range ones {
		ones[i] = k.form.one()
	}
	g := GemmU8S8{M: 1, A: ones, LDA: len(ones), ZeroA: []int32{0}, B: p, CI: p.sums, LDC: len(p.sums)}
	g.Init(k, 1)
	g.Do(0, g.Tasks())
}

// cleared is n zeros in the memory of s, or in new memory.
func cleared[T int8 | int32 | float32](s []T, n int) []T {
	if cap(s) < n {
		return aligned[T](n)
	}
	s = s[:n]
	clear(s)
	return s
}

// spread is s, of length 1 or n, over n of w elements of the memory of out.
func spread[T int32 | float32](out, s []T, n, w int) []T {
	out = cleared(out, w)
	for i := range n {
		out[i] = s[min(i, len(s)-1)]
	}
	return out
}

// compensate finds what A's zero points multiply: -sums, where they are not plain numbers in two 16-bit halves, the upper
// one 128 times as much.
func (p *PackedI8) compensate(plain bool) {
	for j := range p.N {
		if p.zero != nil {
			p.sums[j] -= int32(p.K) * p.zero[j]
		}
		if plain {
			p.comp[j] = -p.sums[j]
			continue
		}
		hi := -p.sums[j] >> 7
		p.big = p.big || hi != int32(int16(hi))
		p.comp[j] = hi<<16 | -p.sums[j]&127
	}
	if p.big {
		clear(p.comp)
	}
}

// at is the panel that starts at a column.
func (p *PackedI8) at(col int) unsafe.Pointer {
	return unsafe.Add(pointer(p.data), col*p.layout.padded(p.K))
}

// packCall is how many rows a call of a kernel packs at most: each may lie on a page of a file that is not in memory yet.
const packCall = 256

// packPanel fills panel i. Padding is zero already.
func (k *Kernels) packPanel(p *PackedI8, b []int8, i, ldb int, trans bool) {
	l, K := p.layout, p.K
	col, nv := l.panel(i, p.N)
	w, cols := nv*l.vec, min(nv*l.vec, p.N-col)
	panel := p.data[col*l.padded(K):][:w*l.padded(K)]
	if K == 0 {
		return
	}
	if trans {
		b = b[col*ldb:][:extent(cols, K, ldb)]
		k0, c0 := K&^31, cols-cols%k.transposeUnit()
		if l.depth == 4 && k0 > 0 && c0 > 0 { // groups of four bytes move like floats
			for g := 0; g < k0/4; g += packCall {
				k.transpose.Call(&asm.ArgsTranspose{Dst: (*float32)(unsafe.Pointer(&panel[4*g*w])), LDD: int64(4 * w),
					Src: (*float32)(unsafe.Pointer(&b[4*g])), LDS: int64(ldb), K: int64(min(packCall, k0/4-g)), Cols: int64(c0)})
			}
		} else {
			c0 = 0
		}
		for c := range cols {
			from := 0
			if c < c0 {
				from = k0
			}
			packColumn(panel, b[c*ldb+from:][:K-from], from, c, w, l.depth)
		}
		return
	}
	b = b[col:][:extent(K, cols, ldb)]
	k0, c0 := K-K%l.depth, cols&^15
	if interleave := k.interleave[l.depth]; interleave != 0 && k0 > 0 && c0 > 0 {
		for r := 0; r < k0; r += packCall {
			interleave.Call(&asm.ArgsInterleave{Dst: &panel[r*w], LDD: int64(l.depth * w), Src: &b[r*ldb], LDS: int64(ldb), K: int64(min(packCall, k0-r)), Cols: int64(c0)})
		}
	} else {
		c0 = 0
	}
	for r := range K {
		from := c0
		if r >= k0 {
			from = 0
		}
		at := panel[(r/l.depth*w)*l.depth+r%l.depth:]
		for c, v := range b[r*ldb+from:][:cols-from] {
			at[(from+c)*l.depth] = v
		}
	}
}

// packColumn writes elements from k on of column c to a panel of w columns.
func packColumn(panel, src []int8, k, c, w, depth int) {
	if depth == 2 && k%2 == 0 {
		for at := k*w + 2*c; len(src) >= 2; src, k, at = src[2:], k+2, at+2*w {
			*(*[2]int8)(panel[at:]) = [2]int8(src)
		}
	}
	if k%depth == 0 {
		for ; len(src) >= depth; src, k = src[depth:], k+depth {
			copy(panel[k*w+c*depth:][:depth], src)
		}
	}
	for i, v := range src {
		panel[((k+i)/depth*w+c)*depth+(k+i)%depth] = v
	}
}
