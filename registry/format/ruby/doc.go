// Package ruby is the RubyGems format: what gem and bundler talk to.
//
// All three ways in which clients find gems are served: the compact index (/versions, /info, /names), the dependencies API, and the
// specs indexes with quick gemspecs, which are written in Ruby's Marshal format (marshal.go). A version is a number and a platform, as
// in file names: "1.13.0" and "1.13.0-x86_64-linux" are two versions with a gem each. What counts is the gemspec in the gem, never the
// name of a file or of a request.
//
// The asset's Info is the line of /info, that of an upstream as it was; the document is what else the gemspec says, as JSON.
//
// Upstreams are read by their compact index; one without it, such as a static tree that "gem generate_index" made, by its specs
// indexes and quick gemspecs.
//
// Sources: guides.rubygems.org/rubygems-org-compact-index-api, the clients' own code, and Ruby's doc/marshal.rdoc.
package ruby
