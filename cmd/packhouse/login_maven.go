package main

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// mavenServer is the id under which mvn knows the repository: of its credentials, of the mirror, and for distributionManagement.
const mavenServer = "packhouse"

// The lines around what login writes into settings.xml, so that the next login finds it.
const (
	mavenBegin = "<!-- begin: written by packhouse login mvn -->"
	mavenEnd   = "<!-- end: written by packhouse login mvn -->"
)

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

// mavenSettings puts server and mirror into a settings.xml, in the place of those of an earlier login. Comments and everything else
// stay as they are.
func mavenSettings(old, registry string) (string, error) {
	text, err := withoutMavenBlocks(old)
	if err != nil {
		return "", err
	}
	if strings.TrimSpace(text) == "" {
		text = "<settings>\n</settings>\n"
	}
	var address strings.Builder
	if err := xml.EscapeText(&address, []byte(registry)); err != nil {
		return "", err
	}
	for _, part := range []struct{ section, element string }{
		{"mirrors", "<mirror><id>" + mavenServer + "</id><mirrorOf>*</mirrorOf><url>" + address.String() + "</url></mirror>"},
		// Last: the placeholder is no XML.
		{"servers", "<server><id>" + mavenServer + "</id><username>aws</username><password>" + placeholder + "</password></server>"},
	} {
		if text, err = withElement(text, part.section, part.element); err != nil {
			return "", err
		}
	}
	return text, nil
}

func withoutMavenBlocks(text string) (string, error) {
	for {
		before, rest, found := strings.Cut(text, mavenBegin)
		if !found {
			return text, nil
		}
		_, after, ended := strings.Cut(rest, mavenEnd)
		if !ended {
			return "", fmt.Errorf("the line %s has no end; take out what login wrote, and the line", mavenBegin)
		}
		text = strings.TrimRight(before, " ") + strings.TrimPrefix(after, "\n")
	}
}

// withElement adds an element to a section of settings, which is made if it is not there.
func withElement(text, section, element string) (string, error) {
	at, err := findSection(text, section)
	if err != nil {
		return "", err
	}
	block := mavenBegin + element + mavenEnd + "\n"
	switch {
	case at.end == 0:
		block = mavenBegin + "<" + section + ">" + element + "</" + section + ">" + mavenEnd + "\n"
		return text[:at.root] + block + text[at.root:], nil
	case at.end == at.start: // <servers/>
		return text[:at.begin] + "<" + section + ">" + block + "</" + section + ">" + text[at.end:], nil
	}
	return text[:at.start] + "\n" + block + strings.TrimPrefix(text[at.start:], "\n"), nil
}

// sectionAt is where a section of settings stands, in bytes: begin and start are before and behind its first tag, end is behind its
// last, 0 if there is none. root is before the last tag of all.
type sectionAt struct{ begin, start, end, root int64 }

func findSection(text, section string) (at sectionAt, err error) {
	d := xml.NewDecoder(strings.NewReader(text))
	depth := 0
	for {
		before := d.InputOffset()
		t, err := d.Token()
		if errors.Is(err, io.EOF) && at.root > 0 {
			return at, nil
		}
		if err != nil {
			return at, fmt.Errorf("it cannot be read: %w", err)
		}
		switch t := t.(type) {
		case xml.StartElement:
			depth++
			switch {
			case depth == 1 && t.Name.Local != "settings":
				return at, fmt.Errorf("it is no settings.xml: its element is <%s>", t.Name.Local)
			case depth == 2 && t.Name.Local == section:
				at.begin, at.start = before, d.InputOffset()
			case depth == 3 && at.start > 0 && at.end == 0:
				var own struct {
					ID string `xml:"id"`
				}
				if err := d.DecodeElement(&own, &t); err != nil {
					return at, fmt.Errorf("it cannot be read: %w", err)
				}
				depth--
				if strings.TrimSpace(own.ID) == mavenServer {
					return at, fmt.Errorf("it has a %s with the id %s that login did not write; give that another id, or take it out", t.Name.Local, mavenServer)
				}
			}
		case xml.EndElement:
			if depth == 2 && t.Name.Local == section {
				at.end = d.InputOffset()
			}
			if depth == 1 {
				at.root = before
			}
			depth--
		}
	}
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
