-- The schema of both dialects. {{ID}} is a 64-bit identity that is never used again, {{TEXT}} compares by bytes. Times are
-- microseconds since 1970 in UTC. Opaque data of formats is {{BYTES}}, because it must come back byte for byte.
CREATE TABLE domain (
  id {{ID}},
  uid {{TEXT}} NOT NULL UNIQUE,
  account {{TEXT}} NOT NULL,
  name {{TEXT}} NOT NULL,
  holder {{TEXT}} NOT NULL,
  state {{TEXT}} NOT NULL,
  change BIGINT NOT NULL DEFAULT 0,
  generation BIGINT NOT NULL DEFAULT 0,
  epoch BIGINT NOT NULL DEFAULT 0,
  created_at BIGINT NOT NULL,
  UNIQUE (account, name)
);
INSERT INTO domain (id, uid, account, name, holder, state, created_at) {{OVERRIDING}} VALUES (0, 'registry', '', '', '', 'Active', 0);

CREATE TABLE config (
  domain_id BIGINT NOT NULL REFERENCES domain (id),
  epoch BIGINT NOT NULL,
  generation BIGINT NOT NULL,
  schema_version BIGINT NOT NULL,
  digest {{TEXT}} NOT NULL,
  document {{BYTES}} NOT NULL,
  put_at BIGINT NOT NULL,
  PRIMARY KEY (domain_id, epoch, generation)
);

CREATE TABLE repository (
  id {{ID}},
  domain_id BIGINT NOT NULL REFERENCES domain (id),
  uid {{TEXT}} NOT NULL UNIQUE,
  name {{TEXT}} NOT NULL,
  administrator {{TEXT}} NOT NULL,
  state {{TEXT}} NOT NULL,
  created_at BIGINT NOT NULL,
  UNIQUE (domain_id, name)
);

CREATE TABLE package (
  id {{ID}},
  repository_id BIGINT NOT NULL REFERENCES repository (id),
  format {{TEXT}} NOT NULL,
  namespace {{TEXT}} NOT NULL,
  name {{TEXT}} NOT NULL,
  display {{TEXT}} NOT NULL,
  publish {{TEXT}} NOT NULL,
  upstream {{TEXT}} NOT NULL,
  controls_by {{TEXT}} NOT NULL,
  summary {{TEXT}} NOT NULL DEFAULT '',
  revision BIGINT NOT NULL DEFAULT 0,
  modified_at BIGINT NOT NULL DEFAULT 0,
  created_at BIGINT NOT NULL,
  UNIQUE (repository_id, format, namespace, name)
);

CREATE TABLE document (
  id {{ID}},
  domain_id BIGINT NOT NULL REFERENCES domain (id),
  sha256 {{TEXT}} NOT NULL,
  body {{BYTES}} NOT NULL,
  touched_at BIGINT NOT NULL,
  UNIQUE (domain_id, sha256)
);

CREATE TABLE version (
  id {{ID}},
  package_id BIGINT NOT NULL REFERENCES package (id) ON DELETE CASCADE,
  version {{TEXT}} NOT NULL,
  display {{TEXT}} NOT NULL,
  status {{TEXT}} NOT NULL,
  document_id BIGINT REFERENCES document (id),
  flags {{BYTES}},
  revision {{TEXT}} NOT NULL,
  origin {{TEXT}} NOT NULL,
  entry {{TEXT}} NOT NULL,
  entry_uid {{TEXT}} NOT NULL,
  published_at BIGINT NOT NULL,
  arrived_at BIGINT NOT NULL,
  UNIQUE (package_id, version)
);
CREATE INDEX version_document ON version (document_id);

CREATE TABLE blob (
  id {{ID}},
  domain_id BIGINT NOT NULL REFERENCES domain (id),
  sha256 {{TEXT}} NOT NULL,
  size BIGINT NOT NULL,
  md5 {{TEXT}} NOT NULL,
  sha1 {{TEXT}} NOT NULL,
  sha512 {{TEXT}} NOT NULL,
  object {{TEXT}} NOT NULL UNIQUE,
  sealed_key {{BYTES}},
  state {{TEXT}} NOT NULL,
  touched_at BIGINT NOT NULL,
  condemned_at BIGINT NOT NULL DEFAULT 0,
  UNIQUE (domain_id, sha256)
);
CREATE INDEX blob_state ON blob (state, touched_at);

