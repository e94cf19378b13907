package main

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// TestWatch: what editors and tools do to a file is noticed within a second.
func TestWatch(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "manifests.yaml")
	folder := filepath.Join(dir, "folder")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.WriteFile(file, []byte("a"), 0o600))
	must(os.Mkdir(folder, 0o700))
	ctx, cancel := context.WithCancel(t.Context())
	changed := make(chan struct{}, 100)
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := watch(ctx, []string{file, folder}, func() { changed <- struct{}{} }, func(err error) { t.Error(err) }); err != nil {
			t.Error(err)
		}
	})
	defer wg.Wait()
	defer cancel()
	<-changed // it watches
	steps := []struct {
		name string
		do   func()
	}{
		{"written", func() { must(os.WriteFile(file, []byte("b"), 0o600)) }},
		{"replaced by renaming", func() {
			must(os.WriteFile(file+".tmp", []byte("c"), 0o600))
			must(os.Rename(file+".tmp", file))
		}},
		{"moved away and written anew", func() {
			must(os.Rename(file, file+"~"))
			must(os.WriteFile(file, []byte("d"), 0o600))
		}},
		{"removed", func() { must(os.Remove(file)) }},
		{"made again", func() { must(os.WriteFile(file, []byte("e"), 0o600)) }},
		{"a file in a folder", func() { must(os.WriteFile(filepath.Join(folder, "x.yaml"), nil, 0o600)) }},
		{"written again and again", func() {
			for range 20 {
				must(os.WriteFile(file, []byte("f"), 0o600))
				time.Sleep(20 * time.Millisecond)
			}
		}},
	}
	for _, s := range steps {
		begin := time.Now()
		s.do()
		select {
		case <-changed:
			t.Logf("%s: after %v", s.name, time.Since(begin).Round(time.Millisecond))
		case <-time.After(5 * time.Second):
			t.Fatalf("%s: not noticed", s.name)
		}
		for quiet := false; !quiet; { // what the step caused besides
			select {
			case <-changed:
			case <-time.After(settle + 200*time.Millisecond):
				quiet = true
			}
		}
	}
}
