CREATE TABLE intent (
  id {{TEXT}} PRIMARY KEY,
  request {{BYTES}} NOT NULL,
  state {{TEXT}} NOT NULL,
  result {{BYTES}},
  created_at BIGINT NOT NULL,
  deadline BIGINT NOT NULL
);
