package facts

import "testing"

var numbers, words = NewKey[[]int](), NewKey[string]()

// What is set of a copy is not set of the cluster, and the other way round.
func TestCopiesStandByThemselves(t *testing.T) {
	var c Cluster
	numbers.Set(&c, Read[[]int]{State: OK, Value: []int{1}})
	words.Set(&c, Read[string]{State: OK, Value: "first"})
	d := c
	numbers.Edit(&d).State = Failed
	words.Set(&c, Read[string]{State: Forbidden})
	if numbers.Of(&c).State != OK || numbers.Of(&d).State != Failed || len(numbers.Of(&d).Value) != 1 {
		t.Errorf("numbers %+v and %+v", numbers.Of(&c), numbers.Of(&d))
	}
	if words.Of(&c).State != Forbidden || words.Of(&d).Value != "first" {
		t.Errorf("words %+v and %+v", words.Of(&c), words.Of(&d))
	}
}

func TestWhatWasNotRead(t *testing.T) {
	if r := numbers.Of(&Cluster{}); r.State != NotAsked || r.Known() {
		t.Errorf("%+v", r)
	}
}

// It is asked in loops over pods.
func TestOfAllocatesNothing(t *testing.T) {
	c := numbers.With(&Cluster{}, Read[[]int]{State: OK, Value: []int{1}})
	if n := testing.AllocsPerRun(100, func() { _ = numbers.Of(c).Value }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
