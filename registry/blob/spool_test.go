package blob_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/blob"
)

func newSpool(t *testing.T, limit int64) *blob.Spool {
	t.Helper()
	s, err := blob.NewSpool(t.TempDir(), limit)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func follow(t *testing.T, s *blob.Spool) io.ReadCloser {
	t.Helper()
	r, err := s.Follow(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func TestSpoolFollowers(t *testing.T) {
	s := newSpool(t, 1<<20)
	want := bytes.Repeat([]byte("0123456789"), 40_000)
	var wg sync.WaitGroup
	for range 4 {
		r := follow(t, s)
		wg.Go(func() {
			if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, want) {
				t.Errorf("follower got %d bytes: %v", len(got), err)
			}
		})
	}
	for rest := want; len(rest) > 0; {
		n := min(len(rest), 33_333)
		if _, err := s.Write(rest[:n]); err != nil {
			t.Fatal(err)
		}
		rest = rest[n:]
	}
	if err := s.Finish(); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(want)
	if got := s.Digests().SHA256; got != hex.EncodeToString(sum[:]) || s.Size() != int64(len(want)) {
		t.Errorf("digest %s of %d bytes", got, s.Size())
	}
	s.Accept()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	wg.Wait()
	if _, err := s.Follow(t.Context()); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Follow after Close = %v", err)
	}
}

// Nobody has all bytes of a file that turns out to be wrong.
func TestSpoolWithholdsTheEnd(t *testing.T) {
	for _, size := range []int{1, 500, 100_000} {
		s := newSpool(t, 1<<20)
		r := follow(t, s)
		if _, err := s.Write(make([]byte, size)); err != nil {
			t.Fatal(err)
		}
		if err := s.Finish(); err != nil {
			t.Fatal(err)
		}
		got := make(chan int64)
		wrong := errors.New("wrong digest")
		go func() {
			n, err := io.Copy(io.Discard, r)
			if !errors.Is(err, wrong) {
				t.Errorf("%d bytes: follower ended with %v", size, err)
			}
			got <- n
		}()
		time.Sleep(10 * time.Millisecond)
		s.Fail(wrong)
		if n := <-got; n >= int64(size) {
			t.Errorf("follower has %d of %d bytes", n, size)
		}
	}
}

func TestSpoolLimit(t *testing.T) {
	s := newSpool(t, 10)
	if _, err := s.ReadFrom(strings.NewReader("0123456789")); err != nil {
		t.Fatalf("as much as is allowed: %v", err)
	}
	if _, err := s.Write([]byte("x")); !errors.Is(err, registry.ErrTooLarge) {
		t.Errorf("one byte more: %v", err)
	}
}

func TestSpoolGivenUp(t *testing.T) {
	s := newSpool(t, 10)
	r := follow(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(r); !errors.Is(err, registry.ErrUnavailable) {
		t.Errorf("follower of a spool that was given up: %v", err)
	}
}

func TestSpoolFollowerLeaves(t *testing.T) {
	s := newSpool(t, 10)
	ctx, cancel := context.WithCancel(t.Context())
	r, err := s.Follow(ctx)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := io.ReadAll(r); !errors.Is(err, context.Canceled) {
		t.Errorf("follower ended with %v", err)
	}
	if err := errors.Join(r.Close(), r.Close()); err != nil {
		t.Error(err)
	}
}

func TestNewObject(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		o := blob.NewObject("d1", strings.Repeat("ab", 32))
		if err := blob.CheckObject(o); err != nil || seen[o] {
			t.Fatalf("object %q: %v", o, err)
		}
		seen[o] = true
	}
}