CREATE TABLE asset (
  version_id BIGINT NOT NULL REFERENCES version (id) ON DELETE CASCADE,
  name {{TEXT}} NOT NULL,
  listed BIGINT NOT NULL,
  blob_id BIGINT REFERENCES blob (id),
  size BIGINT NOT NULL,
  digest {{TEXT}} NOT NULL,
  source {{TEXT}} NOT NULL,
  info {{BYTES}},
  PRIMARY KEY (version_id, name)
);
CREATE INDEX asset_blob ON asset (blob_id);

CREATE TABLE lookup (
  repository_id BIGINT NOT NULL REFERENCES repository (id),
  format {{TEXT}} NOT NULL,
  kind {{TEXT}} NOT NULL,
  key {{TEXT}} NOT NULL,
  version_id BIGINT NOT NULL REFERENCES version (id) ON DELETE CASCADE,
  PRIMARY KEY (repository_id, format, kind, key, version_id)
);
CREATE INDEX lookup_version ON lookup (version_id);

CREATE TABLE tag (
  package_id BIGINT NOT NULL REFERENCES package (id) ON DELETE CASCADE,
  name {{TEXT}} NOT NULL,
  version {{TEXT}} NOT NULL,
  PRIMARY KEY (package_id, name)
);

CREATE TABLE upstream (
  domain_id BIGINT NOT NULL REFERENCES domain (id),
  connection {{TEXT}} NOT NULL,
  key {{TEXT}} NOT NULL,
  absent BIGINT NOT NULL,
  blob_id BIGINT REFERENCES blob (id),
  size BIGINT NOT NULL,
  url {{TEXT}} NOT NULL,
  content_type {{TEXT}} NOT NULL,
  etag {{TEXT}} NOT NULL,
  last_modified {{TEXT}} NOT NULL,
  fetched_at BIGINT NOT NULL,
  fresh_until BIGINT NOT NULL,
  revision BIGINT NOT NULL,
  PRIMARY KEY (domain_id, connection, key)
);
CREATE INDEX upstream_blob ON upstream (blob_id);

CREATE TABLE change (
  domain_id BIGINT NOT NULL REFERENCES domain (id),
  change BIGINT NOT NULL,
  ordinal BIGINT NOT NULL,
  kind {{TEXT}} NOT NULL,
  repository_id BIGINT NOT NULL,
  format {{TEXT}} NOT NULL,
  namespace {{TEXT}} NOT NULL,
  name {{TEXT}} NOT NULL,
  connection {{TEXT}} NOT NULL,
  key {{TEXT}} NOT NULL,
  event {{BYTES}},
  at BIGINT NOT NULL,
  PRIMARY KEY (domain_id, change, ordinal)
);

CREATE TABLE derived (
  repository_id BIGINT NOT NULL REFERENCES repository (id),
  format {{TEXT}} NOT NULL,
  kind {{TEXT}} NOT NULL,
  key {{BYTES}} NOT NULL,
  inputs {{BYTES}} NOT NULL,
  value {{BYTES}},
  PRIMARY KEY (repository_id, format, kind, key)
);

CREATE TABLE lease (
  name {{TEXT}} PRIMARY KEY,
  token BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
);

CREATE TABLE revocation (
  domain_id BIGINT NOT NULL REFERENCES domain (id),
  kind {{TEXT}} NOT NULL,
  value {{TEXT}} NOT NULL,
  issued_before BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  PRIMARY KEY (domain_id, kind, value)
);

CREATE TABLE secret (
  name {{TEXT}} PRIMARY KEY,
  sealed {{BYTES}} NOT NULL
);

CREATE TABLE trash (
  object {{TEXT}} PRIMARY KEY
);
