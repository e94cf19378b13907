package cluster

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// How long a connection waits for a pod: through a restart, after which clients have given up anyway.
const (
	forwardPatience = time.Minute
	forwardRetry    = 500 * time.Millisecond
)

// Forward carries connections to a registry's pods. What fails is said once, and tried again.
type Forward struct {
	Dial func(ctx context.Context) (net.Conn, error) // to a pod that serves now
	Say  func(text string)                           // tells the user; not called by two at once
	// Patience is how long a connection waits for a pod; 0: a minute.
	Patience time.Duration

	mu   sync.Mutex
	last string // what was said last
}

// Serve carries the connections that l accepts until ctx ends, then closes them and l.
func (f *Forward) Serve(ctx context.Context, l net.Listener) error {
	stop := context.AfterFunc(ctx, func() { _ = l.Close() }) // Accept tells
	defer stop()
	var carried sync.WaitGroup
	defer carried.Wait()
	for {
		local, err := l.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				_ = local.Close() // too late
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		case err != nil: // too many open files, say: others may end
			f.say("cannot accept a connection: " + err.Error())
			pause(ctx, forwardRetry)
		default:
			carried.Go(func() { f.carry(ctx, local) })
		}
	}
}

// carry connects local to a pod, until either side ends.
func (f *Forward) carry(ctx context.Context, local net.Conn) {
	defer func() { _ = local.Close() }() // says nothing that the copies have not said
	remote, err := f.dial(ctx)
	if err != nil {
		if ctx.Err() == nil {
			f.say(err.Error())
		}
		return
	}
	defer func() { _ = remote.Close() }()
	f.say("forwarding to pod " + remote.RemoteAddr().String())
	stop := context.AfterFunc(ctx, func() { _, _ = local.Close(), remote.Close() }) // ends both copies
	defer stop()
	go func() {
		if _, err := io.Copy(remote, local); err != nil {
			_ = remote.Close() // ends the other copy
			return
		}
		if half, ok := remote.(interface{ CloseWrite() error }); ok {
			_ = half.CloseWrite() // if that fails, the other copy has noticed
		}
	}()
	if _, err := io.Copy(onlyWriter{local}, remote); err != nil && ctx.Err() == nil && !errors.As(err, new(*clientGone)) {
		f.say(err.Error())
	}
}

// dial waits for a pod.
func (f *Forward) dial(ctx context.Context) (net.Conn, error) {
	patience := f.Patience
	if patience == 0 {
		patience = forwardPatience
	}
	wait, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		conn, err := f.Dial(wait)
		if err == nil || errors.Is(err, ErrNotAllowed) || wait.Err() != nil {
			return conn, err
		}
		f.say(err.Error())
		pause(wait, forwardRetry)
	}
}

// say tells something unless it was the last thing told.
func (f *Forward) say(text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if text != f.last {
		f.last = text
		f.Say(text)
	}
}

// onlyWriter marks the errors of a client that is gone, of which there is nothing to tell.
type onlyWriter struct{ io.Writer }

// Write implements io.Writer.
func (w onlyWriter) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	if err != nil {
		err = &clientGone{err}
	}
	return n, err
}

type clientGone struct{ error }

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
