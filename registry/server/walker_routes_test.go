package server_test

import (
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format/cargo/cargotest"
	"packhouse.dev/packhouse/registry/format/nuget/nugettest"
	"packhouse.dev/packhouse/registry/format/pypi/pypitest"
	"packhouse.dev/packhouse/registry/format/ruby/rubytest"
	"packhouse.dev/packhouse/registry/format/swift/swifttest"
	"packhouse.dev/packhouse/registry/internal/clienttest"
)

// The actions of package endpoints, and why some addresses need none.
const (
	read     = "ReadFromRepository"
	publish  = "PublishPackageVersion"
	metadata = "PutPackageMetadata"
	status   = "UpdatePackageVersionsStatus"
	remove   = "DeletePackageVersions"

	refused = "-" // by what the address says alone: there is no such command, or it has another spelling
)

// walked is an address of a format with the action that it needs.
type walked struct {
	method, path string
	action       string // several with + between them: each is needed
	resource     string // "package/my-domain/my-repo/npm//express"; "": the repository
	kind         string // Content-Type
	body         []byte
}

const aPackage = "package/my-domain/my-repo/"

// routes are the addresses of each format. A format that is not here fails the test.
func routes() map[registry.Format][]walked {
	return map[registry.Format][]walked{"npm": npmRoutes(), "pypi": pypiRoutes(), "cargo": cargoRoutes(), "generic": genericRoutes(), "maven": mavenRoutes(), "ruby": rubyRoutes(), "nuget": nugetRoutes(), "swift": swiftRoutes()}
}

func npmRoutes() []walked {
	express, node := aPackage+"npm//express", aPackage+"npm/types/node"
	p := clienttest.Package{Name: "express", Version: "1.0.0"}
	scoped := clienttest.Package{Name: "@types/node", Version: "1.0.0"}
	deprecation, err := json.Marshal(map[string]any{"name": "express", "versions": map[string]any{"1.0.0": map[string]any{"name": "express", "version": "1.0.0", "deprecated": "old"}}})
	if err != nil {
		panic(err) // texts
	}
	const j = "application/json"
	return []walked{
		{"PUT", "express", publish, express, j, npmBody(p)}, {"PUT", "@types%2fnode", publish, node, j, npmBody(scoped)},
		{"GET", "express", read, "", "", nil}, {"HEAD", "express", read, "", "", nil}, {"GET", "@types%2fnode", read, "", "", nil}, {"GET", "@types/node", read, "", "", nil},
		{"GET", "express/1.0.0", read, "", "", nil}, {"GET", "express/latest", read, "", "", nil}, {"GET", "express/-/express-1.0.0.tgz", read, "", "", nil},
		{"HEAD", "express/-/express-1.0.0.tgz", read, "", "", nil}, {"GET", "@types/node/-/node-1.0.0.tgz", read, "", "", nil},
		{"GET", "-/ping", read, "", "", nil}, {"GET", "-/whoami", read, "", "", nil}, {"GET", "-/v1/search?text=x", read, "", "", nil},
		{"POST", "-/npm/v1/security/advisories/bulk", read, "", j, []byte(`{"express":["1.0.0"]}`)},
		{"POST", "-/npm/v1/security/audits/quick", read, "", j, []byte(`{"requires":{},"dependencies":{}}`)},
		{"GET", "-/package/express/dist-tags", read, "", "", nil}, {"PUT", "-/package/express/dist-tags/next", metadata, express, j, []byte(`"1.0.0"`)},
		{"DELETE", "-/package/express/dist-tags/next", metadata, express, "", nil}, {"PUT", "express?write=true", metadata, express, j, deprecation},
		{"PUT", "express/-rev/1-a", refused, "", j, []byte("{}")}, {"DELETE", "express/-/express-1.0.0.tgz/-rev/1-a", refused, "", "", nil},
		{"POST", "-/v1/login", refused, "", j, []byte("{}")}, {"DELETE", "-/user/token/x", refused, "", "", nil}, {"GET", "-/npm/v1/user", refused, "", "", nil},
		{"GET", "-/org/x/package", refused, "", "", nil}, {"GET", "-/npm/v1/tokens", refused, "", "", nil}, {"GET", "-/_view/starredByUser", refused, "", "", nil},
	}
}

