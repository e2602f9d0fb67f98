package asm

import "unsafe"

func nBitsScalar(a *ArgsNBits) {
	acc := unsafe.Slice(a.Acc, 16)
	x := unsafe.Slice(a.A, 32*a.Blocks*a.Chunks)
	codes := unsafe.Slice(a.Codes, 16*a.Blocks*a.Chunks)
	scale := unsafe.Slice(a.Scale, a.Blocks)
	zero := unsafe.Slice(a.Zero, 1+(a.Blocks-1)*a.ZeroStep/4)
	for b, s := range scale {
		z := zero[int64(b)*a.ZeroStep/4]
		var t lanes
		for range a.Chunks {
			for l, c := range codes[:16] {
				t[l] = FMA32(float32(c&15)-z, x[l], t[l])
				t[l] = FMA32(float32(c>>4)-z, x[16+l], t[l])
			}
			x, codes = x[32:], codes[16:]
		}
		for l := range acc {
			acc[l] = FMA32(t[l], s, acc[l])
		}
	}
}

func widenNBitsScalar(a *ArgsWidenNBits) {
	dst := unsafe.Slice(a.Dst, 32*a.Blocks*a.Chunks)
	codes := unsafe.Slice(a.Codes, 16*a.Blocks*a.Chunks)
	zero := unsafe.Slice(a.Zero, 1+(a.Blocks-1)*a.ZeroStep/4)
	for b, s := range unsafe.Slice(a.Scale, a.Blocks) {
		z := zero[int64(b)*a.ZeroStep/4]
		for range a.Chunks {
			for l, c := range codes[:16] {
				dst[l], dst[16+l] = (float32(c&15)-z)*s, (float32(c>>4)-z)*s
			}
			dst, codes = dst[32:], codes[16:]
		}
	}
}

// NBitsRow is a row of 4-bit codes in blocks of Chunks times 32 elements, and the vector that it is multiplied with, which
// ArgsNBits describes. Zero has one element, for all blocks, or one for each.
type NBitsRow struct {
	A           []float32
	Codes       []uint8
	Scale, Zero []float32
	Chunks      int
}

// nbitsCall is how many chunks a call takes, to be short.
const nbitsCall = 1 << 12

// Dot is the product of the row and the vector: 16 lanes, then the fixed tree of all reductions.
func (k NBits) Dot(r *NBitsRow) float32 {
	var acc lanes
	args := ArgsNBits{Acc: &acc[0], Chunks: int64(r.Chunks), ZeroStep: r.zeroStep()}
	per := max(1, nbitsCall/r.Chunks)
	for b := 0; b < len(r.Scale); b += per {
		n := min(per, len(r.Scale)-b)
		args.A, args.Codes, args.Scale, args.Blocks = &r.A[32*r.Chunks*b], &r.Codes[16*r.Chunks*b], &r.Scale[b], int64(n)
		args.Zero = &r.Zero[min(b, len(r.Zero)-1)]
		k.Call(&args)
	}
	return acc.sum()
}

// Widen writes the row's numbers to A.
func (k WidenNBits) Widen(r *NBitsRow) {
	args := ArgsWidenNBits{Chunks: int64(r.Chunks), ZeroStep: r.zeroStep()}
	per := max(1, nbitsCall/r.Chunks)
	for b := 0; b < len(r.Scale); b += per {
		n := min(per, len(r.Scale)-b)
		args.Dst, args.Codes, args.Scale, args.Blocks = &r.A[32*r.Chunks*b], &r.Codes[16*r.Chunks*b], &r.Scale[b], int64(n)
		args.Zero = &r.Zero[min(b, len(r.Zero)-1)]
		k.Call(&args)
	}
}

func (r *NBitsRow) zeroStep() int64 {
	if len(r.Zero) > 1 {
		return 4
	}
	return 0
}
