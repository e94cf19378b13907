// Package crd has the custom resource definitions, by which the apiserver and "packhouse dev" judge manifests alike.
package crd

import "embed"

// Bases are the generated definitions: bases/*.yaml.
//
//go:embed bases/*.yaml
var Bases embed.FS
