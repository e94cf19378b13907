// Package swift is the Swift package format: the package registry of SwiftPM.
//
// The protocol is https://github.com/swiftlang/swift-package-manager/blob/main/Documentation/PackageRegistry/Registry.md (below: the
// specification); what the client makes of answers is in Sources/PackageRegistry/RegistryClient.swift there (below: the client).
// Addresses below a repository:
//
//	GET  <scope>/<name>                                      releases (also .json)
//	GET  <scope>/<name>/<version>                            one release (also .json)
//	GET  <scope>/<name>/<version>/Package.swift[?swift-version=]  manifest
//	GET  <scope>/<name>/<version>.zip                        source archive
//	PUT  <scope>/<name>/<version>                            publish
//	GET  identifiers?url=                                    packages of a source repository
//	POST login, or the repository's own address              whether the token is good
//	GET  availability                                        whether the registry is there
//
// # Names
//
// Scopes and names are identified in lower case, as the guide says ("Swift package name and namespace normalization"); documents show
// them as they were first published. Versions are semantic versions and are kept as they are, build metadata included.
//
// # Differences
//
// Publishing is synchronous. An existing release is a 409 also for the same bytes, as the specification wants. Nothing is made from
// source repositories.
//
// # What is stored
//
// The asset of a version is "<name>-<version>.zip" in lower case; its Info is a release, the part of the release's document that is
// neither in the archive nor in the rows. Version.Document is what is read from the archive, manifests above all (see contents), so that
// manifest and archive cannot disagree. Of a proxied release, whose archive nobody asked for yet, release and manifests are relayed: to
// resolve dependencies is no download.
package swift
