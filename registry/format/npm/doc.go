// Package npm is the npm package format: the protocol of npm, pnpm, yarn and bun.
//
// The protocol is documented by its clients and by https://github.com/npm/registry/tree/main/docs; what is supported follows
// "npm command support" and "npm tag handling" of the CodeArtifact user guide. Addresses below a repository:
//
//	GET  <name>                                     packument: every version; full or abbreviated by Accept
//	GET  <name>/<version or tag>                    one version
//	GET  <name>/-/<base>-<version>.tgz              tarball (.sigstore: the provenance that was published with it)
//	PUT  <name>                                     publish (with a tarball) or deprecate (without)
//	GET, PUT, POST, DELETE -/package/<name>/dist-tags[/<tag>]
//	GET  -/ping, -/whoami, -/v1/search
//	POST -/npm/v1/security/advisories/bulk, -/npm/v1/security/audits[/quick]
//
// <name> is "lodash", "@types/node" or "@types%2fnode".
//
// # Differences
//
// From CodeArtifact: audit, search and whoami work. From the npm public registry: a version is made from the package.json in its
// tarball, never from what the request says beside it; a tarball that two clients would unpack differently is refused; tags of an
// upstream win over the repository's own, as the guide says; unpublish is refused, as the guide says; a tag that parses as a range
// is refused; search text is never told to an upstream; the old audit protocol (npm 6, yarn 1) is always answered "no advisories",
// because its request names the whole tree in a form that cannot be cut down to public names.
//
// # What is stored
//
// The asset of a version is "<base>-<version>.tgz" under the version as it is displayed. Version.Document is a manifest (see
// manifest.go), the same for published and proxied versions. Version.Flags is a JSON object of the members that may change:
// {"deprecated": "text"}, or empty.
package npm
