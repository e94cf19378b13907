// Package server speaks HTTP: it cuts an address into domain, format, repository and rest, finds out who is calling, opens the
// repository and lets the format answer. Errors come back here and are mapped to statuses in one table.
//
// A request for a package goes
//
//	locate    the base address from the closed list of endpoints, the names from the escaped path      404, 400
//	who       the token of the request, its signature and expiry                                       401
//	enter     the barrier of the metadata feed and the snapshot of the request; is the token for
//	          this very domain, and has it been revoked?                                               401, 503
//	open      the repository, if the principal may do anything with it                                 403, 404
//	serve     the format
//
// and nothing of a package is touched before the last step. A warm read makes no log line, no request id and no metric label on its
// way, and what is between net/http and the format passes io.ReaderFrom through, so that files go out by sendfile.
package server
