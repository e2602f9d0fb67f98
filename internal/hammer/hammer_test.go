package hammer

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
)

func TestRun(t *testing.T) {
	var calls atomic.Int32
	err := Run(8, 50, func(g, r int) ([]byte, error) {
		calls.Add(1)
		return []byte{byte(r), 7}, nil
	})
	if err != nil || calls.Load() != 400 {
		t.Fatalf("%d calls, error %v", calls.Load(), err)
	}
}

func TestRunFindsDifferences(t *testing.T) {
	bad := errors.New("bad")
	for _, c := range []struct {
		name, want string
		f          func(g, r int) ([]byte, error)
	}{
		{"bytes", "byte 1 of 2", func(g, r int) ([]byte, error) { return []byte{0, byte(g)}, nil }},
		{"length", "bytes, another goroutine got", func(g, r int) ([]byte, error) { return make([]byte, g), nil }},
		{"error", "goroutine 3, run 2: bad", func(g, r int) ([]byte, error) {
			if g == 3 && r == 2 {
				return nil, bad
			}
			return nil, nil
		}},
	} {
		if err := Run(4, 3, c.f); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
		}
	}
}
