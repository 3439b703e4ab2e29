package recording

import (
	"bytes"
	"testing"
)

// TestCasts: the recordings of real programs have a begin, an end and what
// lies between.
func TestCasts(t *testing.T) {
	for _, sc := range scripts() {
		h, evs := events(t, bytes.NewReader(cast(t, sc.name)))
		if h.Cols != int(sc.cols) || h.Rows != int(sc.rows) || h.Hoop == nil || h.Hoop.Connection != "web-1" {
			t.Errorf("%s begins with %+v", sc.name, h)
		}
		counts := map[byte]int{}
		for _, ev := range evs {
			counts[ev.Code]++
		}
		resizes := 0
		for _, a := range sc.acts {
			if a.cols > 0 {
				resizes++
			}
		}
		if counts[CodeOutput] < 5 || counts[CodeResize] != resizes || counts[CodeExit] != 1 {
			t.Errorf("%s holds %v", sc.name, counts)
		}
		if n, err := evs[len(evs)-1].Note(); err != nil || n.End == nil || n.End.Lost {
			t.Errorf("%s ends with %+v, %v", sc.name, n, err)
		}
	}
}
