package main

import "fmt"

// Kind is the kind of a register.
type Kind uint8

// Register kinds; X, Y and Z are views of the same registers.
const (
	KindNone Kind = iota
	KindGP
	KindX
	KindY
	KindZ
	KindMask
	KindTile
	KindR // general, of arm64
	KindQ // vector, of arm64
)

// Operand is a register, a memory location, a constant or a label.
type Operand interface{ String() string }

// Reg is a physical register.
type Reg struct {
	Kind Kind
	N    int
}

var gpNames = [16]string{"AX", "CX", "DX", "BX", "SP", "BP", "SI", "DI", "R8", "R9", "R10", "R11", "R12", "R13", "R14", "R15"}

func (r Reg) String() string {
	switch r.Kind {
	case KindGP:
		return gpNames[r.N]
	case KindX:
		return fmt.Sprintf("X%d", r.N)
	case KindY:
		return fmt.Sprintf("Y%d", r.N)
	case KindZ:
		return fmt.Sprintf("Z%d", r.N)
	case KindMask:
		return fmt.Sprintf("K%d", r.N)
	case KindTile:
		return fmt.Sprintf("TMM%d", r.N)
	case KindR:
		return fmt.Sprintf("R%d", r.N)
	case KindQ:
		return fmt.Sprintf("V%d", r.N)
	}
	return "none"
}

func (r Reg) isVec() bool { return r.Kind >= KindX && r.Kind <= KindZ }

// width is the number of bytes of a vector register.
func (r Reg) width() int { return 16 << (r.Kind - KindX) }

// X, Y and Z are the register's low 16, 32 and 64 bytes.
func (r Reg) X() Reg { return Reg{KindX, r.N} }

// Y is the register's low 32 bytes.
func (r Reg) Y() Reg { return Reg{KindY, r.N} }

// Z is the whole register.
func (r Reg) Z() Reg { return Reg{KindZ, r.N} }

// Mem is Disp(Base)(Index*Scale), or Disp bytes into the kernel's constants when Base is none.
type Mem struct {
	Base, Index Reg
	Scale       int
	Disp        int
	Broadcast   bool
	PostIndex   bool // arm64: Disp is added to Base afterwards
	sym         string
}

// At is the memory disp bytes after a register.
func At(base Reg, disp int) Mem { return Mem{Base: base, Disp: disp} }

// Idx adds a scaled index.
func (m Mem) Idx(index Reg, scale int) Mem { m.Index, m.Scale = index, scale; return m }

// Add moves the location by disp bytes.
func (m Mem) Add(disp int) Mem { m.Disp += disp; return m }

// Bcst makes it an embedded broadcast of four bytes (AVX-512).
func (m Mem) Bcst() Mem { m.Broadcast = true; return m }

func (m Mem) String() string {
	s := ""
	if m.sym != "" {
		return fmt.Sprintf("%s<>+%d(SB)", m.sym, m.Disp)
	}
	if m.Disp != 0 {
		s = fmt.Sprint(m.Disp)
	}
	s += "(" + m.Base.String() + ")"
	if m.Index.Kind != KindNone {
		s += fmt.Sprintf("(%s*%d)", m.Index, m.Scale)
	}
	return s
}

// Imm is a constant.
type Imm int64

func (i Imm) String() string { return fmt.Sprintf("$%d", int64(i)) }

// Label is a place in a kernel.
type Label struct{ name string }

func (l Label) String() string { return l.name }
