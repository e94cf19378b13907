package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// How long to wait for an editor to finish: until nothing happened for settle, but no longer than patience after the first sign. A
// change is to be served within a second.
const (
	settle   = 100 * time.Millisecond
	patience = 400 * time.Millisecond
)

// watch calls changed at first, and after something happened in the folders that hold paths, until ctx ends. Folders are watched rather than files:
// editors replace files, and Kubernetes swaps links.
func watch(ctx context.Context, paths []string, changed func(), failed func(error)) error {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch files: %w", err)
	}
	defer w.Close()
	if err := addFolders(w, paths); err != nil {
		return err
	}
	var first time.Time
	timer := time.NewTimer(settle) // what happened before somebody watched
	for {
		select {
		case <-ctx.Done():
			return nil
		case e, ok := <-w.Events:
			if !ok {
				return errors.New("watch files: no more events")
			}
			if e.Op == fsnotify.Chmod {
				continue
			}
			now := time.Now()
			if first.IsZero() {
				first = now
			}
			timer.Reset(min(settle, max(0, first.Add(patience).Sub(now))))
		case err, ok := <-w.Errors: // events were lost: look, whatever happened
			if !ok {
				return errors.New("watch files: no more events")
			}
			failed(fmt.Errorf("watch files: %w", err))
			timer.Reset(settle)
		case <-timer.C:
			first = time.Time{}
			if err := addFolders(w, paths); err != nil { // new ones, or ones that were made again
				failed(err)
			}
			changed()
		}
	}
}

// addFolders watches the folder of every file, and every folder that was named. Adding one twice is fine.
func addFolders(w *fsnotify.Watcher, paths []string) error {
	for _, p := range paths {
		if info, err := os.Stat(p); err != nil || !info.IsDir() {
			p = filepath.Dir(p)
		}
		if err := w.Add(p); err != nil {
			return fmt.Errorf("watch %s: %w", p, err)
		}
	}
	return nil
}
