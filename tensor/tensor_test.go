package tensor

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"testing"
	"unsafe"
)

func TestOfChecksTheShape(t *testing.T) {
	if _, err := Of([]float32{1, 2, 3}, 2, 2); err == nil {
		t.Error("3 elements in 2x2: no error")
	}
	if _, err := Of([]float32{}, math.MaxInt/4, math.MaxInt/4); err == nil {
		t.Error("a product that overflows: no error")
	}
	if _, err := Of([]float32{}, -1); err == nil {
		t.Error("a negative size: no error")
	}
	x, err := Of([]int64{7})
	if err != nil || x.Rank() != 0 || x.Len() != 1 || x.String() != "int64" {
		t.Errorf("scalar: %v, %v", x, err)
	}
	if x, err := Of([]string{"a", "b"}); err != nil || x.Shape()[0] != 2 || View[string](x)[1] != "b" {
		t.Errorf("strings: %v, %v", x, err)
	}
	if x, err := Of([]float32{}, 0, 3); err != nil || x.Len() != 0 {
		t.Errorf("empty: %v, %v", x, err)
	}
}

func TestOfSharesTheSlice(t *testing.T) {
	data := []float32{1, 2}
	x, _ := Of(data)
	data[0] = 5
	if got, err := Data[float32](x); err != nil || got[0] != 5 {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := Data[int32](x); !errors.Is(err, ErrType) {
		t.Errorf("got %v, want ErrType", err)
	}
}

func TestNewIsAligned(t *testing.T) {
	for _, n := range []int{1, 3, 64, 1000} {
		x, err := New(Float32, n)
		if err != nil {
			t.Fatal(err)
		}
		if a := uintptr(unsafe.Pointer(unsafe.SliceData(x.Bytes()))) % 64; a != 0 {
			t.Errorf("%d elements start at %d modulo 64", n, a)
		}
	}
}

func TestPackedTypes(t *testing.T) {
	x, err := New(Int4, 3)
	if err != nil || len(x.Bytes()) != 2 {
		t.Fatalf("3 int4 take %d bytes, %v", len(x.Bytes()), err)
	}
	if _, err := FromBytes(Uint2, make([]byte, 2), 9); err == nil {
		t.Error("9 uint2 in 2 bytes: no error")
	}
}

func TestFromBytesRefusesMisalignedData(t *testing.T) {
	b := AlignedBytes(12)
	if _, err := FromBytes(Float32, b[1:9], 2); err == nil {
		t.Error("no error")
	}
}

func TestHalf(t *testing.T) {
	for _, c := range []struct {
		x  float32
		f  F16
		bf BF16
	}{
		{1, 0x3c00, 0x3f80}, {-2, 0xc000, 0xc000}, {65504, 0x7bff, 0x4780}, {65520, 0x7c00, 0x4780},
		{float32(math.Inf(-1)), 0xfc00, 0xff80}, {5.9604645e-8, 1, 0x3380}, {1 + 1.0/256, 0x3c04, 0x3f80}, {1 + 3.0/256, 0x3c0c, 0x3f82},
	} {
		if got := ToF16(c.x); got != c.f {
			t.Errorf("ToF16(%v) = %#x, want %#x", c.x, got, c.f)
		}
		if got := ToBF16(c.x); got != c.bf {
			t.Errorf("ToBF16(%v) = %#x, want %#x", c.x, got, c.bf)
		}
	}
	if x := ToBF16(float32(math.NaN())).Float32(); x == x {
		t.Error("NaN lost")
	}
	for i := range 1 << 16 {
		if h := F16(i); h.Float32() == h.Float32() && ToF16(h.Float32()) != h {
			t.Fatalf("%#x does not survive", i)
		}
	}
}

func TestSpecString(t *testing.T) {
	elem := Ranked(Float32, []Dim{AnyDim})
	for want, s := range map[string]Spec{
		"float32[batch 128 ?]": Ranked(Float32, []Dim{{Name: "batch", Size: -1}, Fixed(128), AnyDim}),
		"int64":                SpecOf(Int64),
		"bool[...]":            Unranked(Bool),
		"sequence(float32[?])": {Kind: KindSequence, Elem: &elem},
		"optional(float32[?])": {Kind: KindOptional, Elem: &elem},
		"?[...]":               {},
		"float32[0 3]":         SpecOf(Float32, 0, 3),
	} {
		if got := s.String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestFromUnaligned(t *testing.T) {
	buf := AlignedBytes(13)
	copy(buf[1:], []byte{0, 0, 0x80, 0x3f, 0, 0, 0x20, 0xc0, 0, 0, 0, 0})
	x, err := FromUnaligned(Float32, buf[1:], 3)
	if errors.Is(err, ErrType) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if binary.NativeEndian.Uint16([]byte{1, 0}) == 1 && !slices.Equal(View[float32](x), []float32{1, -2.5, 0}) {
		t.Errorf("got %v", View[float32](x))
	}
	if _, err := FromBytes(Float32, buf[1:], 3); err == nil {
		t.Error("FromBytes took data that is not aligned")
	}
	if _, err := FromUnaligned(Float32, buf[1:], 4); err == nil {
		t.Error("FromUnaligned took data of another size")
	}
}
