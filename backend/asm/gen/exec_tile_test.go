package main

import "encoding/binary"

// tiles are the tile registers and their configuration.
type tiles struct {
	on    bool
	rows  [8]int
	bytes [8]int // of a row
	data  [8][16][64]byte
}

func (t *tiles) need(n int) *[16][64]byte {
	if !t.on || t.rows[n] == 0 || t.bytes[n] == 0 {
		failf("TMM%d is not configured", n)
	}
	return &t.data[n]
}

// eachRow runs f on the rows of a tile in memory: base + index times row.
func (m *machine) eachRow(x Mem, n int, write bool, f func(row *[64]byte, mem []byte)) {
	t := m.tiles.need(n)
	if x.Index.Kind == KindNone || x.Scale != 1 {
		failf("a tile needs an unscaled stride")
	}
	at := m.gp[x.Base.N] + uint64(int64(x.Disp))
	for r := range m.tiles.rows[n] {
		f(&t[r], m.at(at, m.tiles.bytes[n], write))
		at += m.gp[x.Index.N]
	}
}

func configureTiles(m *machine, in *Instr) {
	c := m.at(m.addr(in.Args[0].(Mem)), 64, false)
	if c[0] != 1 || c[1] != 0 {
		failf("palette %d, start row %d", c[0], c[1])
	}
	m.tiles = tiles{on: true}
	for i := range 8 {
		m.tiles.bytes[i] = int(binary.LittleEndian.Uint16(c[16+2*i:]))
		m.tiles.rows[i] = int(c[48+i])
		if m.tiles.bytes[i] > 64 || m.tiles.rows[i] > 16 {
			failf("TMM%d of %d rows of %d bytes", i, m.tiles.rows[i], m.tiles.bytes[i])
		}
	}
}

func dotTiles(m *machine, in *Instr) {
	nb, na, nc := in.Args[0].(Reg).N, in.Args[1].(Reg).N, in.Args[2].(Reg).N
	b, a, c := m.tiles.need(nb), m.tiles.need(na), m.tiles.need(nc)
	s := &m.tiles
	if nb == na || na == nc || nb == nc || s.rows[na] != s.rows[nc] || s.bytes[nb] != s.bytes[nc] || s.bytes[na] != 4*s.rows[nb] {
		failf("tiles do not fit")
	}
	for r := range s.rows[nc] {
		for k := range s.rows[nb] {
			for i := range s.bytes[nc] / 4 {
				putU32(c[r][:], i, u32(c[r][:], i)+dotUS(u32(a[r][:], k), u32(b[k][:], i)))
			}
		}
	}
}

func execTile() map[string]step {
	return map[string]step{
		"LDTILECFG":   configureTiles,
		"TILERELEASE": func(m *machine, in *Instr) { m.tiles = tiles{} },
		"TILEZERO":    func(m *machine, in *Instr) { *m.tiles.need(in.Args[0].(Reg).N) = [16][64]byte{} },
		"TILELOADD": func(m *machine, in *Instr) {
			m.eachRow(in.Args[0].(Mem), in.Args[1].(Reg).N, false, func(row *[64]byte, mem []byte) {
				*row = [64]byte{}
				copy(row[:], mem)
			})
		},
		"TILESTORED": func(m *machine, in *Instr) {
			m.eachRow(in.Args[1].(Mem), in.Args[0].(Reg).N, true, func(row *[64]byte, mem []byte) { copy(mem, row[:]) })
		},
		"TDPBUSD": dotTiles,
	}
}
