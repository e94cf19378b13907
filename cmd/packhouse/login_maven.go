package main

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// mavenServer is the id under which mvn knows the repository: of its credentials, of the mirror, and for distributionManagement.
const mavenServer = "packhouse"

var errNoMavenScopes = errors.New("--scope: Maven packages have no scopes")

// mvnSteps write the user's settings.xml: credentials, and a mirror, so that everything comes from the repository (guide, "Restrict
// Maven dependency downloads to a CodeArtifact repository"). mvn has no command for it.
func mvnSteps(_ context.Context, s *settings) ([]step, error) {
	if s.scope != "" {
		return nil, errNoMavenScopes
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return nil, err
	}
	file := filepath.Join(home, ".m2", "settings.xml")
	old, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	if _, err := mavenSettings(string(old), s.registry); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return []step{{
		file: file, line: fmt.Sprintf("server %s, and a mirror of everything at %s", mavenServer, s.registry),
		rewrite: func(old string) string {
			text, err := mavenSettings(old, s.registry)
			if err != nil {
				return old // it was read a moment ago
			}
			return text
		},
	}}, nil
}

// mavenSettings puts server and mirror into a settings.xml, in the place of those of an earlier login.
func mavenSettings(old, registry string) (string, error) {
	file := xmlFile{tool: "mvn", root: "settings", what: "settings.xml", name: mavenServer, named: func(d *xml.Decoder, e xml.StartElement) (string, error) {
		var own struct {
			ID string `xml:"id"`
		}
		err := d.DecodeElement(&own, &e)
		return strings.TrimSpace(own.ID), err
	}}
	return file.with(old, []xmlElement{
		{"mirrors", "<mirror><id>" + mavenServer + "</id><mirrorOf>*</mirrorOf><url>" + xmlText(registry) + "</url></mirror>"},
		{"servers", "<server><id>" + mavenServer + "</id><username>aws</username><password>" + placeholder + "</password></server>"}, // last: the placeholder is no XML
	})
}

// gradleSteps write an init script, which Gradle reads before every build: the repository for dependencies of all projects, and for
// publishing where the plugin maven-publish is used.
func gradleSteps(_ context.Context, s *settings) ([]step, error) {
	if s.scope != "" {
		return nil, errNoMavenScopes
	}
	dir := os.Getenv("GRADLE_USER_HOME")
	if dir == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return nil, err
		}
		dir = filepath.Join(home, ".gradle")
	}
	return []step{{
		file: filepath.Join(dir, "init.d", "packhouse.gradle"), line: "the repository packhouse is " + s.registry,
		rewrite: func(string) string { return gradleScript(s.registry) },
	}}, nil
}

// gradleScript works from Gradle 4 on, whose repositories do not know allowInsecureProtocol.
func gradleScript(registry string) string {
	insecure := ""
	if strings.HasPrefix(registry, "http:") {
		insecure = "        if (it.hasProperty('allowInsecureProtocol')) { allowInsecureProtocol = true }\n"
	}
	return `// Written by packhouse login gradle, which writes it anew each time.
def packhouse = { repositories ->
    repositories.maven {
        name = 'packhouse'
        url = '` + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(registry) + `'
` + insecure + `        credentials {
            username = 'aws'
            password = '` + placeholder + `'
        }
    }
}
allprojects { project ->
    packhouse(project.repositories)
    project.plugins.withId('maven-publish') { packhouse(project.publishing.repositories) }
}
`
}
