package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"
)

// Limits of connections. There is no limit for a whole request: uploads and downloads may take as long as they move (upload.go,
// response.go).
const (
	readHeaderTimeout = 20 * time.Second
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 64 << 10
)

// DrainTime is how long Run lets requests under way finish.
const DrainTime = 25 * time.Second

// HTTP returns an http.Server with the limits that hold for every port. What net/http has to say about clients goes to the debug
// log: anybody can make it talk.
func HTTP(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: readHeaderTimeout, IdleTimeout: idleTimeout, WriteTimeout: writeTimeout,
		MaxHeaderBytes: maxHeaderBytes, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// Run serves on the listeners until ctx ends or one of them fails. Then it accepts nothing new, lets requests under way finish within
// drain, breaks the rest, and returns. The end of ctx is no error.
func Run(ctx context.Context, s *http.Server, drain time.Duration, listeners ...net.Listener) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, l := range listeners {
		g.Go(func() error {
			if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		})
	}
	g.Go(func() error {
		<-ctx.Done()
		limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
		defer cancel()
		if err := s.Shutdown(limit); err != nil {
			return errors.Join(s.Close(), ignore(err, context.DeadlineExceeded))
		}
		return nil
	})
	return g.Wait()
}

func ignore(err, expected error) error {
	if errors.Is(err, expected) {
		return nil
	}
	return err
}
