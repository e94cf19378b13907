package archive_test

import (
	"archive/tar"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/internal/archive"
)

func TestSource(t *testing.T) {
	t.Parallel()
	disk := errors.New("disk")
	good := archive.NewSource(strings.NewReader("abc"), "crate")
	if b, err := io.ReadAll(good); err != nil || string(b) != "abc" || good.Err() != nil {
		t.Errorf("%q, %v, %v", b, err, good.Err())
	}
	if err := good.Explain(errors.New("odd"), "the crate is damaged"); !errors.Is(err, registry.ErrInvalid) || err.Error() != "invalid: the crate is damaged: odd" {
		t.Error(err)
	}
	told := errors.Join(registry.ErrInvalid)
	if err := good.Explain(told, "the crate is damaged"); err != told { //nolint:errorlint // this very error
		t.Error(err)
	}
	bad := archive.NewSource(io.MultiReader(strings.NewReader("abc"), iotest.ErrReader(disk)), "crate")
	if b, err := io.ReadAll(bad); !errors.Is(err, disk) || string(b) != "abc" {
		t.Errorf("%q, %v", b, err)
	}
	if err := bad.Err(); err != disk { //nolint:errorlint // this very error
		t.Error(err)
	}
	if err := bad.Explain(told, "the crate is damaged"); !errors.Is(err, disk) || errors.Is(err, registry.ErrInvalid) || err.Error() != "read crate: disk" {
		t.Error(err)
	}
}

func TestAtMost(t *testing.T) {
	t.Parallel()
	much := errors.New("too much")
	for n, want := range map[int64]error{2: much, 3: nil, 4: nil} {
		if b, err := io.ReadAll(archive.AtMost(n, iotest.OneByteReader(strings.NewReader("abc")), much)); !errors.Is(err, want) || int64(len(b)) != min(n, 3) {
			t.Errorf("%d: %q, %v", n, b, err)
		}
	}
}

func TestOnlyPadding(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("\x00", 100_000)
	for text, ok := range map[string]bool{"": true, "\x00\x00": true, long: true, "\x00a": false, long + "a": false, "a" + long: false} {
		if err := archive.OnlyPadding(strings.NewReader(text)); (err == nil) != ok {
			t.Errorf("%d bytes: %v", len(text), err)
		}
	}
	disk := errors.New("disk")
	if err := archive.OnlyPadding(iotest.ErrReader(disk)); !errors.Is(err, disk) {
		t.Error(err)
	}
}

func TestAmbiguousSize(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]bool{"size": true, "GNU.sparse.major": true, "path": false, "sizes": false} {
		if got := archive.AmbiguousSize(&tar.Header{PAXRecords: map[string]string{key: "1"}}); got != want {
			t.Errorf("%s: %v", key, got)
		}
	}
}
