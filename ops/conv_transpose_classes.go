package ops

// first is the class of kernel positions that reach the outputs of remainder r, those with k*dilate % stride equal to
// it, and how far the input is moved under them.
func (a *axis) first(r int) (class, shift int) {
	return (r + a.before) % a.stride, (r + a.before) / a.stride
}

// reachedBy calls f with the kernel positions of a class, and where each reads the input that is not moved.
func (a *axis) reachedBy(class int, f func(k, at int)) {
	for k := range a.kernel {
		if d := class - k*a.dilate; d%a.stride == 0 {
			f(k, d/a.stride)
		}
	}
}

// remainderWeights brings W to [groups, classes, M/groups, C/groups, kernel positions of the class].
func (s *convShape) remainderWeights(dst, w []float32) {
	d, h, x := &s.axes[0], &s.axes[1], &s.axes[2]
	per, m := s.c/s.groups, s.m/s.groups
	var list []int
	for g := range s.groups {
		for class := range d.stride * h.stride * x.stride {
			list = s.classTaps(list[:0], class)
			for row := range m {
				for ch := range per {
					from := w[((g*per+ch)*m+row)*s.k:]
					for i, k := range list {
						dst[i] = from[k]
					}
					dst = dst[len(list):]
				}
			}
		}
	}
}

// classTaps appends the kernel positions of a class of all axes.
func (s *convShape) classTaps(list []int, class int) []int {
	d, h, w := &s.axes[0], &s.axes[1], &s.axes[2]
	d.reachedBy(class/(h.stride*w.stride), func(kd, _ int) {
		h.reachedBy(class/w.stride%h.stride, func(kh, _ int) {
			w.reachedBy(class%w.stride, func(kw, _ int) { list = append(list, (kd*h.kernel+kh)*w.kernel+kw) })
		})
	})
	return list
}

// classCount is the number of kernel positions of a class of all axes.
func (s *convShape) classCount(class int) (n int) {
	n = 1
	for i := 2; i >= 0; i-- {
		a, count := &s.axes[i], 0
		a.reachedBy(class%a.stride, func(_, _ int) { count++ })
		class /= a.stride
		n *= count
	}
	return n
}
