package guidetest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/codeartifact"
	"github.com/aws/aws-sdk-go-v2/service/codeartifact/types"

	"packhouse.dev/packhouse/registry/format/pypi/pypitest"
	"packhouse.dev/packhouse/registry/internal/clienttest"
)

// fixtures set up what the guide takes for granted.
type fixtures struct {
	t     *testing.T
	p     *clienttest.Packhouse
	up    *clienttest.Upstream
	api   *codeartifact.Client
	token string // of the domain; asked for once it is there
}

// domain is the one of the guide, but for its underscore.
const domain = "my-domain"

func newFixtures(t *testing.T, p *clienttest.Packhouse, up *clienttest.Upstream, id, secret string) fixtures {
	return fixtures{t: t, p: p, up: up, api: codeartifact.New(codeartifact.Options{
		BaseEndpoint: aws.String(p.Endpoint), Region: "us-west-2", Credentials: credentials.NewStaticCredentialsProvider(id, secret, ""),
	})}
}

// do runs a fixture:
//
//	domain                                   creates my-domain
//	repository NAME [UPSTREAM…]              creates a repository
//	connect NAME CONNECTION                  gives it an external connection
//	upstreams NAME [UPSTREAM…]               changes its upstreams
//	clear NAME…                              deletes repositories
//	upstream NAME VERSION… [FIELDS]          puts npm packages into the public registry; FIELDS is JSON for package.json
//	npm REPOSITORY NAME VERSION… [FIELDS]    publishes npm packages
//	fetch REPOSITORY NAME VERSION…           downloads npm packages, which are retained then
//	pypi REPOSITORY NAME VERSION… [LINES]    publishes wheel and source of Python packages; LINES is a JSON list for the metadata
//	maven REPOSITORY GROUP NAME VERSION…     publishes a JAR and a POM of Maven packages
//	generic REPOSITORY NAMESPACE NAME VERSION…
//	swift REPOSITORY SCOPE NAME VERSION…     publishes source archives, when this binary has the format
//	delete REPOSITORY FORMAT [NAMESPACE/]NAME  deletes a package
func (f *fixtures) do(command string) error {
	command, fields, _ := strings.Cut(command, " {")
	list, lines, isList := strings.Cut(command, " [\"")
	if isList {
		command, fields = list, "[\""+lines
	} else if fields != "" {
		fields = "{" + fields
	}
	words := strings.Fields(command)
	verb, args := words[0], words[1:]
	verbs := map[string]struct {
		least int
		do    func(args []string, fields string) error
	}{
		"domain": {0, f.domain}, "repository": {1, f.repository}, "connect": {2, f.connect}, "upstreams": {1, f.upstreams}, "clear": {1, f.clear},
		"upstream": {2, f.upstream}, "npm": {3, f.npm}, "fetch": {3, f.fetch}, "pypi": {3, f.pypi}, "maven": {4, f.maven}, "generic": {4, f.generic}, "swift": {4, f.swift}, "delete": {3, f.remove},
	}
	v, ok := verbs[verb]
	if !ok || len(args) < v.least {
		return fmt.Errorf("no fixture %q with %d words", verb, len(args))
	}
	return v.do(args, fields)
}

func (f *fixtures) domain([]string, string) error {
	_, err := f.api.CreateDomain(f.t.Context(), &codeartifact.CreateDomainInput{Domain: aws.String(domain)})
	return err
}

func references(names []string) []types.UpstreamRepository {
	out := []types.UpstreamRepository{}
	for _, name := range names {
		out = append(out, types.UpstreamRepository{RepositoryName: &name})
	}
	return out
}

func (f *fixtures) repository(args []string, _ string) error {
	_, err := f.api.CreateRepository(f.t.Context(), &codeartifact.CreateRepositoryInput{Domain: aws.String(domain), Repository: &args[0], Upstreams: references(args[1:])})
	return err
}

func (f *fixtures) upstreams(args []string, _ string) error {
	_, err := f.api.UpdateRepository(f.t.Context(), &codeartifact.UpdateRepositoryInput{Domain: aws.String(domain), Repository: &args[0], Upstreams: references(args[1:])})
	return err
}

func (f *fixtures) connect(args []string, _ string) error {
	_, err := f.api.AssociateExternalConnection(f.t.Context(), &codeartifact.AssociateExternalConnectionInput{Domain: aws.String(domain), Repository: &args[0], ExternalConnection: &args[1]})
	return err
}

func (f *fixtures) clear(args []string, _ string) error {
	for _, name := range args {
		if _, err := f.api.DeleteRepository(f.t.Context(), &codeartifact.DeleteRepositoryInput{Domain: aws.String(domain), Repository: &name}); err != nil {
			return err
		}
	}
	return nil
}

func (f *fixtures) remove(args []string, _ string) error {
	in := &codeartifact.DeletePackageInput{Domain: aws.String(domain), Repository: &args[0], Format: types.PackageFormat(args[1]), Package: &args[2]}
	if space, name, ok := strings.Cut(args[2], "/"); ok {
		in.Namespace, in.Package = &space, &name
	}
	_, err := f.api.DeletePackage(f.t.Context(), in)
	return err
}

