package bench

import (
	"context"
	"os"
	"testing"
	"time"
)

func TestQuick(t *testing.T) {
	var all []Result
	err := Driver(context.Background(), Options{Batches: []int{1, 32, 256}, Drivers: Ladder(), Slice: 10 * time.Millisecond, Rounds: 20}, func(r Result) { all = append(all, r) })
	Table(os.Stderr, all)
	for _, r := range all {
		t.Log(r)
	}
	if err != nil {
		t.Fatal(err)
	}
}
