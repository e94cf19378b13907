package blob

import (
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"sync"

	"packhouse.dev/packhouse/registry"
)

// withheld is how much of the end of a file followers get only once it was accepted: enough that no client takes what it has for the
// whole, little enough that streaming is worth it.
const withheld = 1 << 10

// Spool is a file under way: one goroutine writes it in one pass with all digests, others may read along. The file has a name until
// the last user closes, so that a Store can adopt it; whoever owns the folder empties it at the start, after a crash.
//
// The writer calls Write or ReadFrom, then Finish, then Accept or Fail, then Close. Finish is enough for a file that nobody follows.
type Spool struct {
	max    int64
	hashes [4]hash.Hash

	mu       sync.Mutex
	file     *os.File
	users    int // the writer and followers; the last one closes the file
	closed   bool
	size     int64
	finished bool
	digests  registry.Digests
	decided  bool
	err      error // of Fail
	moved    chan struct{}
}

var errSpool = fmt.Errorf("%w: spool", registry.ErrUnavailable)

// NewSpool makes a spool in dir. A file of more than maxBytes is registry.ErrTooLarge.
func NewSpool(dir string, maxBytes int64) (*Spool, error) {
	f, err := os.CreateTemp(dir, "spool-*")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errSpool, err)
	}
	return &Spool{
		max: maxBytes, file: f, users: 1, moved: make(chan struct{}),
		hashes: [4]hash.Hash{md5.New(), sha1.New(), sha256.New(), sha512.New()},
	}, nil
}

// Write appends p. After an error the spool can only be failed and closed.
func (s *Spool) Write(p []byte) (int, error) {
	if s.finished || s.closed { // like size they are the writer's own
		return 0, fmt.Errorf("%w: written after its end", errSpool)
	}
	if s.max-s.size < int64(len(p)) {
		return 0, fmt.Errorf("%w: the file has more than %d bytes", registry.ErrTooLarge, s.max)
	}
	n, err := s.file.Write(p)
	for _, h := range s.hashes {
		h.Write(p[:n])
	}
	s.mu.Lock()
	s.size += int64(n)
	s.wake()
	s.mu.Unlock()
	if err != nil {
		return n, fmt.Errorf("%w: %w", errSpool, err)
	}
	return n, nil
}

// ReadFrom appends everything that r gives.
func (s *Spool) ReadFrom(r io.Reader) (int64, error) {
	return io.CopyBuffer(struct{ io.Writer }{s}, struct{ io.Reader }{r}, make([]byte, 128<<10))
}

// wake lets followers look again. s.mu is held.
func (s *Spool) wake() {
	close(s.moved)
	s.moved = make(chan struct{})
}

// Finish says that all bytes were written. Size and Digests are final then.
func (s *Spool) Finish() error {
	sum := func(i int) string { return hex.EncodeToString(s.hashes[i].Sum(nil)) }
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.finished || s.closed {
		return fmt.Errorf("%w: finished twice", errSpool)
	}
	s.finished = true
	s.digests = registry.Digests{MD5: sum(0), SHA1: sum(1), SHA256: sum(2), SHA512: sum(3)}
	return nil
}

// Accept lets followers have the end of the file.
func (s *Spool) Accept() { s.decide(nil) }

// Fail ends the reading of followers with err, at once.
func (s *Spool) Fail(err error) { s.decide(err) }

func (s *Spool) decide(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.decided {
		return
	}
	if err == nil && !s.finished {
		err = fmt.Errorf("%w: accepted before its end", errSpool)
	}
	s.decided, s.err = true, err
	s.wake()
}

// Size is the number of bytes written so far.
func (s *Spool) Size() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.size
}

// Digests are those of the whole file, after Finish.
func (s *Spool) Digests() registry.Digests {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.digests
}

// ReadAt implements io.ReaderAt over what was written. It is safe for concurrent use, until Close.
func (s *Spool) ReadAt(p []byte, off int64) (int, error) { return s.file.ReadAt(p, off) }

// Path is where the file lies, for an Adopter. It is valid after Finish and until Close.
func (s *Spool) Path() string { return s.file.Name() }

// Close ends the writer's part. A spool that nobody decided about fails.
func (s *Spool) Close() error {
	s.decide(fmt.Errorf("%w: given up", errSpool))
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.mu.Unlock()
	return s.leave()
}

func (s *Spool) leave() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users--
	if s.users > 0 {
		return nil
	}
	err := os.Remove(s.file.Name())
	if errors.Is(err, os.ErrNotExist) { // the folder was emptied
		err = nil
	}
	return errors.Join(err, s.file.Close())
}

// Follow reads the file from its beginning while it is written. The last bytes come only after Accept; after Fail reading ends with
// that error. ctx ends waiting. The caller closes the reader. os.ErrClosed if the spool is closed.
func (s *Spool) Follow(ctx context.Context) (io.ReadCloser, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users == 0 || s.closed {
		return nil, fmt.Errorf("follow: %w", os.ErrClosed)
	}
	s.users++
	return &follower{s: s, ctx: ctx}, nil
}

// follower is one reader. It is used by one goroutine.
type follower struct {
	s      *Spool
	ctx    context.Context //nolint:containedctx // a reader has no other way to end a wait
	off    int64
	closed bool
}

// Read implements io.Reader.
func (f *follower) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		ready, moved, err := f.look()
		if err != nil {
			return 0, err
		}
		if ready > 0 {
			n, err := f.s.file.ReadAt(p[:min(ready, int64(len(p)))], f.off)
			f.off += int64(n)
			if n > 0 {
				return n, nil
			}
			return 0, fmt.Errorf("%w: %w", errSpool, err)
		}
		select {
		case <-moved:
		case <-f.ctx.Done():
			return 0, f.ctx.Err()
		}
	}
}

// look says how many bytes may be read now, or what to wait for.
func (f *follower) look() (int64, <-chan struct{}, error) {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	switch {
	case f.closed:
		return 0, nil, os.ErrClosed
	case f.s.decided && f.s.err != nil:
		return 0, nil, f.s.err
	case f.s.decided && f.off == f.s.size:
		return 0, nil, io.EOF
	case f.s.decided:
		return f.s.size - f.off, nil, nil
	}
	return max(f.s.size-withheld-f.off, 0), f.s.moved, nil
}

// Close implements io.Closer.
func (f *follower) Close() error {
	f.s.mu.Lock()
	if f.closed {
		f.s.mu.Unlock()
		return nil
	}
	f.closed = true
	f.s.mu.Unlock()
	return f.s.leave()
}
