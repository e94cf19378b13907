package main

import (
	"encoding/json"
	"path/filepath"

	"packhouse.dev/packhouse/cmd/internal/plane"
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
func (d *devFile) keys(sealing []byte) (err error) {
	d.AccessKeyID, d.SecretAccessKey, err = accessKey(sealing, "")
	return err
}

func (d *devFile) write(dataDir string) error {
	b, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return err
	}
	return plane.WriteFile(filepath.Join(dataDir, devFileName), append(b, '\n'))
}
