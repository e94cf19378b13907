package server

import "packhouse.dev/packhouse/registry/format"

// count counts a request against the quotas of its token and of its account.
func (s *Server) count(x *exchange) error {
	rates := s.service.Limits().Rates
	if rates.Token == 0 && rates.Reads == 0 && rates.Writes == 0 {
		return nil
	}
	n := 1
	if w, ok := x.served.format.(format.Weigher); ok {
		n = w.Weigh(format.WithRest(x.request, x.route.rest))
	}
	if err := s.throttle.Token(x.start, rates, x.identity.TokenID, n); err != nil {
		return err
	}
	return s.throttle.Account(x.start, rates, x.identity.Principal.Account, x.writes(), n)
}

// countAddress counts a request without a token against the quota of where it comes from.
func (s *Server) countAddress(x *exchange) error {
	rates := s.service.Limits().Rates
	if rates.Address == 0 {
		return nil
	}
	source, _ := origin(x.request, s.service.TrustedProxies())
	return s.throttle.Address(x.start, rates, source, 1)
}
