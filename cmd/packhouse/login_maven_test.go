package main

import (
	"encoding/xml"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const mavenBegin = "<!-- begin: written by packhouse login mvn -->"

const mavenAddress = "http://127.0.0.1:4873/my-domain-111122223333/maven/my-repo/"

func TestMavenSettings(t *testing.T) {
	t.Parallel()
	const other = "<server><id>other</id><password>p</password></server>"
	tests := map[string]struct{ old, err string }{
		"no file":           {"", ""},
		"no sections":       {"<?xml version=\"1.0\"?>\n<settings xmlns=\"http://maven.apache.org/SETTINGS/1.0.0\">\n  <offline>false</offline>\n</settings>\n", ""},
		"sections":          {"<settings><servers>" + other + "</servers><mirrors>\n</mirrors></settings>", ""},
		"empty sections":    {"<settings><servers/><mirrors /></settings>", ""},
		"only in a comment": {"<settings><!-- <servers></servers> --><servers><!-- <server><id>packhouse</id></server> --></servers></settings>", ""},
		"deeper":            {"<settings><profiles><profile><servers/></profile></profiles></settings>", ""},
		"one of that name":  {"<settings><servers><server><id>packhouse</id></server></servers></settings>", "login did not write"},
		"something else":    {"<project/>", "no settings.xml"},
		"cut off":           {"<settings><servers>", "cannot be read"},
		"our end is gone":   {"<settings>" + mavenBegin + "</settings>", "has no end"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := mavenSettings(tc.old, mavenAddress)
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Errorf("got %q, %v, want %q", got, err, tc.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got = strings.ReplaceAll(got, placeholder, secret)
			var read struct {
				Servers []struct {
					ID       string `xml:"id"`
					Password string `xml:"password"`
				} `xml:"servers>server"`
				Mirrors []struct {
					URL string `xml:"url"`
				} `xml:"mirrors>mirror"`
			}
			if err := xml.Unmarshal([]byte(got), &read); err != nil {
				t.Fatalf("%v\n%s", err, got)
			}
			want := []string{"packhouse " + secret}
			if strings.Contains(tc.old, other) {
				want = append(want, "other p")
			}
			var have []string
			for _, s := range read.Servers {
				have = append(have, s.ID+" "+s.Password)
			}
			if diff := cmp.Diff(want, have); diff != "" || len(read.Mirrors) != 1 || read.Mirrors[0].URL != mavenAddress {
				t.Errorf("%s%+v\n%s", diff, read.Mirrors, got)
			}
			again, err := mavenSettings(got, mavenAddress)
			if err != nil || strings.Count(again, "<mirror>") != strings.Count(got, "<mirror>") || strings.Count(again, "<server>") != strings.Count(got, "<server>") {
				t.Errorf("a second login gives %v\n%s", err, again)
			}
			again = strings.ReplaceAll(again, placeholder, secret)
			third, err := mavenSettings(again, mavenAddress)
			if diff := cmp.Diff(again, strings.ReplaceAll(third, placeholder, secret)); diff != "" || err != nil {
				t.Errorf("a third login differs: %v %s", err, diff)
			}
		})
	}
}

func TestMavenSteps(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("GRADLE_USER_HOME", "")
	for file, make := range map[string]func() ([]step, error){
		".m2/settings.xml":                func() ([]step, error) { return mvnSteps(t.Context(), &settings{registry: mavenAddress}) },
		".gradle/init.d/packhouse.gradle": func() ([]step, error) { return gradleSteps(t.Context(), &settings{registry: mavenAddress}) },
	} {
		steps, err := make()
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range steps {
			if strings.Contains(s.String(), secret) || !strings.Contains(s.String(), mavenAddress) {
				t.Errorf("a dry run says %s", s)
			}
			if err := s.run(t.Context(), secret); err != nil {
				t.Fatal(err)
			}
		}
		path := filepath.Join(home, file)
		data, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(data), secret) || strings.Contains(string(data), placeholder) || !strings.Contains(string(data), mavenAddress) {
			t.Errorf("%s: %v\n%s", file, err, data)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", file, info.Mode(), err)
		}
	}
	for _, make := range []func() ([]step, error){
		func() ([]step, error) { return mvnSteps(t.Context(), &settings{registry: mavenAddress, scope: "@x"}) },
		func() ([]step, error) {
			return gradleSteps(t.Context(), &settings{registry: mavenAddress, scope: "@x"})
		},
	} {
		if _, err := make(); err == nil {
			t.Error("a scope was taken")
		}
	}
}
