package backend

const (
	nearRows    = 128                  // rows of a block, about
	maxRows     = nearRows + 2*maxTile // at most, as blocks are whole tiles
	groupCols   = 512                  // columns of a group at most, so that a block of C stays in cache
	taskCycles  = 30_000               // a task shorter than this is not worth handing out
	callCycles  = 60_000               // of a call of a kernel, at the rates of layouts: other things take time too
	callBytes   = 512 << 10            // that a call brings from memory, at a few GB/s when all processors do
	bytesPerCyc = 16                   // of packed B, from the cache level below
)

// plan cuts a product into blocks of rows by groups of panels; task i is group i%groups of block i/groups.
type plan struct {
	m, n, k        int
	panels         int
	blocks, groups int
}

// plan is the plan of a product whose packed B has elements of size bytes.
func (l *layout) plan(m, n, k, size, threads int) plan {
	p := plan{m: m, n: n, k: k, panels: l.panels(n)}
	if m == 0 || n == 0 {
		return p
	}
	p.blocks = ceil(m, nearRows)
	p.groups = min(p.panels, ceil(n, groupCols))
	if threads > 1 && k*size <= 4*m && m > nearRows/2 {
		// Reading B once more for each goroutine costs less than moving A and C between the caches of processors: the
		// operators before and after this one divide their rows alike.
		p.blocks = max(p.blocks, min(threads, ceil(m, l.mr)))
	}
	if threads > 1 {
		cycles := max(m*n*k/l.rate, n*k*size/bytesPerCyc)
		want := min(4*threads, cycles/taskCycles)
		if p.blocks*p.groups < want {
			p.groups = min(p.panels, ceil(want, p.blocks))
		}
		if p.blocks*p.groups < want {
			p.blocks = min(ceil(m, l.mr), ceil(want, p.groups))
		}
	}
	return p
}

func (p *plan) tasks() int { return p.blocks * p.groups }

// rows are the rows of block i, as even as tiles of mr rows allow.
func (p *plan) rows(i, mr int) (lo, hi int) {
	tiles := ceil(p.m, mr)
	return min(p.m, i*tiles/p.blocks*mr), min(p.m, (i+1)*tiles/p.blocks*mr)
}

// group are the panels of group i.
func (p *plan) group(i int) (lo, hi int) {
	return i * p.panels / p.groups, (i + 1) * p.panels / p.groups
}

// part is what one call of a kernel computes: tiles below each other from a row on, by panels beside each other from
// a column on.
type part struct {
	tile        uint8
	row, tiles  int
	height      int // rows of a tile
	col, panels int
	nv, cols    int // vectors of each panel, columns of the result
}

// sweep calls run for the parts of rows row0 to row1 by panels p0 to p1: equally tall tiles as far as possible, few
// enough per call that it stays short.
func (l *layout) sweep(p *plan, row0, row1, p0, p1 int, run func(c part)) {
	for p0 < p1 {
		var c part
		c.col, c.nv = l.panel(p0, p.n)
		n := min(p1, l.sameWidth(p0, p.n)) - p0
		last := p.panels - 1
		ragged := l.ragged != 0 && p.n-last*l.nv*l.vec <= l.vec
		if ragged && p0 < last {
			n, ragged = min(n, last-p0), false
		}
		most := callCycles * l.rate / (c.nv * l.vec * max(p.k, 1)) // rows by panels
		c.panels = min(n, max(most/(row1-row0), 1), max(callBytes/(l.size*c.nv*l.vec*max(p.k, 1)), 1))
		c.cols = min(c.panels*c.nv*l.vec, p.n-c.col)
		p0 += c.panels
		unit := 1
		if l.pairs {
			unit = 2
		}
		tiles, units := ceil(row1-row0, l.mr), ceil(row1-row0, unit)
		short, tall := units/tiles, units%tiles
		if tiles == 2 && tall == 0 && short == l.weak {
			tall = 1 // one row more, and then one less
		}
		for c.row = row0; c.row < row1; {
			h := short * unit
			c.tiles = (row1 - c.row) / h
			if tall > 0 {
				h, c.tiles = h+unit, tall
			}
			if c.tiles == 0 { // of pairs, the last without a second row
				h, c.tiles = row1-c.row, 1
			}
			c.height, c.tiles = h, min(c.tiles, max(most/(h*c.panels), 1))
			tall -= min(tall, c.tiles)
			c.tile = l.tiles[h][c.nv]
			if ragged && h <= l.mr/2 {
				c.tile = l.ragged
			}
			run(c)
			c.row += h * c.tiles
		}
	}
}
