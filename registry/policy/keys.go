package policy

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// key is a condition key: what can be asked of a request (IAM, "AWS global condition context keys"). The names of keys do not depend
// on case.
type key struct {
	id  keyID
	tag string // of ResourceTag, RequestTag and PrincipalTag
}

type keyID uint8

const (
	keyCurrentTime keyID = iota
	keyEpochTime
	keySourceIP
	keySecureTransport
	keySourceEndpoint
	keyTokenIssueTime
	keyMFAPresent
	keyRequestedRegion
	keyPrincipalARN
	keyPrincipalAccount
	keyPrincipalType
	keyPrincipalOrg
	keyUserID
	keyUserName
	keyResourceAccount
	keyResourceOrg
	keyTagKeys
	keyBearerService
	keyBearerDuration
	keyResourceTag
	keyRequestTag
	keyPrincipalTag
)

// maxOperands is how many values of a request fit without allocating; more are taken, too.
const maxOperands = 4

func parseKey(name string) (key, error) {
	if prefix, tag, ok := strings.Cut(name, "/"); ok && tag != "" {
		switch strings.ToLower(prefix) {
		case "aws:resourcetag":
			return key{keyResourceTag, tag}, nil
		case "aws:requesttag":
			return key{keyRequestTag, tag}, nil
		case "aws:principaltag":
			return key{keyPrincipalTag, tag}, nil
		}
	}
	switch strings.ToLower(name) {
	case "aws:currenttime":
		return key{id: keyCurrentTime}, nil
	case "aws:epochtime":
		return key{id: keyEpochTime}, nil
	case "aws:sourceip":
		return key{id: keySourceIP}, nil
	case "aws:securetransport":
		return key{id: keySecureTransport}, nil
	case "aws:sourcevpce":
		return key{id: keySourceEndpoint}, nil
	case "aws:tokenissuetime":
		return key{id: keyTokenIssueTime}, nil
	case "aws:multifactorauthpresent":
		return key{id: keyMFAPresent}, nil
	case "aws:requestedregion":
		return key{id: keyRequestedRegion}, nil
	case "aws:principalarn":
		return key{id: keyPrincipalARN}, nil
	case "aws:principalaccount":
		return key{id: keyPrincipalAccount}, nil
	case "aws:principaltype":
		return key{id: keyPrincipalType}, nil
	case "aws:principalorgid":
		return key{id: keyPrincipalOrg}, nil
	case "aws:userid":
		return key{id: keyUserID}, nil
	case "aws:username":
		return key{id: keyUserName}, nil
	case "aws:resourceaccount":
		return key{id: keyResourceAccount}, nil
	case "aws:resourceorgid":
		return key{id: keyResourceOrg}, nil
	case "aws:tagkeys":
		return key{id: keyTagKeys}, nil
	case "sts:awsservicename":
		return key{id: keyBearerService}, nil
	case "sts:durationseconds":
		return key{id: keyBearerDuration}, nil
	}
	return key{}, fmt.Errorf("the condition key %q is not supported", name)
}

// multiple says whether the key has several values in one request.
func (k key) multiple() bool { return k.id == keyTagKeys }

// volatile says whether the value can be another for the same principal, action and resource.
func (k key) volatile() bool {
	switch k.id {
	case keyCurrentTime, keyEpochTime, keySourceIP, keySecureTransport, keySourceEndpoint, keyTokenIssueTime, keyRequestedRegion,
		keyTagKeys, keyRequestTag, keyPrincipalTag, keyBearerDuration:
		return true
	}
	return false
}

// operand is a value of a request, in the type that it has there.
type operand struct {
	text string
	time time.Time
	addr netip.Addr
}

// String is the value as text, as string operators compare it.
func (o operand) String() string {
	switch {
	case o.addr.IsValid():
		return o.addr.String()
	case !o.time.IsZero():
		return o.time.UTC().Format(time.RFC3339)
	}
	return o.text
}

// operands appends the values that the request has for a key; none if it has not got the key.
func (r *Request) operands(k key, out []operand) []operand {
	c := &r.Context
	switch k.id {
	case keyCurrentTime, keyEpochTime:
		if c.Time.IsZero() {
			return out
		}
		if k.id == keyEpochTime {
			return append(out, operand{text: strconv.FormatInt(c.Time.Unix(), 10)})
		}
		return append(out, operand{time: c.Time})
	case keyTokenIssueTime:
		if c.TokenIssued.IsZero() {
			return out
		}
		return append(out, operand{time: c.TokenIssued})
	case keySourceIP:
		if !c.SourceIP.IsValid() {
			return out
		}
		return append(out, operand{addr: c.SourceIP.Unmap().WithZone("")})
	case keySecureTransport:
		return append(out, operand{text: strconv.FormatBool(c.SecureTransport)})
	case keyMFAPresent:
		return append(out, operand{text: "false"})
	case keyTagKeys:
		for name := range c.RequestTags {
			out = append(out, operand{text: name})
		}
		for _, name := range c.TagKeys {
			out = append(out, operand{text: name})
		}
		return out
	case keyResourceTag:
		return tagged(c.ResourceTags, k.tag, out)
	case keyRequestTag:
		return tagged(c.RequestTags, k.tag, out)
	case keyPrincipalTag:
		return tagged(c.PrincipalTags, k.tag, out)
	case keyBearerService, keyBearerDuration:
		if r.Action != bearerAction {
			return out
		}
		if k.id == keyBearerService {
			return append(out, operand{text: "codeartifact.amazonaws.com"})
		}
		return append(out, operand{text: strconv.FormatInt(c.TokenDuration, 10)})
	}
	if s := r.text(k.id); s != "" {
		out = append(out, operand{text: s})
	}
	return out
}

// text returns the value of a key that is plain text, "" if the request has not got it.
func (r *Request) text(id keyID) string {
	switch id {
	case keySourceEndpoint:
		return r.Context.Endpoint
	case keyRequestedRegion:
		return r.Context.Region
	case keyPrincipalARN:
		return r.Principal.identityARN()
	case keyPrincipalAccount:
		return r.Principal.Account
	case keyPrincipalType:
		return r.Principal.kind()
	case keyPrincipalOrg:
		return r.Context.Organization
	case keyUserID:
		return r.Principal.UserID
	case keyUserName:
		return r.Principal.userName()
	case keyResourceAccount:
		return r.Owner
	case keyResourceOrg:
		return r.Context.ResourceOrg
	}
	return ""
}

// tagged finds a tag. The key of a tag is part of the name of a condition key and does not depend on case; where tags differ in case
// only, all are its values.
func tagged(tags map[string]string, name string, out []operand) []operand {
	for k, v := range tags {
		if k == name || strings.EqualFold(k, name) {
			out = append(out, operand{text: v})
		}
	}
	return out
}
