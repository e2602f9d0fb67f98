package tensor

import "testing"

func TestShare(t *testing.T) {
	src, _ := Of([]float32{1, 2, 3, 4, 5, 6}, 2, 3)
	h := Header(Float32, 3, 2)
	if h.Bytes() != nil || h.Spec().String() != "float32[3 2]" {
		t.Fatalf("header %v with %d bytes", h, len(h.Bytes()))
	}
	h.Share(src)
	if !h.Overlaps(src) || View[float32](h)[5] != 6 {
		t.Fatal("a shared header does not show its source's elements")
	}
	h.Share(nil)
	if h.Overlaps(src) || h.Bytes() != nil {
		t.Fatal("a header keeps elements that it let go of")
	}
}

func TestOverlaps(t *testing.T) {
	data := []int64{1, 2, 3, 4}
	whole, _ := Of(data)
	first, _ := Of(data[:2])
	last, _ := Of(data[2:])
	words := []string{"a", "b"}
	w, _ := Of(words)
	w1, _ := Of(words[1:])
	for _, c := range []struct {
		name string
		a, b *Tensor
		want bool
	}{
		{"whole and part", whole, last, true},
		{"two parts", first, last, false},
		{"strings", w, w1, true},
		{"strings and numbers", w, whole, false},
		{"sequence and its element", SequenceOf([]*Tensor{w, first}), whole, true},
		{"two sequences", SequenceOf([]*Tensor{first}), SequenceOf([]*Tensor{last}), false},
		{"optional of nothing", OptionalOf(nil), whole, false},
		{"clone", whole.Clone(), whole, false},
	} {
		if got := c.a.Overlaps(c.b); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
		if got := c.b.Overlaps(c.a); got != c.want {
			t.Errorf("%s, swapped: %v, want %v", c.name, got, c.want)
		}
	}
	if !SequenceOf([]*Tensor{last}).OverlapsBytes(whole.Bytes()) || first.OverlapsBytes(last.Bytes()) {
		t.Error("OverlapsBytes")
	}
}

func TestCopyTo(t *testing.T) {
	src, _ := Of([]string{"a", "b"})
	dst, _ := New(String, 2)
	if !src.CopyTo(dst) || View[string](dst)[1] != "b" {
		t.Error("strings were not copied")
	}
	if other, _ := New(String, 2, 1); src.CopyTo(other) {
		t.Error("copied to another shape")
	}
	if SequenceOf(nil).CopyTo(dst) {
		t.Error("copied a sequence")
	}
}
