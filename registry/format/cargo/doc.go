// Package cargo is the Cargo package format: the sparse index and the web API of alternate registries.
//
// The protocol is that of The Cargo Book: https://doc.rust-lang.org/cargo/reference/registry-index.html and registry-web-api.html. What
// is supported follows "Cargo command support" of the CodeArtifact user guide. Addresses below a repository:
//
//	GET    config.json                                   where crates and the web API are; says that a token is needed
//	GET    se/rd/serde_json (1/a, 2/ab, 3/a/abc)         index: one line of JSON for each version
//	GET    api/v1/crates/<crate>/<version>/download      crate file
//	PUT    api/v1/crates/new                             publish
//	DELETE api/v1/crates/<crate>/<version>/yank          yank; PUT …/unyank takes it back
//	GET    api/v1/crates?q=<words>&per_page=&page=       search
//	GET    me                                            how to get a token, for people
//
// # Differences
//
// From CodeArtifact: yank and search work. From crates.io: yanking also hides nothing but new choices, and is the status Unlisted of
// the service API; who owns a crate is said by policies, so that "cargo owner" is refused with a sentence that says so. As at
// crates.io, the index line of a published crate is made from the Cargo.toml in the crate, never from what the request says beside it.
//
// # Names
//
// Packages are named in lower case, as the index is; what clients read has the name as its owner wrote it. "-" and "_" are not the same,
// as in the index and in the guide, which has package groups for names that look alike; but a repository takes no second crate that
// differs from one that it has in nothing else, as crates.io does not.
//
// # What is stored
//
// The asset of a version is "<name>-<version>.crate", written as in the index, with build metadata. Its Info is the index line: an
// upstream's byte for byte, our own without the time of publication, which is added when it is served. Version.Document is a summary
// of Cargo.toml and the readme (see description); it is missing from proxied versions whose crate was never fetched. The status
// Unlisted is "yanked" in the index.
package cargo
