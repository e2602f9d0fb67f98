package main

import (
	"encoding/binary"
	"fmt"
	"iter"
	"math"
	"testing"
	"unsafe"
)

// machine executes a kernel's instructions. Anything that a processor would fault on, and anything outside the
// buffers it was given, is a fault: a panic of that type, which run turns into a test failure.
type machine struct {
	gp             [16]uint64
	vec            [32][64]byte
	k              [8]uint64
	zf, sf, of, cf bool
	tiles          tiles
	dirty          bool // a vector register's upper part may be in use
	mem            []*buffer
	data           *buffer // the kernel's constants
	jump           string  // label to continue at
	done           bool
}

// interpreted are the kernels of a family, by number less one, that the machine executes. Those of arm64 are proven under
// qemu, which executes them natively.
func interpreted(f *Family) iter.Seq2[int, *Kernel] {
	return func(yield func(int, *Kernel) bool) {
		for i, k := range f.Kernels {
			if !k.ISA.arm() && !yield(i, k) {
				return
			}
		}
	}
}

type fault string

func failf(format string, args ...any) { panic(fault(fmt.Sprintf(format, args...))) }

// buffer is memory that a kernel may access.
type buffer struct {
	base     uint64
	data     []byte
	writable bool
}

// rw is a slice that a kernel may read and write, in place; ro one that it may only read.
func rw[T any](s []T) *buffer { return &buffer{data: bytesOf(s), writable: true} }
func ro[T any](s []T) *buffer { return &buffer{data: bytesOf(s)} }

func bytesOf[T any](s []T) []byte {
	if len(s) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&s[0])), len(s)*int(unsafe.Sizeof(s[0])))
}

// run executes the kernel with these arguments: *buffer or nil for pointers, int, int32, uint64 or float32 for the rest. Fields that are
// not given are 0.
func run(t testing.TB, k *Kernel, args map[string]any) {
	t.Helper()
	if msg := execute(k, args); msg != "" {
		t.Fatalf("%s: %s", k.Name, msg)
	}
}

func execute(k *Kernel, args map[string]any) (msg string) {
	m := new(machine)
	for i := range m.gp {
		m.gp[i] = 0xdeadbeef00000000 + uint64(i)
	}
	for i := range m.vec {
		for j := range m.vec[i] {
			m.vec[i][j] = 0xff // NaN: nothing may depend on what registers held
		}
	}
	for i := range m.k {
		m.k[i] = 0x5555555555555555
	}
	a := make([]byte, k.Args.size())
	for name, v := range args {
		m.setArg(k.Args, a, name, v)
	}
	ab := &buffer{data: a, writable: true}
	m.mapBuffer(ab)
	m.gp[0] = ab.base
	m.data = ro(k.data)
	m.mapBuffer(m.data)
	labels := map[string]int{}
	for i, in := range k.Prog {
		if in.Op == "" {
			labels[in.target.name] = i
		}
	}
	pc := 0
	defer func() {
		if r := recover(); r != nil {
			f, ok := r.(fault)
			if !ok {
				panic(r)
			}
			msg = fmt.Sprintf("instruction %d, %s: %s", pc, text(&k.Prog[pc]), string(f))
		}
	}()
	for steps := 0; !m.done; steps++ {
		if steps > 20_000_000 {
			failf("runs forever")
		}
		in := &k.Prog[pc]
		if in.Op != "" {
			f := execs[in.Op]
			if f == nil {
				failf("the interpreter does not know it")
			}
			f(m, in)
		}
		pc++
		if m.jump != "" {
			to, ok := labels[m.jump]
			if !ok {
				failf("no label %s", m.jump)
			}
			pc, m.jump = to, ""
		}
		if pc >= len(k.Prog) && !m.done {
			pc = len(k.Prog) - 1
			failf("runs off the end")
		}
	}
	return ""
}

func (m *machine) setArg(spec *Args, a []byte, name string, v any) {
	off := spec.offset(name)
	switch v := v.(type) {
	case nil:
	case *buffer:
		if v == nil {
			return
		}
		m.mapBuffer(v)
		binary.LittleEndian.PutUint64(a[off:], v.base)
	case int:
		binary.LittleEndian.PutUint64(a[off:], uint64(v))
	case uint64:
		binary.LittleEndian.PutUint64(a[off:], v)
	case int32:
		binary.LittleEndian.PutUint32(a[off:], uint32(v))
	case float32:
		binary.LittleEndian.PutUint32(a[off:], math.Float32bits(v))
	default:
		panic(fmt.Sprintf("argument %s: %T", name, v))
	}
}

