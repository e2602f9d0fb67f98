//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package filemap

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

func identify(f *os.File) Identity {
	var s unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &s); err != nil {
		return Identity{}
	}
	modified, changed := unix.TimespecToNsec(s.Mtim), unix.TimespecToNsec(s.Ctim)
	return Identity{ID: fmt.Sprintf("%d %d %d %d %d", s.Dev, s.Ino, s.Size, modified, changed), Changed: time.Unix(0, max(modified, changed))}
}
