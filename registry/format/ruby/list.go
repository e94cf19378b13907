package ruby

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
)

// List implements format.Lister for the compact index: to bundler, gems that /versions lacks are not there, whatever /info says. The
// specs indexes list what the repositories have: those of rubygems.org would be written anew, with a million entries, whenever a
// gem is published there.
func (Format) List(ctx context.Context, src format.Source, kind string) (map[registry.PackageID][]byte, error) {
	if kind != versionsKind && kind != namesKind {
		return nil, nil
	}
	listed, err := listing(ctx, src)
	if err != nil {
		return nil, err
	}
	out := make(map[registry.PackageID][]byte, len(listed))
	for name, l := range listed {
		id, err := names{}.Package("", name)
		if err != nil || len(l.keys) == 0 {
			continue
		}
		if kind == namesKind {
			out[id] = []byte(name + "\n")
		} else {
			out[id] = versionsEntry(0, name, l.keys, l.sum)
		}
	}
	return out, nil
}

// listedGem is what an upstream lists of a gem.
type listedGem struct {
	keys []string
	sum  string // MD5 of the upstream's /info; of an upstream without, something that changes with the versions
}

func listing(ctx context.Context, src format.Source) (map[string]*listedGem, error) {
	got, err := src.Document(ctx, format.SourceRequest{Path: "versions", Class: format.ClassIndex, Append: true})
	if err == nil {
		return parseVersions(got.Body)
	}
	if !errors.Is(err, registry.ErrNotFound) {
		return nil, err
	}
	tuples, err := treeTuples(ctx, src)
	if err != nil {
		return nil, err
	}
	out := map[string]*listedGem{}
	for _, t := range tuples {
		l := out[t.name]
		if l == nil {
			l = new(listedGem)
			out[t.name] = l
		}
		l.keys = append(l.keys, t.key)
	}
	for _, l := range out {
		l.sum = md5Hex([]byte(strings.Join(l.keys, ",")))
	}
	return out, nil
}

// parseVersions reads /versions: later lines of a gem add to earlier ones, a version with "-" before it is gone, and the last checksum
// counts. Lines of another form are left out; a document without head is ErrInvalid.
func parseVersions(body []byte) (map[string]*listedGem, error) {
	_, lines, ok := bytes.Cut(body, []byte("---\n"))
	if !ok {
		return nil, fmt.Errorf("%w: /versions of the upstream is no list of versions", registry.ErrInvalid)
	}
	out := map[string]*listedGem{}
	for line := range bytes.Lines(lines) {
		fields := strings.Fields(string(line))
		if len(fields) != 3 || len(fields[2]) != 32 || !isGemName(fields[0]) {
			continue
		}
		l := out[fields[0]]
		if l == nil {
			l = new(listedGem)
			out[fields[0]] = l
		}
		l.sum = fields[2]
		for item := range strings.SplitSeq(fields[1], ",") {
			raw, gone := strings.CutPrefix(item, "-")
			key, err := names{}.Version(raw)
			switch {
			case err != nil:
			case gone:
				l.keys = slices.DeleteFunc(l.keys, func(k string) bool { return k == key })
			default:
				l.keys = append(l.keys, key)
			}
		}
	}
	return out, nil
}