// npmBody is what "npm publish" sends.
func npmBody(p clienttest.Package) []byte {
	tgz, m := p.Tarball(), p.Manifest()
	file := p.Name + "-" + p.Version + ".tgz"
	m["_id"], m["dist"] = p.Name+"@"+p.Version, map[string]any{"integrity": clienttest.Integrity(tgz), "shasum": clienttest.Shasum(tgz), "tarball": "http://localhost/" + p.Name + "/-/" + file}
	b, err := json.Marshal(map[string]any{
		"_id": p.Name, "name": p.Name, "dist-tags": map[string]string{"latest": p.Version}, "versions": map[string]any{p.Version: m},
		"_attachments": map[string]any{file: map[string]any{"content_type": "application/octet-stream", "data": base64.StdEncoding.EncodeToString(tgz), "length": len(tgz)}},
	})
	if err != nil {
		panic(err) // texts
	}
	return b
}

func pypiRoutes() []walked {
	d := pypitest.Dist{Name: "My.Lib", Version: "1.0.0"}
	kind, form := pypitest.Form(d.WheelForm()...)
	lib := aPackage + "pypi//my-lib"
	return []walked{
		{"POST", "", publish, lib, kind, form}, {"POST", "legacy/", publish, lib, kind, form},
		{"GET", "simple/", read, "", "", nil}, {"HEAD", "simple/", read, "", "", nil}, {"GET", "simple/my-lib/", read, "", "", nil},
		{"GET", "simple/my-lib/1/" + d.WheelName(), read, "", "", nil}, {"HEAD", "simple/my-lib/1/" + d.WheelName(), read, "", "", nil},
		{"GET", "simple/my-lib/1/" + d.WheelName() + ".metadata", read, "", "", nil},
		{"GET", "simple", refused, "", "", nil}, {"GET", "simple/My.Lib/", refused, "", "", nil}, {"GET", "", refused, "", "", nil}, {"DELETE", "simple/my-lib/", refused, "", "", nil},
	}
}

func cargoRoutes() []walked {
	crate := cargotest.Crate{Name: "serde_x", Version: "1.0.0"}
	serde := aPackage + "cargo//serde_x"
	return []walked{
		{"PUT", "api/v1/crates/new", publish, serde, "", cargotest.Frame([]byte(`{"name":"serde_x","vers":"1.0.0","deps":[],"features":{},"authors":[],"description":"d","license":"MIT"}`), crate.File())},
		{"GET", "config.json", read, "", "", nil}, {"GET", "se/rd/serde_x", read, "", "", nil}, {"GET", "api/v1/crates?q=serde", read, "", "", nil}, {"GET", "me", read, "", "", nil},
		{"GET", "api/v1/crates/serde_x/1.0.0/download", read, "", "", nil}, {"HEAD", "api/v1/crates/serde_x/1.0.0/download", read, "", "", nil},
		{"DELETE", "api/v1/crates/serde_x/1.0.0/yank", metadata, serde, "", nil}, {"PUT", "api/v1/crates/serde_x/1.0.0/unyank", metadata, serde, "", nil},
		{"GET", "api/v1/crates/serde_x/owners", refused, "", "", nil}, {"PUT", "api/v1/crates/serde_x/owners", refused, "", "", []byte("{}")},
	}
}

func genericRoutes() []walked {
	tool := aPackage + "generic/team/tool"
	return []walked{
		{"PUT", "team/tool/1.0/tool.bin", publish, tool, "", []byte("x")}, {"PUT", "team/tool/2.0/tool.bin?unfinished", publish, tool, "", []byte("x")}, {"POST", "team/tool/2.0?publish", status, tool, "", nil},
		{"GET", "", read, "", "", nil}, {"GET", "team/tool", read, "", "", nil}, {"GET", "team/tool/1.0", read, "", "", nil}, {"GET", "team/tool/1.0/tool.bin", read, "", "", nil},
		{"HEAD", "team/tool/1.0/tool.bin", read, "", "", nil}, {"DELETE", "team/tool/1.0", remove, tool, "", nil},
	}
}

