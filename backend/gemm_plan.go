package backend

const (
	nearRows    = 128            // rows of a block, about
	maxRows     = nearRows + 2*8 // at most, as blocks are whole tiles
	groupCols   = 512            // columns of a group at most, so that a block of C stays in cache
	taskCycles  = 30_000         // a task shorter than this is not worth handing out
	callCycles  = 150_000
	bytesPerCyc = 16 // of packed B, from the cache level below
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

// sweep calls run for tiles of rows lo to hi by a panel of nv vectors: equally tall tiles as far as possible, few
// enough per call that it stays short. run gets the first row, the tile's kernel and the number of tiles.
func (l *layout) sweep(lo, hi, nv, k int, run func(row int, tile uint8, tiles int)) {
	n := ceil(hi-lo, l.mr)
	if n == 0 {
		return
	}
	short := (hi - lo) / n
	tall := (hi - lo) % n
	for row := lo; row < hi; {
		h, tiles := short, (hi-row)/short
		if tall > 0 {
			h, tiles = short+1, tall
		}
		most := callCycles * l.rate / (h * nv * l.vec * max(k, 1))
		tiles = min(tiles, max(most, 1))
		tall -= min(tall, tiles)
		run(row, l.tiles[h][nv], tiles)
		row += h * tiles
	}
}
