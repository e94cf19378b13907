// Package throttle counts requests against the request quotas of the registry (user guide, "Quotas in AWS CodeArtifact").
//
// Each replica counts for itself. A quota is a token bucket that holds the requests of one second, so that a client may use up a
// second's worth at once.
package throttle

import (
	"fmt"
	"math"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/config"
)

// Quota is one of the rates.
type Quota int

// The quotas, by whom they are counted for.
const (
	Reads     Quota = iota // by account
	Writes                 // by account
	Tokens                 // by token
	Addresses              // of requests without a token, by address
	Operation              // of the service API, by account and operation
)

// Error is a request too many. It unwraps to registry.ErrThrottled; its text is for the client.
type Error struct {
	What  string        // "read requests of account 111122223333"
	Rate  int           // per second
	After time.Duration // until there is room again
}

// Error says which quota is used up.
func (e *Error) Error() string {
	return fmt.Sprintf("too many requests: %s may be %d per second; try again in %d s", e.What, e.Rate, e.Seconds())
}

// Unwrap makes errors.Is(err, registry.ErrThrottled) true.
func (e *Error) Unwrap() error { return registry.ErrThrottled }

// Seconds is After for the header Retry-After: at least 1.
func (e *Error) Seconds() int { return max(1, int(math.Ceil(e.After.Seconds()))) }

// Limiter counts. The zero value is ready; it is safe for concurrent use.
type Limiter struct {
	mu    sync.Mutex
	of    map[key]*rate.Limiter
	swept time.Time
}

type key struct {
	quota Quota
	who   string
	what  string // operation
}

// maxBuckets bounds what is counted; each takes about 200 bytes. Clients choose addresses, so that there must be a bound.
const maxBuckets = 64 << 10

// Take counts n requests at a time against a rate; 0 is no limit, and costs nothing. More than a second's worth counts as that much.
// Errors are of type *Error.
func (l *Limiter) Take(now time.Time, q Quota, perSecond int, who, operation string, n int) error {
	if perSecond <= 0 {
		return nil
	}
	b := l.bucket(now, key{q, who, operation}, perSecond)
	r := b.ReserveN(now, min(max(n, 1), perSecond))
	wait := r.DelayFrom(now)
	if wait == 0 {
		return nil
	}
	r.CancelAt(now)
	return &Error{What: describe(q, who, operation), Rate: perSecond, After: wait}
}

func (l *Limiter) bucket(now time.Time, k key, perSecond int) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.of[k]
	if b == nil {
		if len(l.of) >= maxBuckets {
			l.sweep(now)
		}
		if l.of == nil {
			l.of = map[key]*rate.Limiter{}
		}
		b = rate.NewLimiter(rate.Limit(perSecond), perSecond)
		l.of[k] = b
	}
	if b.Burst() != perSecond { // the quota was changed
		b.SetLimitAt(now, rate.Limit(perSecond))
		b.SetBurstAt(now, perSecond)
	}
	return b
}

// sweep forgets who has made no request for a second, which is as if he had never made one. If nobody was so quiet, any are forgotten:
// they get a second's worth more than they should, and memory stays bounded.
func (l *Limiter) sweep(now time.Time) {
	if now.Sub(l.swept) >= time.Second {
		l.swept = now
		for k, b := range l.of {
			if b.TokensAt(now) >= float64(b.Burst()) {
				delete(l.of, k)
			}
		}
	}
	for k := range l.of {
		if len(l.of) < maxBuckets {
			return
		}
		delete(l.of, k)
	}
}

func describe(q Quota, who, operation string) string {
	switch q {
	case Reads:
		return "read requests of account " + who
	case Writes:
		return "write requests of account " + who
	case Tokens:
		return "requests with one token"
	case Addresses:
		return "requests without a token from one address"
	default:
		return "requests for " + operation
	}
}

// Token counts n requests with a token.
func (l *Limiter) Token(now time.Time, rates config.RequestRates, id string, n int) error {
	return l.Take(now, Tokens, rates.Token, id, "", n)
}

// Address counts n requests without a token. Addresses of version 6 count by their network of 64 bits, which one client has whole.
func (l *Limiter) Address(now time.Time, rates config.RequestRates, from netip.Addr, n int) error {
	if rates.Address <= 0 {
		return nil
	}
	who := from.String()
	if from.Is6() {
		if p, err := from.Prefix(64); err == nil {
			who = p.String()
		}
	}
	return l.Take(now, Addresses, rates.Address, who, "", n)
}

// Operation counts a request for an operation of the service API.
func (l *Limiter) Operation(now time.Time, rates config.RequestRates, account, name string) error {
	return l.Take(now, Operation, rates.Operations[name], account, name, 1)
}

// Account counts a request of an account: one that reads, or one that changes something.
func (l *Limiter) Account(now time.Time, rates config.RequestRates, account string, write bool, n int) error {
	if write {
		return l.Take(now, Writes, rates.Writes, account, "", n)
	}
	return l.Take(now, Reads, rates.Reads, account, "", n)
}
