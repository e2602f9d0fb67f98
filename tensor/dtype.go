// Package tensor holds the values that enter, leave and flow through a model: n-dimensional arrays of the ONNX element
// types, and sequences and optionals of them. It imports nothing of this module.
package tensor

import "fmt"

// DType is an element type. The numbers are those of ONNX's TensorProto.DataType.
type DType uint8

// Element types, with ONNX's numbers.
const (
	Undefined      DType = 0
	Float32        DType = 1
	Uint8          DType = 2
	Int8           DType = 3
	Uint16         DType = 4
	Int16          DType = 5
	Int32          DType = 6
	Int64          DType = 7
	String         DType = 8
	Bool           DType = 9
	Float16        DType = 10
	Float64        DType = 11
	Uint32         DType = 12
	Uint64         DType = 13
	Complex64      DType = 14
	Complex128     DType = 15
	BFloat16       DType = 16
	Float8E4M3FN   DType = 17
	Float8E4M3FNUZ DType = 18
	Float8E5M2     DType = 19
	Float8E5M2FNUZ DType = 20
	Uint4          DType = 21
	Int4           DType = 22
	Float4E2M1     DType = 23
	Float8E8M0     DType = 24
	Uint2          DType = 25
	Int2           DType = 26
)

type dtypeInfo struct {
	name string
	bits int
}

var dtypes = [...]dtypeInfo{
	Undefined: {"undefined", 0}, Float32: {"float32", 32}, Uint8: {"uint8", 8}, Int8: {"int8", 8}, Uint16: {"uint16", 16},
	Int16: {"int16", 16}, Int32: {"int32", 32}, Int64: {"int64", 64}, String: {"string", 0}, Bool: {"bool", 8},
	Float16: {"float16", 16}, Float64: {"float64", 64}, Uint32: {"uint32", 32}, Uint64: {"uint64", 64},
	Complex64: {"complex64", 64}, Complex128: {"complex128", 128}, BFloat16: {"bfloat16", 16},
	Float8E4M3FN: {"float8e4m3fn", 8}, Float8E4M3FNUZ: {"float8e4m3fnuz", 8}, Float8E5M2: {"float8e5m2", 8},
	Float8E5M2FNUZ: {"float8e5m2fnuz", 8}, Uint4: {"uint4", 4}, Int4: {"int4", 4}, Float4E2M1: {"float4e2m1", 4},
	Float8E8M0: {"float8e8m0", 8}, Uint2: {"uint2", 2}, Int2: {"int2", 2},
}

// Valid reports whether d is one of the constants other than Undefined.
func (d DType) Valid() bool { return d > Undefined && int(d) < len(dtypes) }

// Bits is the number of bits of an element in memory: 4 and 2 for the packed types, 0 for String.
func (d DType) Bits() int {
	if int(d) >= len(dtypes) {
		return 0
	}
	return dtypes[d].bits
}

// Size is the number of bytes of an element, 0 for String and for types of less than a byte.
func (d DType) Size() int { return d.Bits() / 8 }

// ByteLen is the number of bytes that n elements take, packed types rounded up to a whole byte.
func (d DType) ByteLen(n int) int {
	if s := d.Size(); s > 0 {
		return n * s
	}
	return n/8*d.Bits() + (n%8*d.Bits()+7)/8
}

func (d DType) String() string {
	if int(d) >= len(dtypes) {
		return fmt.Sprintf("dtype(%d)", uint8(d))
	}
	return dtypes[d].name
}

// IsFloat reports whether d is a floating-point type of at least 16 bits.
func (d DType) IsFloat() bool { return d == Float32 || d == Float64 || d == Float16 || d == BFloat16 }

// IsInteger reports whether d is a signed or unsigned integer type of any width; Bool is not.
func (d DType) IsInteger() bool {
	switch d {
	case Uint8, Int8, Uint16, Int16, Int32, Int64, Uint32, Uint64, Uint4, Int4, Uint2, Int2:
		return true
	}
	return false
}

// ParseDType returns the type that String prints as name.
func ParseDType(name string) (DType, bool) {
	for d, i := range dtypes {
		if i.name == name && d != int(Undefined) {
			return DType(d), true
		}
	}
	return Undefined, false
}
