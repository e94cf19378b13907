// Package blobtest is the contract of blob.Store as a test.
package blobtest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"packhouse.dev/packhouse/registry/blob"
)

// Run runs the suite. open returns an empty store.
func Run(t *testing.T, open func(t *testing.T) blob.Store) {
	t.Helper()
	tests := map[string]func(*testing.T, blob.Store){
		"round trip": roundTrip, "failed puts leave nothing": failedPuts, "never replaced": neverReplaced, "names": badNames,
		"walk": walk, "concurrent puts of one name": concurrentPuts,
	}
	for name, fn := range tests {
		t.Run(name, func(t *testing.T) { fn(t, open(t)) })
	}
}

const sum = "aa00000000000000000000000000000000000000000000000000000000000000"

func put(t *testing.T, s blob.Store, content string) string {
	t.Helper()
	object := blob.NewObject("d1", sum)
	if err := s.Put(t.Context(), object, int64(len(content)), strings.NewReader(content)); err != nil {
		t.Fatal(err)
	}
	return object
}

func get(t *testing.T, s blob.Store, object string, offset int64) string {
	t.Helper()
	r, err := s.Open(t.Context(), object, offset)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func roundTrip(t *testing.T, s blob.Store) {
	big := strings.Repeat("0123456789abcdef", 1<<16)
	for _, content := range []string{"", "x", "hello", big} {
		object := put(t, s, content)
		if got := get(t, s, object, 0); got != content {
			t.Errorf("%d bytes came back as %d", len(content), len(got))
		}
		if off := int64(len(content) / 2); get(t, s, object, off) != content[off:] {
			t.Errorf("read from offset %d of %d differs", off, len(content))
		}
		info, err := s.Stat(t.Context(), object)
		if err != nil || info.Size != int64(len(content)) || info.Object != object || info.Created.IsZero() {
			t.Errorf("Stat = %+v, %v", info, err)
		}
		for range 2 {
			if err := s.Delete(t.Context(), object); err != nil {
				t.Errorf("Delete: %v", err)
			}
		}
		absent(t, s, object)
	}
}

func absent(t *testing.T, s blob.Store, object string) {
	t.Helper()
	if _, err := s.Stat(t.Context(), object); !errors.Is(err, blob.ErrNotExist) {
		t.Errorf("Stat of %s = %v, want ErrNotExist", object, err)
	}
	if _, err := s.Open(t.Context(), object, 0); !errors.Is(err, blob.ErrNotExist) {
		t.Errorf("Open of %s = %v, want ErrNotExist", object, err)
	}
}

func failedPuts(t *testing.T, s blob.Store) {
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		size int64
		r    io.Reader
	}{
		"too short": {6, strings.NewReader("hello")},
		"too long":  {4, strings.NewReader("hello")},
		"broken":    {5, io.MultiReader(strings.NewReader("he"), iotest.ErrReader(broken))},
	} {
		object := blob.NewObject("d1", sum)
		if err := s.Put(t.Context(), object, c.size, c.r); err == nil {
			t.Errorf("%s: no error", name)
		}
		absent(t, s, object)
	}
	if err := s.Walk(t.Context(), func(i blob.Info) error { return fmt.Errorf("left over: %s", i.Object) }); err != nil {
		t.Error(err)
	}
}

func neverReplaced(t *testing.T, s blob.Store) {
	object := put(t, s, "first")
	if err := s.Put(t.Context(), object, 6, strings.NewReader("second")); !errors.Is(err, blob.ErrExist) {
		t.Errorf("second Put = %v, want ErrExist", err)
	}
	if got := get(t, s, object, 0); got != "first" {
		t.Errorf("object is %q now", got)
	}
}

func badNames(t *testing.T, s blob.Store) {
	for _, name := range []string{"", "a", "../a/b", "a/../b", "/a/b", "a//b", "a/b/", "a/.hidden", "a/B", `a\b/c`, "a/b\x00c", "a/b/c/d/e", "a/" + strings.Repeat("x", 300)} {
		if err := s.Put(t.Context(), name, 1, strings.NewReader("x")); err == nil {
			t.Errorf("Put of %q succeeded", name)
		}
		if _, err := s.Open(t.Context(), name, 0); err == nil {
			t.Errorf("Open of %q succeeded", name)
		}
		if err := s.Delete(t.Context(), name); err == nil {
			t.Errorf("Delete of %q succeeded", name)
		}
	}
}

func walk(t *testing.T, s blob.Store) {
	want := map[string]int64{}
	for i := range 20 {
		want[put(t, s, strings.Repeat("x", i))] = int64(i)
	}
	got := 0
	if err := s.Walk(t.Context(), func(i blob.Info) error {
		got++
		if size, ok := want[i.Object]; !ok || size != i.Size {
			t.Errorf("Walk gave %+v", i)
		}
		return nil
	}); err != nil || got != len(want) {
		t.Errorf("Walk gave %d of %d: %v", got, len(want), err)
	}
	stop := errors.New("stop")
	if err := s.Walk(t.Context(), func(blob.Info) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("Walk = %v, want the error of its function", err)
	}
}

func concurrentPuts(t *testing.T, s blob.Store) {
	object := blob.NewObject("d1", sum)
	var won atomic.Int32
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			content := bytes.Repeat([]byte{byte('a' + i)}, 1<<16)
			err := s.Put(t.Context(), object, int64(len(content)), bytes.NewReader(content))
			switch {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, blob.ErrExist):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	got := get(t, s, object, 0)
	if won.Load() != 1 || len(got) != 1<<16 || strings.Count(got, got[:1]) != len(got) {
		t.Errorf("%d puts won; %d bytes", won.Load(), len(got))
	}
}
