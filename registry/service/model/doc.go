// Package model is the service model of CodeArtifact: the shapes of requests and responses, what they are held against, and how they are
// bound to HTTP (REST-JSON). model.go is generated; nothing in this package knows what an operation does.
package model

//go:generate go -C ../../.. run ./hack/genservice
