package server

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/config"
)

// The pace at which a client has to send. It may pause for uploadIdle, and over all it has to send uploadRate bytes a second after
// the first uploadIdle: who drips a byte a minute would hold a connection and a spool file for ever.
const (
	uploadIdle = time.Minute
	uploadRate = 1 << 10
)

// What may be read of a body after the answer was sent, so that a client which sends all before it listens can hear the answer.
const (
	drainBytes = 16 << 20
	drainTime  = 10 * time.Second
)

// envelope is how much larger than its file a request may be: manifests and forms.
const envelope = 64 << 20

// upload is the body of a request. It watches pace and size and turns what goes wrong into errors with a status.
type upload struct {
	body     io.ReadCloser
	control  *http.ResponseController
	limit    int64
	started  time.Time
	extended time.Time
	read     int64
	ended    bool
}

// newUpload begins with the clock running, so that also a body that nobody reads is waited for a bounded time by net/http.
func newUpload(w http.ResponseWriter, r *http.Request, limits config.Limits, now time.Time) *upload {
	u := &upload{
		body: r.Body, control: http.NewResponseController(w), started: now, extended: now,
		limit: limits.AssetBytes + envelope,
	}
	_ = u.control.SetReadDeadline(uploadDeadline(now, now, 0)) // not every connection has deadlines
	return u
}

// uploadDeadline is the time by which the next byte has to come.
func uploadDeadline(started, now time.Time, read int64) time.Time {
	earned := started.Add(uploadIdle + time.Duration(read/uploadRate)*time.Second)
	if idle := now.Add(uploadIdle); idle.Before(earned) {
		return idle
	}
	return earned
}

// Read implements io.Reader.
func (u *upload) Read(p []byte) (int, error) {
	if now := time.Now(); now.Sub(u.extended) > time.Second {
		u.extended = now
		_ = u.control.SetReadDeadline(uploadDeadline(u.started, now, u.read))
	}
	n, err := u.body.Read(p)
	u.read += int64(n)
	switch {
	case u.read > u.limit:
		return 0, u.tooLarge()
	case err == nil:
		return n, nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		u.ended = true
		return n, fmt.Errorf("%w: the request stopped after %d bytes", errTooSlow, u.read)
	case errors.Is(err, io.EOF):
		u.ended = true
		_ = u.control.SetReadDeadline(time.Time{}) // net/http now watches the connection, without a limit of time
	}
	return n, err
}

func (u *upload) tooLarge() error {
	return fmt.Errorf("%w: a request may have at most %d MB", registry.ErrTooLarge, u.limit/1e6)
}

// Close implements io.Closer.
func (u *upload) Close() error { return u.body.Close() }

// drain reads on after the answer, within bounds, so that the client hears it and does not die of a reset (protocols-maven §0.6).
// It is for connections that are closed afterwards.
func (u *upload) drain() {
	_ = u.control.SetReadDeadline(time.Now().Add(drainTime))
	_, _ = io.CopyN(io.Discard, u.body, drainBytes) // whatever happens, the connection ends
}
