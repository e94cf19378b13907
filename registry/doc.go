// Package registry holds the nouns of the data plane and the sentinels of its errors. It imports the standard library only, so
// that everything else can speak of the same things.
//
// The map of the data plane:
//
//	config      documents: what is declared, compiled by the operator or by "packhouse dev"
//	policy      who may do what: pure evaluation
//	auth        who is calling: tokens
//	blob        bytes of assets; drivers blob/fs, …
//	metadata    rows: what is remembered; driver metadata/sql
//	format      the contract of package formats; one folder per format
//	upstream    in which order repositories and connections are asked: pure
//	external    HTTP client for external connections
//	repository  Service and View: the one door to package data
//	server      HTTP: routing, errors, graceful stop
//	gc          collects bytes that no row refers to
//
// The life of a read: server cuts the escaped path into domain, format, repository and rest, asks auth who is calling and opens a
// repository.View. The format parses the rest into a normalised identity and asks the View for a document or an asset. The View
// passes the barrier of the metadata feed, authorises, and answers from its cache of rendered documents; on a miss it reads the
// rows of all repositories in the plan and the cached documents of external connections, merges them into one PackageView, and
// lets the format render it.
//
// The life of a publish: the format stages the body (one pass, all digests), reads the identity from the staged bytes, and calls
// Publish. The View authorises that identity, checks origin controls and whether an upstream has the version, stores the blob,
// and writes all rows in one transaction. Blob before row: a crash leaves at most bytes that nobody refers to.
package registry
