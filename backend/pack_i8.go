package backend

import (
	"encoding/binary"
	"unsafe"
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
}

// Bytes is the memory of the packed matrix with its parameters.
func (p *PackedI8) Bytes() int64 {
	return int64(len(p.data)) + 4*int64(len(p.sums)+len(p.comp)+len(p.scale)+len(p.zero)+len(p.Scale)+len(p.Zero))
}

// MaxDepthI8 is the largest K for which the int32 sum of u8 x s8 products cannot overflow.
const MaxDepthI8 = (1<<31 - 1) / (255 * 128)

// PackI8 packs B, given as b[i*ldb+j] (row-major [K,N]) or, with trans, as b[j*ldb+i]. scale and zero may be nil, of
// length 1 or of length N. A uint8 matrix is packed as int8 by the caller's x^0x80 with zero points less 128.
func (k *Kernels) PackI8(b []int8, K, N, ldb int, trans bool, scale []float32, zero []int32) *PackedI8 {
	p := new(PackedI8)
	k.PackI8Into(p, b, K, N, ldb, trans, scale, zero)
	return p
}

// PackI8Into is PackI8 to a p that was packed before or is new; its memory is used again where it is large enough.
func (k *Kernels) PackI8Into(p *PackedI8, b []int8, K, N, ldb int, trans bool, scale []float32, zero []int32) {
	l := &k.u8s8
	w := l.width(N)
	old := *p
	*p = PackedI8{K: K, N: N, layout: l, sums: cleared(old.sums, w), comp: cleared(old.comp, w), data: cleared(old.data, w*l.padded(K))}
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
	for i := range l.panels(N) {
		p.pack(b, i, ldb, trans)
	}
	p.compensate()
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

// compensate finds what A's zero points multiply: -sums in two 16-bit halves, the upper one 128 times as much.
func (p *PackedI8) compensate() {
	for j := range p.N {
		if p.zero != nil {
			p.sums[j] -= int32(p.K) * p.zero[j]
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

// pack fills panel i and adds up its columns.
func (p *PackedI8) pack(b []int8, i, ldb int, trans bool) {
	l := p.layout
	col, nv := l.panel(i, p.N)
	w, cols := nv*l.vec, min(nv*l.vec, p.N-col)
	panel := p.data[col*l.padded(p.K):][:w*l.padded(p.K)]
	sums := p.sums[col : col+cols]
	switch {
	case trans:
		for c := range cols {
			sums[c] = packColumn(panel, c, w, l.depth, b[(col+c)*ldb:][:p.K])
		}
	case l.depth == 4:
		packRows4(panel, sums, w, b[min(col, len(b)):], p.K, ldb)
	default:
		for k := range p.K {
			at := panel[(k/l.depth*w)*l.depth+k%l.depth:]
			for c, v := range b[k*ldb+col:][:cols] {
				at[c*l.depth] = v
				sums[c] += int32(v)
			}
		}
	}
}

// packColumn writes one column, which lies contiguously, to a panel of w columns and returns its sum.
func packColumn(panel []int8, c, w, depth int, src []int8) (sum int32) {
	k := 0
	if depth == 4 {
		for at := 4 * c; k+4 <= len(src); k, at = k+4, at+4*w {
			s := (*[4]int8)(src[k:])
			*(*[4]int8)(panel[at:]) = *s
			sum += int32(s[0]) + int32(s[1]) + int32(s[2]) + int32(s[3])
		}
	}
	for ; k < len(src); k++ {
		panel[(k/depth*w+c)*depth+k%depth] = src[k]
		sum += int32(src[k])
	}
	return sum
}

// packRows4 writes columns whose elements lie ldb apart, four steps at a time, and adds them up.
func packRows4(panel []int8, sums []int32, w int, b []int8, K, ldb int) {
	n := len(sums)
	zero := make([]int8, n)
	for k := 0; k < K; k += 4 {
		r := [4][]int8{zero, zero, zero, zero}
		for i := range min(4, K-k) {
			r[i] = b[(k+i)*ldb:][:n]
		}
		dst := panel[k*w:][:4*n]
		r0, r1, r2, r3 := r[0][:n], r[1][:n], r[2][:n], r[3][:n]
		for c := range sums {
			x := uint32(uint8(r0[c])) | uint32(uint8(r1[c]))<<8 | uint32(uint8(r2[c]))<<16 | uint32(uint8(r3[c]))<<24
			binary.LittleEndian.PutUint32(unsafe.Slice((*byte)(unsafe.Pointer(&dst[4*c])), 4), x)
			sums[c] += int32(r0[c]) + int32(r1[c]) + int32(r2[c]) + int32(r3[c])
		}
	}
}
