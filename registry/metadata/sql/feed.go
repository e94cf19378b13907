package sql

import (
	"sync"

	"packhouse.dev/packhouse/registry/metadata"
)

// feed gives changes to followers, one call at a time.
type feed struct {
	mu        sync.Mutex
	followers []func(metadata.DomainID, []metadata.Change)
}

// Follow implements metadata.Feed.
func (s *Store) Follow(fn func(d metadata.DomainID, changes []metadata.Change)) {
	s.feed.mu.Lock()
	defer s.feed.mu.Unlock()
	s.feed.followers = append(s.feed.followers, fn)
}

func (f *feed) tell(d metadata.DomainID, changes []metadata.Change) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, fn := range f.followers {
		fn(d, changes)
	}
}
