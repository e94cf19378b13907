package sts

import (
	"encoding/xml"
	"time"

	"packhouse.dev/packhouse/registry/identity"
)

type assumeResponse struct {
	XMLName   xml.Name `xml:"AssumeRoleWithWebIdentityResponse"`
	XMLNS     string   `xml:"xmlns,attr"`
	Subject   string   `xml:"AssumeRoleWithWebIdentityResult>SubjectFromWebIdentityToken"`
	ARN       string   `xml:"AssumeRoleWithWebIdentityResult>AssumedRoleUser>Arn"`
	RoleID    string   `xml:"AssumeRoleWithWebIdentityResult>AssumedRoleUser>AssumedRoleId"`
	KeyID     string   `xml:"AssumeRoleWithWebIdentityResult>Credentials>AccessKeyId"`
	Secret    string   `xml:"AssumeRoleWithWebIdentityResult>Credentials>SecretAccessKey"`
	Token     string   `xml:"AssumeRoleWithWebIdentityResult>Credentials>SessionToken"`
	Expires   string   `xml:"AssumeRoleWithWebIdentityResult>Credentials>Expiration"`
	Provider  string   `xml:"AssumeRoleWithWebIdentityResult>Provider"`
	RequestID string   `xml:"ResponseMetadata>RequestId"`
}

func assumed(who *identity.Caller, c *Credentials, id string) *assumeResponse {
	return &assumeResponse{
		XMLNS: namespace, Subject: who.Principal.UserID, ARN: who.Principal.ARN, RoleID: who.Principal.UserID, Provider: who.Provider, RequestID: id,
		KeyID: c.AccessKeyID, Secret: c.SecretAccessKey, Token: c.SessionToken, Expires: c.Expiration.UTC().Format(time.RFC3339),
	}
}

type callerIdentityResponse struct {
	XMLName xml.Name `xml:"GetCallerIdentityResponse"`
	XMLNS   string   `xml:"xmlns,attr"`
	Result  struct {
		ARN     string `xml:"Arn"`
		UserID  string `xml:"UserId"`
		Account string `xml:"Account"`
	} `xml:"GetCallerIdentityResult"`
	RequestID string `xml:"ResponseMetadata>RequestId"`
}

type errorResponse struct {
	XMLName xml.Name `xml:"ErrorResponse"`
	XMLNS   string   `xml:"xmlns,attr"`
	Error   struct {
		Type    string `xml:"Type"`
		Code    string `xml:"Code"`
		Message string `xml:"Message"`
	} `xml:"Error"`
	RequestID string `xml:"RequestId"`
}