func packages(args []string, fields string) ([]clienttest.Package, error) {
	var more map[string]any
	if fields != "" {
		if err := json.Unmarshal([]byte(fields), &more); err != nil {
			return nil, err
		}
	}
	var out []clienttest.Package
	for _, version := range args[1:] {
		p := clienttest.Package{Name: args[0], Version: version, Fields: more}
		p.Tag, _ = more["tag"].(string)
		if readme, ok := more["readme"].(string); ok {
			p.Files = map[string]string{"README.md": readme}
		}
		out = append(out, p)
	}
	return out, nil
}

func (f *fixtures) upstream(args []string, fields string) error {
	list, err := packages(args, fields)
	f.up.Add(list...)
	return err
}

func (f *fixtures) npm(args []string, fields string) error {
	list, err := packages(args[1:], fields)
	if err != nil {
		return err
	}
	for _, p := range list {
		if err := f.send(http.MethodPut, f.address("npm", args[0])+clienttest.Escaped(p.Name), clienttest.Upload(p, p.Tarball()), "application/json"); err != nil {
			return err
		}
	}
	return nil
}

func (f *fixtures) fetch(args []string, _ string) error {
	base := args[1][strings.LastIndex(args[1], "/")+1:]
	for _, version := range args[2:] {
		if err := f.send(http.MethodGet, f.address("npm", args[0])+args[1]+"/-/"+base+"-"+version+".tgz", nil, ""); err != nil {
			return err
		}
	}
	return nil
}

func (f *fixtures) pypi(args []string, fields string) error {
	var lines []string
	if fields != "" {
		if err := json.Unmarshal([]byte(fields), &lines); err != nil {
			return err
		}
	}
	for _, version := range args[2:] {
		d := pypitest.Dist{Name: args[1], Version: version, Fields: lines}
		for _, form := range [][]pypitest.Field{d.WheelForm(), d.SourceForm()} {
			contentType, body := pypitest.Form(form...)
			if err := f.send(http.MethodPost, f.address("pypi", args[0]), body, contentType); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *fixtures) maven(args []string, fields string) error {
	group, name := args[1], args[2]
	var parts struct{ POM string } // further elements of the POM
	if fields != "" {
		if err := json.Unmarshal([]byte(fields), &parts); err != nil {
			return err
		}
	}
	folder := f.address("maven", args[0]) + strings.ReplaceAll(group, ".", "/") + "/" + name + "/"
	for _, version := range args[3:] {
		for file, text := range map[string]string{
			".jar": "the bytes of " + name + " " + version,
			".pom": fmt.Sprintf("<project><modelVersion>4.0.0</modelVersion><groupId>%s</groupId><artifactId>%s</artifactId><version>%s</version>%s</project>", group, name, version, parts.POM),
		} {
			if err := f.send(http.MethodPut, folder+version+"/"+name+"-"+version+file, []byte(text), "application/octet-stream"); err != nil {
				return err
			}
		}
	}
	last := args[len(args)-1]
	metadata := fmt.Sprintf("<metadata><groupId>%s</groupId><artifactId>%s</artifactId><versioning><release>%s</release><versions><version>%s</version></versions></versioning></metadata>",
		group, name, last, strings.Join(args[3:], "</version><version>"))
	return f.send(http.MethodPut, folder+"maven-metadata.xml", []byte(metadata), "application/xml")
}

func (f *fixtures) generic(args []string, _ string) error {
	for _, version := range args[3:] {
		url := f.address("generic", args[0]) + args[1] + "/" + args[2] + "/" + version + "/asset.tar.gz"
		if err := f.send(http.MethodPut, url, []byte("hello world"), "application/octet-stream"); err != nil {
			return err
		}
	}
	return nil
}

func (f *fixtures) swift(args []string, _ string) error {
	if !formats()["swift"] {
		return nil
	}
	archive := pypitest.Zip(pypitest.Entry{Name: args[2] + "/Package.swift", Text: "// swift-tools-version:5.8\nimport PackageDescription\nlet package = Package(name: \"" + args[2] + "\")\n"})
	for _, version := range args[3:] {
		contentType, body := pypitest.Form(pypitest.Field{Name: "source-archive", File: args[2] + ".zip", Value: string(archive)})
		if err := f.send(http.MethodPut, f.address("swift", args[0])+args[1]+"/"+args[2]+"/"+version, body, contentType); err != nil {
			return err
		}
	}
	return nil
}

// address is where a repository of a format is, with a slash at the end.
func (f *fixtures) address(format, repository string) string {
	return fmt.Sprintf("%s/%s-111122223333/%s/%s/", f.p.Endpoint, domain, format, repository)
}

// send sends a request of a package manager, which is to succeed.
func (f *fixtures) send(method, url string, body []byte, contentType string) error {
	if f.token == "" {
		out, err := f.api.GetAuthorizationToken(f.t.Context(), &codeartifact.GetAuthorizationTokenInput{Domain: aws.String(domain)})
		if err != nil {
			return err
		}
		f.token = *out.AuthorizationToken
	}
	r, err := http.NewRequestWithContext(f.t.Context(), method, url, strings.NewReader(string(body)))
	if err != nil {
		return err
	}
	r.SetBasicAuth("aws", f.token)
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s", method, url, resp.Status)
	}
	return nil
}
