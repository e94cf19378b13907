#!/usr/bin/env bash
# Builds images FROM scratch: one static binary and the certificates of the well-known authorities, owned by nobody in particular.
# The same binaries and certificates give the same image with buildah. IMAGES (default: operator registry packhouse), REPOSITORY
# (packhouse), TAG (dev), OUT (bin/images) and ENGINE (buildah, docker or podman; the first that is there) may be set.
set -euo pipefail
cd "$(dirname "$0")/.."
umask 022 # folders of the image are read by a user that does not own them

IMAGES=${IMAGES:-operator registry packhouse} REPOSITORY=${REPOSITORY:-packhouse} TAG=${TAG:-dev} OUT=${OUT:-bin/images}
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
if [[ -z ${ENGINE:-} ]]; then
  for ENGINE in buildah docker podman none; do command -v "$ENGINE" >/dev/null && break; done
fi
case $ENGINE in buildah | docker | podman) ;; *) echo "hack/images.sh: needs buildah, docker or podman" >&2; exit 1 ;; esac

certificates() { # the system's, which Go would use
  local f
  for f in /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem; do
    [[ -f $f ]] && { echo "$f"; return; }
  done
  echo "hack/images.sh: no bundle of certificates on this machine" >&2
  return 1
}

context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
mkdir -p "$OUT" "$context/root/etc/ssl/certs"
install -m 0644 "$(certificates)" "$context/root/etc/ssl/certs/ca-certificates.crt"

for name in $IMAGES; do
  install -m 0755 "bin/$name" "$context/root/$name"
  find "$context/root" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
  image=$REPOSITORY/$name:$TAG
  cat >"$context/Containerfile" <<F
FROM scratch
COPY root/ /
USER 65532:65532
ENTRYPOINT ["/$name"]
LABEL org.opencontainers.image.title="packhouse $name" org.opencontainers.image.licenses="Apache-2.0"
F
  rm -f "$OUT/$name.tar"
  case $ENGINE in
    buildah)
      buildah --storage-driver vfs build -q --isolation chroot --timestamp "$SOURCE_DATE_EPOCH" --identity-label=false -t "$image" -f "$context/Containerfile" "$context" >/dev/null
      buildah --storage-driver vfs push -q "$image" "docker-archive:$OUT/$name.tar:$image"
      ;;
    docker | podman)
      "$ENGINE" build -q -t "$image" -f "$context/Containerfile" "$context" >/dev/null
      "$ENGINE" save -o "$OUT/$name.tar" "$image"
      ;;
  esac
  rm "$context/root/$name"
  printf '%s\t%s\t%s\n' "$image" "$OUT/$name.tar" "$(du -h "$OUT/$name.tar" | cut -f1)"
done