func mavenRoutes() []walked {
	lib := aPackage + "maven/com.corp/lib"
	pom := []byte(`<project><modelVersion>4.0.0</modelVersion><groupId>com.corp</groupId><artifactId>lib</artifactId><version>1.0</version></project>`)
	index := []byte(`<metadata><groupId>com.corp</groupId><artifactId>lib</artifactId><versioning><release>1.0</release><versions><version>1.0</version></versions></versioning></metadata>`)
	sum := func(b []byte) []byte { return []byte(hex.EncodeToString(sha1Of(b))) }
	return []walked{
		{"PUT", "com/corp/lib/1.0/lib-1.0.pom", publish, lib, "", pom}, {"PUT", "com/corp/lib/1.0/lib-1.0.pom.sha1", publish, lib, "", sum(pom)},
		{"PUT", "com/corp/lib/maven-metadata.xml", publish + "+" + metadata, lib, "", index}, {"PUT", "com/corp/lib/maven-metadata.xml.sha1", publish, lib, "", sum(index)},
		{"GET", "com/corp/lib/1.0/lib-1.0.pom", read, "", "", nil}, {"HEAD", "com/corp/lib/1.0/lib-1.0.pom", read, "", "", nil}, {"GET", "com/corp/lib/1.0/lib-1.0.pom.sha1", read, "", "", nil},
		{"GET", "com/corp/lib/maven-metadata.xml", read, "", "", nil}, {"GET", "com/corp/maven-metadata.xml", read, "", "", nil}, {"GET", "com/corp/lib/maven-metadata.xml.sha1", read, "", "", nil},
		{"GET", ".meta/prefixes.txt", refused, "", "", nil}, {"DELETE", "com/corp/lib/1.0/lib-1.0.pom", refused, "", "", nil}, {"PUT", "lib-1.0.pom", refused, "", "", pom},
	}
}

func rubyRoutes() []walked {
	acme := aPackage + "ruby//acme"
	const form = "application/x-www-form-urlencoded"
	which := []byte("gem_name=acme&version=1.0.0")
	return []walked{
		// who may publish nothing here hears so before the gem is read, which alone says what it is
		{"POST", "api/v1/gems", publish, aPackage + "ruby//*", "application/octet-stream", rubytest.Gem(rubytest.Gemspec("acme", "1.0.0", ""))},
		{"GET", "", read, "", "", nil}, {"GET", "versions", read, "", "", nil}, {"GET", "names", read, "", "", nil}, {"GET", "info/acme", read, "", "", nil}, {"HEAD", "info/acme", read, "", "", nil},
		{"GET", "api/v1/dependencies", read, "", "", nil}, {"GET", "api/v1/dependencies?gems=acme", read, "", "", nil},
		{"GET", "specs.4.8.gz", read, "", "", nil}, {"GET", "latest_specs.4.8.gz", read, "", "", nil}, {"GET", "prerelease_specs.4.8.gz", read, "", "", nil},
		{"GET", "quick/Marshal.4.8/acme-1.0.0.gemspec.rz", read, "", "", nil}, {"GET", "gems/acme-1.0.0.gem", read, "", "", nil}, {"HEAD", "gems/acme-1.0.0.gem", read, "", "", nil},
		{"DELETE", "api/v1/gems/yank", status, acme, form, which}, {"PUT", "api/v1/gems/unyank", status, acme, form, which},
		{"GET", "api/v1/api_key", refused, "", "", nil}, {"GET", "api/v1/gems/acme/owners.json", refused, "", "", nil}, {"PUT", "gems/acme-1.0.0.gem", refused, "", "", nil},
	}
}

func nugetRoutes() []walked {
	acme := aPackage + "nuget//acme"
	pkg := nugettest.Package{ID: "Acme", Version: "1.0.0"}
	form, formType := nugettest.Form(pkg.File())
	return []walked{
		// a package says only in its file what it is; who may publish nothing here hears so before it is read
		{"PUT", "v3/package/", publish + "+" + read, aPackage + "nuget//*", formType, form}, {"PUT", "v3/package", publish + "+" + read, aPackage + "nuget//*", "application/octet-stream", pkg.File()},
		{"PUT", "v3/symbolpackage/", publish + "+" + read, aPackage + "nuget//*", "application/octet-stream", pkg.Symbols()},
		{"GET", "v3/index.json", read, "", "", nil}, {"HEAD", "v3/index.json", read, "", "", nil}, {"GET", "v3/flatcontainer/acme/index.json", read, "", "", nil},
		{"GET", "v3/flatcontainer/acme/1.0.0/acme.1.0.0.nupkg", read, "", "", nil}, {"HEAD", "v3/flatcontainer/acme/1.0.0/acme.1.0.0.nupkg", read, "", "", nil},
		{"GET", "v3/flatcontainer/acme/1.0.0/acme.1.0.0.snupkg", read, "", "", nil}, {"GET", "v3/flatcontainer/acme/1.0.0/acme.nuspec", read, "", "", nil},
		{"GET", "v3/flatcontainer/acme/1.0.0/readme", read, "", "", nil}, {"GET", "v3/flatcontainer/acme/1.0.0/icon", read, "", "", nil}, {"GET", "v3/flatcontainer/acme/1.0.0/license", read, "", "", nil},
		{"GET", "v3/registration/acme/index.json", read, "", "", nil}, {"GET", "v3/registration-gz/acme/1.0.0.json", read, "", "", nil},
		{"GET", "v3/registration-semver2/acme/page/1.0.0/2.0.0.json", read, "", "", nil}, {"GET", "v3/catalog/acme/1.0.0.json", read, "", "", nil},
		{"GET", "v3/search?q=a", read, "", "", nil}, {"GET", "v3/autocomplete?q=a", read, "", "", nil}, {"GET", "v3/autocomplete?id=acme", read, "", "", nil},
		{"GET", "v3/vulnerabilities/index.json", read, "", "", nil}, {"GET", "v3/vulnerabilities/all.json", read, "", "", nil},
		{"DELETE", "v3/package/Acme/1.0.0", status, acme, "", nil}, {"POST", "v3/package/Acme/1.0.0", metadata, acme, "", nil},
		{"GET", "v3/package/acme/1.0.0", refused, "", "", nil}, {"PUT", "v3/index.json", refused, "", "", nil},
	}
}

func sha1Of(b []byte) []byte {
	sum := sha1.Sum(b)
	return sum[:]
}

func swiftRoutes() []walked {
	lib := aPackage + "swift/mona/lib"
	pkg := swifttest.Package{Scope: "Mona", Name: "Lib", Version: "1.0.0"}
	form, formType := pkg.Form(pkg.Archive())
	return []walked{
		{"PUT", "Mona/Lib/1.0.0", publish, lib, formType, form},
		{"GET", "mona/lib", read, "", "", nil}, {"HEAD", "mona/lib", read, "", "", nil}, {"GET", "mona/lib.json", read, "", "", nil}, {"GET", "mona/lib/1.0.0", read, "", "", nil}, {"GET", "mona/lib/1.0.0.json", read, "", "", nil},
		{"GET", "mona/lib/1.0.0/Package.swift", read, "", "", nil}, {"GET", "mona/lib/1.0.0/Package.swift?swift-version=5.9", read, "", "", nil},
		{"GET", "mona/lib/1.0.0.zip", read, "", "", nil}, {"HEAD", "mona/lib/1.0.0.zip", read, "", "", nil},
		{"GET", "identifiers?url=https://git.test/mona/lib", read, "", "", nil}, {"GET", "identifiers?url=x", read, "", "", nil}, {"GET", "availability", read, "", "", nil}, {"POST", "", read, "", "", nil}, {"POST", "login", read, "", "", nil},
		{"GET", "login", refused, "", "", nil}, {"PUT", "mona/lib", refused, "", "", nil}, {"DELETE", "mona/lib/1.0.0", refused, "", "", nil},
	}
}