// mapBuffer gives the buffer an address, 4 GiB from every other.
func (m *machine) mapBuffer(b *buffer) {
	for _, o := range m.mem {
		if o == b {
			return
		}
	}
	m.mem = append(m.mem, b)
	b.base = uint64(len(m.mem)) << 32
}

// at is the memory of n bytes at an address.
func (m *machine) at(addr uint64, n int, write bool) []byte {
	i := int(addr>>32) - 1
	off := addr & (1<<32 - 1)
	if i < 0 || i >= len(m.mem) {
		failf("address %#x is in no buffer", addr)
	}
	b := m.mem[i]
	if off+uint64(n) > uint64(len(b.data)) {
		failf("%d bytes at %d of a buffer of %d bytes", n, int32(off), len(b.data))
	}
	if write && !b.writable {
		failf("write to a read-only buffer")
	}
	return b.data[off : off+uint64(n)]
}

func (m *machine) addr(x Mem) uint64 {
	if x.sym != "" {
		return m.data.base + uint64(x.Disp)
	}
	a := m.gp[x.Base.N] + uint64(int64(x.Disp))
	if x.Index.Kind != KindNone {
		a += m.gp[x.Index.N] * uint64(x.Scale)
	}
	return a
}

// widthOf is the width of the instruction's widest vector register.
func widthOf(in *Instr) int {
	w := 0
	for _, a := range in.Args {
		if r, ok := a.(Reg); ok && r.isVec() {
			w = max(w, r.width())
		}
	}
	return w
}

// src is w bytes of an operand; of memory under a mask only the elements of size es that the mask selects.
func (m *machine) src(in *Instr, i, w, es int) []byte {
	out := make([]byte, w)
	switch a := in.Args[i].(type) {
	case Reg:
		copy(out, m.vec[a.N][:w])
	case Mem:
		if a.Broadcast {
			b := m.at(m.addr(a), 4, false)
			for j := 0; j < w; j += 4 {
				copy(out[j:], b)
			}
			return out
		}
		if in.Mask.Kind == KindNone {
			copy(out, m.at(m.addr(a), w, false))
			return out
		}
		for j := 0; j < w/es; j++ {
			if m.k[in.Mask.N]>>j&1 != 0 {
				copy(out[j*es:(j+1)*es], m.at(m.addr(a)+uint64(j*es), es, false))
			}
		}
	default:
		failf("operand %d has no bytes", i)
	}
	return out
}

// put writes the result to the last operand under the instruction's mask of elements of size es.
func (m *machine) put(in *Instr, res []byte, es int) {
	on := func(j int) bool { return in.Mask.Kind == KindNone || m.k[in.Mask.N]>>j&1 != 0 }
	switch d := in.Args[len(in.Args)-1].(type) {
	case Reg:
		v := &m.vec[d.N]
		for j := 0; j < len(res)/es; j++ {
			switch {
			case on(j):
				copy(v[j*es:(j+1)*es], res[j*es:])
			case in.Zero:
				clear(v[j*es : (j+1)*es])
			}
		}
		clear(v[len(res):])
		m.dirty = true
	case Mem:
		if in.Mask.Kind == KindNone {
			copy(m.at(m.addr(d), len(res), true), res)
			return
		}
		for j := 0; j < len(res)/es; j++ {
			if on(j) {
				copy(m.at(m.addr(d)+uint64(j*es), es, true), res[j*es:(j+1)*es])
			}
		}
	default:
		failf("no place for the result")
	}
}

// putMask writes one bit for each of n lanes to a mask register, under the instruction's mask.
func (m *machine) putMask(in *Instr, n int, bit func(i int) bool) {
	var r uint64
	for i := range n {
		if (in.Mask.Kind == KindNone || m.k[in.Mask.N]>>i&1 != 0) && bit(i) {
			r |= 1 << i
		}
	}
	m.k[in.Args[len(in.Args)-1].(Reg).N] = r
}
