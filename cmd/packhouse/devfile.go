package main

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"path/filepath"

	"packhouse.dev/packhouse/cmd/internal/plane"
	"packhouse.dev/packhouse/registry/auth"
)

// devFileName is the file in the data directory that tells scripts how to reach the registry.
const devFileName = "dev.json"

// devFile is what scripts need.
type devFile struct {
	Endpoint        string `json:"endpoint"` // base address, without a slash at the end
	Domain          string `json:"domain"`   // the first one declared
	DomainOwner     string `json:"domainOwner"`
	Region          string `json:"region"`
	Token           string `json:"token"`       // of an administrator, for the domain
	AccessKeyID     string `json:"accessKeyId"` // of a user of the account who may do everything
	SecretAccessKey string `json:"secretAccessKey"`
}

// keys fills in an access key that belongs to the data directory: it is derived from its sealing key and stays the same.
func (d *devFile) keys(sealing []byte) error {
	id, err := auth.Derive(sealing, "packhouse dev access key id 1", 10)
	if err != nil {
		return err
	}
	secret, err := auth.Derive(sealing, "packhouse dev secret access key 1", 30)
	if err != nil {
		return err
	}
	d.AccessKeyID = "AKIA" + base32.StdEncoding.EncodeToString(id)
	d.SecretAccessKey = base64.StdEncoding.EncodeToString(secret)
	return nil
}

func (d *devFile) write(dataDir string) error {
	b, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return err
	}
	return plane.WriteFile(filepath.Join(dataDir, devFileName), append(b, '\n'))
}
