package fleet

import "testing"

func TestSlotsFor(t *testing.T) {
	for files, want := range map[uint64]int{0: atOnce, 8: 1, 16: 1, 20: 2, 64: 24, 144: 64, 1024: atOnce, 1 << 63: atOnce} {
		if got := slotsFor(files); got != want {
			t.Errorf("%d files: %d clusters at once, want %d", files, got, want)
		}
	}
}
