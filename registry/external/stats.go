package external

import "sync/atomic"

// Stats is what a client did since it was made.
type Stats struct {
	Requests  uint64 // sent, redirects and retries included
	Retries   uint64
	Failures  uint64 // requests without an answer, or with 429 or 5xx
	Refused   uint64 // addresses that we would not ask
	Hits      uint64 // documents answered from the cache without asking
	Confirmed uint64 // documents that an upstream said are unchanged
	Stale     uint64 // documents answered with an old copy, because the upstream could not be asked

	Endpoints    int // connection pools in use
	OpenBreakers int // origins that are left alone at the moment
}

type counters struct {
	requests, retries, failures, refused, hits, confirmed, stale atomic.Uint64
}

// Stats returns the counters, for metrics.
func (c *Client) Stats() Stats {
	n := &c.counters
	s := Stats{
		Requests: n.requests.Load(), Retries: n.retries.Load(), Failures: n.failures.Load(), Refused: n.refused.Load(),
		Hits: n.hits.Load(), Confirmed: n.confirmed.Load(), Stale: n.stale.Load(),
	}
	s.Endpoints, s.OpenBreakers = c.endpoints.open()
	return s
}
