package throttle

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/config"
)

func TestTake(t *testing.T) {
	t.Parallel()
	var l Limiter
	now := time.Unix(1700000000, 0)
	take := func(q Quota, rate int, who string, n int) error { return l.Take(now, q, rate, who, "Op", n) }
	for i := range 5 {
		if err := take(Tokens, 5, "a", 1); err != nil {
			t.Fatalf("request %d: %v", i, err)
		}
	}
	err := take(Tokens, 5, "a", 1)
	var e *Error
	if !errors.As(err, &e) || !errors.Is(err, registry.ErrThrottled) || e.Seconds() != 1 || e.Error() != "too many requests: requests with one token may be 5 per second; try again in 1 s" {
		t.Fatalf("the sixth: %v", err)
	}
	for name, err := range map[string]error{
		"another token":     take(Tokens, 5, "b", 1),
		"another quota":     take(Reads, 5, "a", 1),
		"no limit":          take(Tokens, 0, "a", 1),
		"more than a burst": take(Writes, 5, "a", 500),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := take(Writes, 5, "a", 1); err == nil {
		t.Error("what counts as a second's worth leaves nothing")
	}
	now = now.Add(200 * time.Millisecond)
	if err := take(Tokens, 5, "a", 1); err != nil {
		t.Errorf("a fifth of a second later: %v", err)
	}
	if err := take(Tokens, 5, "a", 1); err == nil {
		t.Error("and another one at once")
	}
	now = now.Add(time.Second)
	for range 3 {
		if err := take(Tokens, 3, "a", 1); err != nil {
			t.Errorf("with a lower rate: %v", err)
		}
	}
	if err := take(Tokens, 3, "a", 1); err == nil {
		t.Error("a lower rate does not hold")
	}
}

func TestAccount(t *testing.T) {
	t.Parallel()
	var l Limiter
	now := time.Unix(1700000000, 0)
	rates := config.RequestRates{Reads: 2, Writes: 1}
	for i, want := range []bool{true, true, false} {
		if err := l.Account(now, rates, "1", false, 1); (err == nil) != want {
			t.Errorf("read %d: %v", i, err)
		}
	}
	for i, want := range []bool{true, false} {
		if err := l.Account(now, rates, "1", true, 1); (err == nil) != want {
			t.Errorf("write %d: %v", i, err)
		}
	}
}

// TestBounded: clients that never come back are forgotten, and a flood of them takes no more than it may.
func TestBounded(t *testing.T) {
	t.Parallel()
	var l Limiter
	now := time.Unix(1700000000, 0)
	for i := range maxBuckets + 1000 {
		if err := l.Take(now, Addresses, 1, fmt.Sprint(i), "", 1); err != nil {
			t.Fatal(err)
		}
		if len(l.of) > maxBuckets {
			t.Fatal(len(l.of))
		}
	}
	now = now.Add(2 * time.Second)
	if err := l.Take(now, Addresses, 1, "one more", "", 1); err != nil || len(l.of) > 2 {
		t.Errorf("%d are remembered after a quiet time, %v", len(l.of), err)
	}
}

func TestConcurrent(t *testing.T) {
	t.Parallel()
	var l Limiter
	var passed atomic.Int64
	now := time.Unix(1700000000, 0)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				if l.Take(now, Tokens, 50, "a", "", 1) == nil {
					passed.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if n := passed.Load(); n != 50 {
		t.Errorf("%d passed, want 50", n)
	}
}
