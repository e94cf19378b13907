package server

import (
	"errors"
	"io"
	"net/http"
	"time"
)

// The pace at which a client has to take an answer. net/http gives writeTimeout to every request from its first byte; whoever is
// still sending later gets more in steps, so that a long download may take as long as it moves, and a client that stops reading
// holds its connection for no longer than this. With pieces of sendChunk the slowest client has about 9 KiB a second.
const (
	writeTimeout = 2 * time.Minute
	writeStep    = 15 * time.Second
	sendChunk    = 1 << 20
)

// response notes what is sent. It hides nothing of net/http's: ReadFrom passes files through to sendfile, and the rest is found by
// http.ResponseController.
type response struct {
	http.ResponseWriter
	status   int // 0: nothing was sent
	bytes    int64
	extended time.Time // when the client was last given time
}

// WriteHeader implements http.ResponseWriter.
func (w *response) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *response) Write(p []byte) (int, error) {
	w.begin()
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	return n, err
}

// ReadFrom implements io.ReaderFrom in pieces, with the pace of the client looked at between them.
func (w *response) ReadFrom(src io.Reader) (int64, error) {
	var total int64
	// net sends a file, or a file below one io.LimitedReader, without copying it; a second one around it would hide the file.
	limited, isLimited := src.(*io.LimitedReader)
	for {
		piece := &io.LimitedReader{R: src, N: sendChunk}
		if isLimited {
			piece = &io.LimitedReader{R: limited.R, N: min(sendChunk, limited.N)}
		}
		want := piece.N
		w.begin()
		n, err := w.readFrom(piece)
		total += n
		w.bytes += n
		if isLimited {
			limited.N -= n
		}
		if err != nil || n < want || isLimited && limited.N <= 0 {
			return total, err
		}
	}
}

func (w *response) readFrom(src io.Reader) (int64, error) {
	if rf, ok := w.ResponseWriter.(io.ReaderFrom); ok {
		return rf.ReadFrom(src)
	}
	return io.Copy(struct{ io.Writer }{w.ResponseWriter}, src)
}

// begin notes the implicit status and gives the client more time when the last was a while ago.
func (w *response) begin() {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	if now := time.Now(); now.Sub(w.extended) > writeStep {
		w.extended = now
		if err := http.NewResponseController(w.ResponseWriter).SetWriteDeadline(now.Add(writeTimeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return // the connection is gone; the write says so
		}
	}
}

// Unwrap is for http.ResponseController.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }
