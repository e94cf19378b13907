package npm

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
)

// hostedManifest makes the stored manifest of a tarball.
func hostedManifest(id registry.PackageID, key string, tarball format.Staged, c claim) (manifest, string, error) {
	open := func() io.Reader { return io.NewSectionReader(tarball, 0, tarball.Size()) }
	got, err := readTarball(open(), tarball.Size())
	if err != nil {
		return manifest{}, "", err
	}
	name, ver := text(member(got.manifest, "name")), text(member(got.manifest, "version"))
	if strings.TrimSpace(name) != fullName(id) {
		return manifest{}, "", fmt.Errorf("%w: package.json in the tarball names %q and the request %s", registry.ErrInvalid, registry.Clip(name), fullName(id))
	}
	if k, err := (names{}).Version(ver); err != nil || k != key {
		return manifest{}, "", fmt.Errorf("%w: package.json in the tarball has version %q and the request %s", registry.ErrInvalid, registry.Clip(ver), key)
	}
	b := manifestBuilder{id: id, contents: got}
	b.core.text("name", fullName(id))
	b.core.text("version", key)
	for _, f := range lastMembers(got.manifest) {
		if err := b.add(f.key, f.raw); err != nil {
			return manifest{}, "", err
		}
	}
	if err := b.finish(key, c, func(dir string) ([]string, error) { return binFiles(open(), tarball.Size(), dir) }); err != nil {
		return manifest{}, "", err
	}
	m := manifest{core: b.core.bytes(), more: b.more.bytes(), dist: hostedDist(got, tarball.Digests()), page: page(got.readme, got.readmeFilename)}
	if len(m.core) > maxDocument {
		return manifest{}, "", fmt.Errorf("%w: what package.json says about dependencies and files is more than %d KB", registry.ErrInvalid, maxDocument>>10)
	}
	return m, summaryOf(member(got.manifest, "description")), nil
}

func page(readme, filename string) []byte {
	var o object
	if readme != "" {
		o.text("readme", readme)
	}
	if filename != "" {
		o.text("readmeFilename", filename)
	}
	return o.bytes()
}

func hostedDist(got *contents, d registry.Digests) []byte {
	var o object
	if sum, err := hex.DecodeString(d.SHA512); err == nil && len(sum) > 0 {
		o.text("integrity", "sha512-"+base64.StdEncoding.EncodeToString(sum))
	}
	o.text("shasum", d.SHA1) // yarn 1 keeps it in its lock file
	o.raw("fileCount", strconv.AppendInt(nil, int64(got.files), 10))
	o.raw("unpackedSize", strconv.AppendInt(nil, got.unpacked, 10))
	return o.bytes()
}

// manifestBuilder turns package.json into what registries show. npm's own client does the same before it publishes; other clients
// do not, and nobody has to believe a client.
type manifestBuilder struct {
	id           registry.PackageID
	contents     *contents
	core, more   object
	scripts      []byte
	bin          bool
	dir, gitHead string
	gypfile      string
}

// add takes one member of package.json.
func (b *manifestBuilder) add(key string, raw []byte) error {
	switch key {
	case "name", "version", "dist", "deprecated", "readme", "readmeFilename", "hasInstallScript":
		return nil // made here
	case "dependencies", "devDependencies", "optionalDependencies", "peerDependencies", "peerDependenciesMeta":
		if string(raw) == "null" {
			return nil
		}
		if !isObject(raw) {
			return fmt.Errorf("%w: %q in package.json is no object", registry.ErrInvalid, key)
		}
		b.core.raw(key, raw)
		return nil
	case "bin":
		if bin := normalBin(b.id, raw); bin != nil {
			b.bin = true
			b.core.raw(key, bin)
		}
		return nil
	case "bundleDependencies", "bundledDependencies":
		b.addBundled(key, raw)
		return nil
	case "scripts":
		b.scripts = raw
	case "directories":
		b.dir = text(member(raw, "bin"))
	case "gitHead":
		b.gitHead = text(raw)
	case "gypfile":
		b.gypfile = string(raw)
	}
	switch {
	case strings.HasPrefix(key, "_"): // left by old clients in package.json, and never true here
	case isCore(key):
		b.core.raw(key, raw)
	default:
		b.more.raw(key, raw)
	}
	return nil
}

// addBundled writes either spelling as the one that all clients read; true means all dependencies.
func (b *manifestBuilder) addBundled(key string, raw []byte) {
	if key == "bundledDependencies" && member(b.contents.manifest, "bundleDependencies") != nil {
		return
	}
	switch {
	case string(raw) == "true":
		list := []byte{'['}
		for name := range members(member(b.contents.manifest, "dependencies")) {
			if len(list) > 1 {
				list = append(list, ',')
			}
			list = appendQuoted(list, name)
		}
		raw = append(list, ']')
	case len(raw) == 0 || raw[0] != '[':
		return
	}
	b.core.raw("bundleDependencies", raw)
}

// finish adds what is computed.
func (b *manifestBuilder) finish(key string, c claim, list func(dir string) ([]string, error)) error {
	if b.dir != "" && !b.bin {
		files, err := list(b.dir)
		if err != nil {
			return err
		}
		if len(files) > 0 {
			var bin object
			for _, f := range files {
				bin.text(path.Base(f), f)
			}
			b.core.raw("bin", bin.bytes())
		}
	}
	if hasInstallScript(b.scripts, b.contents.gyp && b.gypfile != "false") {
		b.core.raw("hasInstallScript", []byte("true"))
	}
	if b.contents.shrinkwrap {
		b.core.raw("_hasShrinkwrap", []byte("true"))
	}
	b.more.text("_id", fullName(b.id)+"@"+key)
	if b.gitHead == "" && c.gitHead != "" {
		b.more.text("gitHead", c.gitHead)
	}
	for k, raw := range members(c.tools.bytes()) {
		b.more.raw(k, raw)
	}
	return nil
}

// normalBin writes "bin" as an object: a string is the command of the package's own name, a list names its files.
func normalBin(id registry.PackageID, raw []byte) []byte {
	var o object
	switch {
	case isString(raw):
		if s := text(raw); s != "" {
			o.text(id.Name, s)
		}
	case isObject(raw):
		for k, v := range members(raw) {
			if s := text(v); s != "" && k != "__proto__" {
				o.text(k, s)
			}
		}
	default:
		for v := range elements(raw) {
			if s := text(v); s != "" {
				o.text(path.Base(s), s)
			}
		}
	}
	if o.b == nil {
		return nil
	}
	return o.bytes()
}
