package policy

import "strings"

// Names makes the ARNs of resources (guide, "AWS CodeArtifact resources and operations").
type Names struct {
	Partition, Region string // "aws", "eu-central-1"
}

// Domain is …:domain/my-domain.
func (n Names) Domain(owner, domain string) string { return n.arn(owner, "domain/"+domain) }

// Repository is …:repository/my-domain/my-repo.
func (n Names) Repository(owner, domain, repository string) string {
	return n.arn(owner, "repository/"+domain+"/"+repository)
}

// Package is …:package/my-domain/my-repo/npm/types/node, and …/npm//react without a namespace. Names are the normalised ones.
func (n Names) Package(owner, domain, repository, format, namespace, name string) string {
	return n.arn(owner, "package/"+domain+"/"+repository+"/"+format+"/"+namespace+"/"+name)
}

// PackageGroup is …:package-group/my-domain/npm/types/%2a. The pattern is the encoded one, with its slash in front.
func (n Names) PackageGroup(owner, domain, encoded string) string {
	return n.arn(owner, "package-group/"+domain+encoded)
}

func (n Names) arn(owner, resource string) string {
	return "arn:" + n.Partition + ":codeartifact:" + n.Region + ":" + owner + ":" + resource
}

// Role is the ARN of a service account of an account: its tokens are sessions of this role.
func (n Names) Role(account, name string) string {
	return "arn:" + n.Partition + ":iam::" + account + ":role/" + name
}

// User is the ARN of an access key's user.
func (n Names) User(account, name string) string {
	return "arn:" + n.Partition + ":iam::" + account + ":user/" + name
}

// Root is the ARN of an account as a whole.
func (n Names) Root(account string) string {
	return "arn:" + n.Partition + ":iam::" + account + ":root"
}

// Session is the ARN of a session of a role.
func (n Names) Session(account, role, session string) string {
	return "arn:" + n.Partition + ":sts::" + account + ":assumed-role/" + role + "/" + session
}

// TypeOf returns the type of resource that an ARN names, OnNothing if it names none of ours.
func TypeOf(arn string) ResourceTypes {
	_, rest, ok := strings.Cut(arn, ":codeartifact:")
	if !ok {
		return OnNothing
	}
	for range 2 { // region, account
		if _, rest, ok = strings.Cut(rest, ":"); !ok {
			return OnNothing
		}
	}
	kind, _, _ := strings.Cut(rest, "/")
	switch kind {
	case "domain":
		return OnDomain
	case "repository":
		return OnRepository
	case "package":
		return OnPackage
	case "package-group":
		return OnPackageGroup
	}
	return OnNothing
}

// splitARN returns the account and the resource part of an ARN.
func splitARN(arn string) (service, account, resource string, ok bool) {
	if !strings.HasPrefix(arn, "arn:") {
		return "", "", "", false
	}
	rest := arn[len("arn:"):]
	for i := range 4 { // partition, service, region, account
		var part string
		if part, rest, ok = strings.Cut(rest, ":"); !ok {
			return "", "", "", false
		}
		switch i {
		case 1:
			service = part
		case 3:
			account = part
		}
	}
	return service, account, rest, true
}
