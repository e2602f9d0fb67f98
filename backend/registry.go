package backend

import (
	"fmt"
	"strings"
	"sync"

	"github.com/qrun-onnx/qrun/backend/asm"
)

// tiers are what All can return, best first: the instruction sets of integer and of float products. A CPU with
// AVX-512 but not its VNNI uses avx2: sums of bytes by VPMADDWD gain little from it.
var tiers = [...]struct {
	name         string
	ints, floats asm.ISA
}{
	{"amx", asm.AMX, asm.AVX512},
	{"avx512vnni", asm.AVX512VNNI, asm.AVX512},
	{"avxvnni", asm.AVXVNNI, asm.AVX2},
	{"avx2", asm.AVX2, asm.AVX2},
	{"neoni8mm", asm.NEONI8MM, asm.NEON},
	{"neondot", asm.NEONDOT, asm.NEON},
	{"neon", asm.NEON, asm.NEON},
	{"scalar", asm.Scalar, asm.Scalar},
}

// New returns the kernels of the tier with that name, "" for the best one this CPU can run. The error of a tier that
// cannot run here lists those that can.
func New(name string) (*Kernels, error) {
	all := All()
	if name == "" {
		return all[0], nil
	}
	names := make([]string, len(all))
	for i, k := range all {
		if k.name == name {
			return k, nil
		}
		names[i] = k.name
	}
	return nil, fmt.Errorf("backend %q is unknown or not supported by this cpu, which can run: %s", name, strings.Join(names, ", "))
}

// All returns the tiers that this CPU can run, best first, scalar last.
func All() []*Kernels {
	var all []*Kernels
	for _, t := range tiers {
		if !asm.Has(t.ints) || !asm.Has(t.floats) {
			continue
		}
		k := &Kernels{name: t.name, bindRows: nearRows, vec: asm.NewVector(t.ints), interleave: map[int]asm.Interleave{}}
		k.u8s8 = intLayout(t.ints)
		k.f32 = floatLayout(asm.GemmF32Kernels[:], t.floats, 4)
		if _, ok := k.f32.patches(); ok {
			k.bindRows = packedRows
		}
		k.f16 = floatLayout(asm.GemmF16Kernels[:], t.floats, 2)
		switch t.floats {
		case asm.AVX2, asm.AVX512:
			k.transpose, k.turn = asm.TransposeAVX2, [2]asm.Turn{asm.Turn8AVX2, asm.Turn16AVX2}
			k.weave = asm.WeaveAVX2
			k.interleave[2], k.interleave[4] = asm.Interleave2AVX2, asm.Interleave4AVX2
		case asm.NEON:
			k.weave = asm.WeaveNEON
			k.transpose, k.turn = asm.TransposeNEON, [2]asm.Turn{asm.Turn8NEON, asm.Turn16NEON}
			k.requantize = [2]asm.Requantize{asm.RequantizeColumnsNEON, asm.RequantizeRowsNEON}
			k.nbits, k.widenNBits, k.rotary = asm.NBitsNEON, asm.WidenNBitsNEON, asm.RotaryNEON
		}
		switch t.floats {
		case asm.AVX2:
			k.requantize = [2]asm.Requantize{asm.RequantizeColumnsAVX2, asm.RequantizeRowsAVX2}
			k.nbits, k.widenNBits, k.rotary = asm.NBitsAVX2, asm.WidenNBitsAVX2, asm.RotaryAVX2
		case asm.AVX512:
			k.requantize = [2]asm.Requantize{asm.RequantizeColumnsAVX512, asm.RequantizeRowsAVX512}
			k.nbits, k.widenNBits, k.rotary = asm.NBitsAVX512, asm.WidenNBitsAVX512, asm.RotaryAVX512
		}
		switch t.ints {
		case asm.AVX2:
			k.form, k.rest, k.columns = wideA, asm.Rest32AVX2, asm.Columns32AVX2
			k.restFew, k.columnsFew = asm.Rest8AVX2, asm.Columns8AVX2
			k.u8c8 = newLayout(asm.GemmU8C8Kernels[:], asm.AVX2, 8, 4, 1, 32)
			k.u8c8.pad = clipGroup
		case asm.NEON:
			k.form = signedA
		case asm.NEONDOT:
			k.form = signedA
			k.interleave[4] = asm.Interleave4NEON
		case asm.NEONI8MM:
			k.form = pairsA
		}
		k.scratch = &sync.Pool{New: func() any { return new([]int16) }}
		k.floats = &sync.Pool{New: func() any { return new([]float32) }}
		all = append(all, k)
	}
	return all
}

// intLayout is the layout of an instruction set's integer products. Rates of arm64 are those of its slowest processors with
// the set, so that no call takes long.
func intLayout(isa asm.ISA) layout {
	kernels := asm.GemmU8S8Kernels[:]
	switch isa {
	case asm.AMX:
		return tileLayout(kernels)
	case asm.AVX512VNNI:
		return newLayout(kernels, isa, 16, 4, 1, 128)
	case asm.AVXVNNI:
		l := newLayout(kernels, isa, 8, 4, 1, 64)
		l.weak = 4
		return l
	case asm.AVX2:
		return newLayout(kernels, isa, 8, 2, 1, 24)
	case asm.NEON:
		return newLayout(kernels, isa, 4, 16, 1, 4)
	case asm.NEONDOT:
		return newLayout(kernels, isa, 4, 4, 1, 16)
	case asm.NEONI8MM:
		l := newLayout(kernels, isa, 4, 8, 1, 32)
		l.pairs = true
		return l
	}
	return newLayout(kernels, asm.Scalar, asm.ScalarCols, 1, 1, 1)
}

func floatLayout(kernels []asm.Kernel, isa asm.ISA, size int) layout {
	switch isa {
	case asm.AVX512:
		return newLayout(kernels, isa, 16, 1, size, 32)
	case asm.AVX2:
		return newLayout(kernels, isa, 8, 1, size, 16)
	case asm.NEON:
		return newLayout(kernels, isa, 4, 1, size, 4)
	}
	return newLayout(kernels, asm.Scalar, asm.ScalarCols, 1, size, 1)
}

// tileLayout has tile registers for more rows than fewRows and AVX512-VNNI, on the same panels, for others.
func tileLayout(kernels []asm.Kernel) layout {
	l := layout{isa: asm.AMX, vec: 16, nv: 2, mr: maxTile, depth: 4, pad: 64, size: 1, rate: 200}
	const fewRows = 4
	for i, k := range kernels {
		switch {
		case k.ISA == asm.AVX512VNNI && k.N == 32 && k.M <= fewRows:
			l.tiles[k.M][2] = uint8(i)
		case k.ISA == asm.AMX:
			for rows := max(fewRows, k.M/2*(k.M/32)) + 1; rows <= k.M; rows++ {
				l.tiles[rows][2] = uint8(i)
			}
			if k.M == 16 {
				l.ragged = uint8(i)
			}
		}
	}
	return l
}
