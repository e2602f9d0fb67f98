package digits

import "testing"

func TestEmbedded(t *testing.T) {
	images, err := Images()
	if err != nil || images.Len() != Size*64 {
		t.Fatal(images, err)
	}
	labels, err := Labels()
	if err != nil || len(labels) != Size {
		t.Fatal(len(labels), err)
	}
	for i, l := range labels {
		if l < 0 || l > 9 {
			t.Errorf("label %d is %d", i, l)
		}
	}
	if len(MLP()) == 0 || len(Attention()) == 0 {
		t.Error("a model is empty")
	}
}
