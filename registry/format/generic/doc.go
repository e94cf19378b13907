// Package generic is the format of packages that are just files: a namespace, a name, a version and assets. CodeArtifact has only its
// API for them (user guide, "Using CodeArtifact with generic packages"); here curl and wget do, too:
//
//	PUT    {namespace}/{package}/{version}/{asset}              upload; the version is Published with it
//	PUT    {namespace}/{package}/{version}/{asset}?unfinished   upload; more will come
//	POST   {namespace}/{package}/{version}?publish              what was uploaded is all
//	GET    {namespace}/{package}/{version}/{asset}              download, also with Range
//	GET    {namespace}/{package}/{version}/                     its assets, as JSON
//	GET    {namespace}/{package}/                               its versions, as JSON
//	GET    /                                                    packages, as JSON; ?namespace= and ?prefix= select
//	DELETE {namespace}/{package}/{version}                      delete a version
//
// An upload may say what its bytes are (X-Checksum-Sha256, X-Amz-Content-Sha256, or Content-Digest of RFC 9530), and that it must be
// the first (If-None-Match: *).
package generic
