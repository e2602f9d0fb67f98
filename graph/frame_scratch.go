package graph

import "github.com/qrun-onnx/qrun/tensor"

// scratch hands out temporary memory in the order of a stack: an operator's is free again when it returns, those of the
// nodes in its bodies before that.
type scratch struct {
	buf  []byte
	top  int // bytes in use, those that did not fit into buf counted
	most int
}

func (s *scratch) take(n int) []byte {
	if n <= 0 {
		return nil
	}
	at := s.top
	s.top += alignUp(n)
	s.most = max(s.most, s.top)
	if s.top > len(s.buf) {
		return tensor.AlignedBytes(n)
	}
	return s.buf[at : at+n : at+n]
}

// release gives back all that was taken since the top was at mark.
func (s *scratch) release(mark int) {
	s.top = mark
	if mark == 0 && s.most > len(s.buf) {
		s.buf = tensor.AlignedBytes(s.most)
	}
}
