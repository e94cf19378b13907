package pypi

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"strings"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
)

// metadataOfStored reads the core metadata of a wheel that is here, when the upstream that announces it cannot be asked: an
// installation must not fail for want of what is in a file that it would get. nil if the wheel is not here, or does not have what was
// announced.
func metadataOfStored(ctx context.Context, repo format.Reader, id registry.VersionID, name string) *format.Asset {
	file, ok := strings.CutSuffix(name, metadataExtension)
	if !ok {
		return nil
	}
	f, ok := parseFileName(id.Package.Name, file)
	if !ok || f.kind != wheel {
		return nil
	}
	announced, err := repo.Asset(ctx, id, name, format.Stat)
	if err != nil {
		return nil
	}
	if have, err := repo.Asset(ctx, id, file, format.Stat); err != nil || !have.Stored {
		return nil
	}
	asset, err := repo.Asset(ctx, id, file, format.Open)
	if err != nil {
		return nil
	}
	defer asset.Body.Close()
	body, ok := asset.Body.(io.ReadSeeker)
	if !ok {
		return nil
	}
	raw, err := wheelMetadata(seeking{body}, asset.Size, f)
	if err != nil {
		return nil
	}
	sum := sha256.Sum256(raw)
	own := registry.Digests{SHA256: hex.EncodeToString(sum[:])}
	if announced.Digests.SHA256 != own.SHA256 {
		return nil
	}
	out := *announced
	out.Size, out.Digests, out.Body = int64(len(raw)), own, memory{bytes.NewReader(raw)}
	return &out
}

// memory is a body that lies in memory.
type memory struct{ *bytes.Reader }

func (memory) Close() error { return nil }

// seeking reads at offsets of what one reader at a time may read.
type seeking struct{ r io.ReadSeeker }

func (s seeking) ReadAt(p []byte, off int64) (int, error) {
	if _, err := s.r.Seek(off, io.SeekStart); err != nil {
		return 0, err
	}
	return io.ReadFull(s.r, p)
}
