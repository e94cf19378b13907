// Package pypi is the Python package format: the protocol of pip, twine, uv, poetry and flit.
//
// Addresses below a repository:
//
//	GET  simple/                                    projects that the repository and its upstream repositories hold
//	GET  simple/<project>/                          files of a project, as HTML or JSON by Accept
//	GET  simple/<project>/<version>/<file>          a file; ranges are answered
//	GET  simple/<project>/<version>/<file>.metadata its core metadata
//	POST (the repository's own address, or legacy/) the upload form
//
// Specifications: https://packaging.python.org/en/latest/specifications/simple-repository-api/ (PEP 503, 592, 629, 658, 691, 700,
// 714), .../version-specifiers/ (PEP 440), .../core-metadata/, .../binary-distribution-format/, .../source-distribution-format/, and
// for uploads https://docs.pypi.org/api/upload/.
//
// # Differences
//
// From CodeArtifact: there is a list of projects, JSON, and core metadata beside wheels. From pypi.org: names, versions and
// Requires-Python are read from the uploaded file, never from the form beside it; local versions (1.0+g123) may be published; an
// archive that two tools would unpack differently is refused. Attestations and signatures of uploads are not kept. XML-RPC (pip
// search) and the JSON API of pypi.org are not there, as the guide says. A project that its upstream put into quarantine has no files.
//
// # What is stored
//
// The key of a version is its canonical form without trailing zeros ("1.0.0" is "1"), so that all spellings are one version; versions
// of old uploads that are none by PEP 440 are kept as they are. The assets of a version are its files; "<file>.metadata" is a hidden
// one. Asset.Info is a JSON object (see fileInfo), Version.Document the core metadata with a bounded description, and Version.Flags
// names the yanked files (see flags).
package pypi
