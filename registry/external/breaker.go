package external

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"

	"packhouse.dev/packhouse/registry"
)

const (
	breakerFailures = 5                // in a row, until an origin is left alone
	breakerOpen     = 15 * time.Second // until one request tries again
	maxPause        = 5 * time.Minute  // of what an upstream may ask for by Retry-After
)

// breaker keeps requests away from an origin that does not answer, or that has asked to be left alone.
type breaker struct {
	circuit *gobreaker.TwoStepCircuitBreaker[struct{}]
	paused  atomic.Int64 // until, in nanoseconds since 1970
}

func newBreaker() *breaker {
	return &breaker{circuit: gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		MaxRequests: 1,
		Timeout:     breakerOpen,
		ReadyToTrip: func(n gobreaker.Counts) bool { return n.ConsecutiveFailures >= breakerFailures },
		IsExcluded:  func(err error) bool { return errors.Is(err, errNoVerdict) },
	})}
}

// allow asks for permission to send a request. done must be called with its outcome: nil if the origin works, errNoVerdict if
// nothing can be said, any other error if it does not.
func (b *breaker) allow() (done func(error), err error) {
	if b.pausedNow() {
		return nil, fmt.Errorf("%w: %w: it asked for a pause", registry.ErrUnavailable, errOpen)
	}
	done, err = b.circuit.Allow()
	if err != nil {
		return nil, fmt.Errorf("%w: %w: it failed repeatedly", registry.ErrUnavailable, errOpen)
	}
	return done, nil
}

// open says whether allow would refuse, without asking it.
func (b *breaker) open() bool {
	return b.pausedNow() || b.circuit.State() == gobreaker.StateOpen
}

func (b *breaker) pausedNow() bool { return time.Now().UnixNano() < b.paused.Load() }

func (b *breaker) pause(d time.Duration) {
	if d > 0 {
		b.paused.Store(time.Now().Add(min(d, maxPause)).UnixNano())
	}
}

// retryAfter reads the header of that name (RFC 9110, 10.2.3): seconds or a date. 0 if there is none to understand.
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := h.Get("Retry-After")
	if n, err := strconv.ParseUint(v, 10, 31); err == nil {
		return time.Duration(n) * time.Second
	}
	if t, err := http.ParseTime(v); err == nil {
		return max(0, t.Sub(now))
	}
	return 0
}

// verdict translates the error of an exchange into what it says about the origin. Our own limits end contexts with causes of their
// own; anything else that ended the caller's is the caller going away.
func verdict(caller context.Context, err error) error {
	cause := context.Cause(caller)
	switch {
	case err == nil, errors.Is(err, errMalformed), errors.Is(err, errTooBig):
		return nil // it answers; that one answer is of no use must not shut out all others
	case errors.Is(err, ErrRefused), errors.Is(cause, context.Canceled), errors.Is(cause, context.DeadlineExceeded):
		return errNoVerdict
	default:
		return err
	}
}
