// Package auth finds out who is calling. A token is a JWT signed with HMAC-SHA-256 by the registry itself; it names one principal
// and one domain, lives 15 minutes to 12 hours, and says nothing about what its principal may do: policies decide that per request.
//
// A request is looked at in two steps. Verify reads the token's signature and expiry, from memory when it was seen before. Admit
// runs behind the barrier of the metadata feed and asks whether the token is for this very domain and has not been revoked, so that
// a revocation that was acknowledged before the request began is in force for it on every replica.
//
// Tokens stand in no error, log line or key of a map: what is remembered about one is found by its SHA-256.
package auth
