package main

import (
	"fmt"
	"strings"
)

// Lane is one element of a vector register, of the size that the instruction has.
type Lane struct {
	Reg
	I int
}

// Lane is element i of the register.
func (r Reg) Lane(i int) Lane { return Lane{r, i} }

func (l Lane) String() string { return fmt.Sprintf("%s[%d]", l.Reg, l.I) }

func lower(s string) string { return strings.ToLower(s) }
func upper(s string) string { return strings.ToUpper(s) }

// elem is the letter of an arrangement's elements: s of 4S.
func elem(arrangement string) string { return lower(arrangement[len(arrangement)-1:]) }

// elemBytes is the size of elements by their letter.
func elemBytes(letter byte) int { return 1 << strings.IndexByte("bhsdq", letter) }

// neonEncode finds the form of an instruction that fits its operands; it returns the machine code and the text of the
// GNU assembler.
func neonEncode(isa *ISA, in *Instr) (word uint32, gnu string, err error) {
	if size, ok := memoryOps[in.Op]; ok {
		return size.encode(in)
	}
	forms, ok := neonOps[in.Op]
	if !ok {
		return 0, "", fmt.Errorf("not in the table of instructions")
	}
	for _, f := range forms {
		if f.feat&^isa.Feat != 0 {
			err = fmt.Errorf("not in %s", isa.Name)
			continue
		}
		if word, gnu, err = f.encode(in); err == nil {
			return word, gnu, nil
		}
	}
	return 0, "", err
}

// encode sets the fields of a form. An operand that does not fit is an error.
func (f *neonForm) encode(in *Instr) (uint32, string, error) {
	op, rest, _ := strings.Cut(f.text, " ")
	places := strings.Split(rest, ", ")
	word := f.word
	at := len(in.Args)
	for i, p := range places {
		if p == "#0.0" || strings.HasPrefix(p, "lsl") {
			continue // part of the instruction
		}
		at--
		if at < 0 {
			return 0, "", fmt.Errorf("too few operands for %q", f.text)
		}
		bits, text, err := place(p, in.Args[at])
		if err != nil {
			return 0, "", err
		}
		word |= bits
		places[i] = text
	}
	if at != 0 {
		return 0, "", fmt.Errorf("too many operands for %q", f.text)
	}
	return word, op + " " + strings.Join(places, ", "), nil
}

// place encodes an operand in its place of a form's text.
func place(p string, a Operand) (bits uint32, text string, err error) {
	bad := func() (uint32, string, error) { return 0, "", fmt.Errorf("%s does not fit %q", a, p) }
	if p[0] == '#' {
		c, ok := a.(Imm)
		if !ok {
			return bad()
		}
		return constant(p, int(c))
	}
	brace := p[0] == '{'
	p = strings.Trim(p, "{}")
	field, arrangement, vector := strings.Cut(p, ".")
	if !vector { // a general register or a scalar: wn, sd
		r, ok := a.(Reg)
		if !ok || (r.Kind == KindR) != strings.ContainsAny(field[:1], "wx") {
			return bad()
		}
		return uint32(r.N) << fieldShift(field[1]), fmt.Sprintf("%c%d", field[0], r.N), nil
	}
	if name, index, lane := strings.Cut(arrangement, "["); lane {
		l, ok := a.(Lane)
		if !ok || l.Kind != KindQ {
			return bad()
		}
		bits, err := laneBits(field[0], name, index[0], l)
		return bits, fmt.Sprintf("v%d.%s[%d]", l.N, name, l.I), err
	}
	r, ok := a.(Reg)
	if !ok || r.Kind != KindQ {
		return bad()
	}
	bits = uint32(r.N) << fieldShift(field[0])
	if field == "b" { // the two sources are the same
		bits = uint32(r.N)<<5 | uint32(r.N)<<16
	}
	text = fmt.Sprintf("v%d.%s", r.N, arrangement)
	if brace {
		text = "{" + text + "}"
	}
	return bits, text, nil
}

func fieldShift(f byte) int { return map[byte]int{'d': 0, 'n': 5, 'm': 16}[f] }

// laneBits encodes an element: of m in the bits that products by element have, of n and d in those of moves.
func laneBits(field byte, name string, index byte, l Lane) (uint32, error) {
	count := 16 / elemBytes(name[len(name)-1])
	if name == "4b" {
		count = 4
	}
	if l.I < 0 || l.I >= count {
		return 0, fmt.Errorf("%s has no such element", l)
	}
	n, i := uint32(l.N), uint32(l.I)
	if field == 'm' {
		if name == "h" {
			if n > 15 {
				return 0, fmt.Errorf("%s: only the first 16 registers have elements of 16 bits", l)
			}
			return n<<16 | i>>2<<11 | i>>1&1<<21 | i&1<<20, nil
		}
		return n<<16 | i>>1<<11 | i&1<<21, nil
	}
	size := elemBytes(name[0])
	if index == 'j' { // the source of an element's move to an element
		return n<<5 | i*uint32(size)<<11, nil
	}
	return n<<fieldShift(field) | (i*2+1)*uint32(size)<<16, nil
}

// constant encodes a constant.
func constant(p string, c int) (bits uint32, text string, err error) {
	text = fmt.Sprintf("#%d", c)
	switch p[1] {
	case 'u':
		if c < 0 || c > 255 {
			return 0, "", fmt.Errorf("%d is no byte", c)
		}
		return uint32(c>>5)<<16 | uint32(c&31)<<5, fmt.Sprintf("#0x%x", c), nil
	case 'i':
		if c < 0 || c > 15 {
			return 0, "", fmt.Errorf("%d is no index", c)
		}
		return uint32(c) << 11, text, nil
	}
	size := 8 * elemBytes(p[2])
	if p[1] == 'l' && c >= 0 && c < size {
		return uint32(size+c) << 16, text, nil
	}
	if p[1] == 'r' && c > 0 && c <= size {
		return uint32(2*size-c) << 16, text, nil
	}
	return 0, "", fmt.Errorf("no shift by %d", c)
}
