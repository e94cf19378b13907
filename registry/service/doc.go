// Package service is the CodeArtifact-compatible API: the 48 operations of the service model at the paths of the model, for "aws
// codeartifact", the AWS SDKs and whatever speaks REST-JSON with Signature Version 4 or a token of a domain.
//
// A request goes
//
//	operation     method and path name one of the model
//	who           the signature or the token
//	bind          the request is held against the model (package model)
//	handler       asks the one door (package repository), or declares a change (Configurator)
//	encode        the response, or one of the exceptions of the model
//
// What the handlers do is told in the user guide; shared/guide/readings.md says how it is read where it is ambiguous. No handler
// decides who may do what: every one asks the door, which asks the policies.
package service
