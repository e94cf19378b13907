package guidetest_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// guideFile is the text of the guide, which is no part of the project: where it is not, nobody looks.
const guideFile = "../../../../shared/guide/codeartifact-user-guide.txt"

var (
	// occurrence is a command at the beginning of a text; in sentences, no option follows the operation.
	occurrence = regexp.MustCompile(`^aws codeartifact (?:[a-z]+(?:-\s*[a-z]+)*[\s\\^]*--|(?:help|list-repositories)\n)`)
	// otherService is a command of the guide for something else, which the table says.
	otherService = regexp.MustCompile(`^(?:\$ )?aws (?:ec2|events|lambda) `)
	// squeezed is a command without what says nothing: how lines and listings are broken, and the underscore of the guide's domain.
	squeezed = strings.NewReplacer(" ", "", "\n", "", "\t", "", `\`, "", "^", "", "```", "", "my_domain", "my-domain")
)

// uncovered lists the commands of the guide that no row runs, and rows that are not what the guide has in their line and do not say why.
func uncovered(guide string, rows []item) []string {
	lines := strings.Split(guide, "\n")
	var problems []string
	for i, line := range lines {
		at := strings.Index(line, "aws codeartifact ")
		codeArtifact := at >= 0 && occurrence.MatchString(strings.Join(lines[i:min(i+3, len(lines))], "\n")[at:])
		if !codeArtifact && !otherService.MatchString(line) {
			continue
		}
		if !slices.ContainsFunc(rows, func(it item) bool { return it.guide == i+1 }) {
			problems = append(problems, fmt.Sprintf("line %d of the guide has no row: %s", i+1, line))
		}
	}
	for _, it := range rows {
		if it.guide == 0 || it.guide > len(lines) {
			continue
		}
		if p := differs(strings.Join(lines[it.guide-1:min(it.guide+15, len(lines))], "\n"), it); p != "" {
			problems = append(problems, fmt.Sprintf("row %d of section %q: %s", it.line, it.section, p))
		}
	}
	return problems
}

// differs tells how a row is another command than the guide's text, which begins in the row's line. What comes after a pipe only reads
// the answer. With a note a row may be another command, as long as the operation is the same.
func differs(text string, it item) string {
	word, _, _ := strings.Cut(it.command, " ")
	if at := strings.Index(it.command, "aws codeartifact"); at >= 0 {
		word = "aws codeartifact"
	}
	at := strings.Index(text, word)
	if at < 0 {
		return fmt.Sprintf("the guide has no %s in line %d", word, it.guide)
	}
	text = text[at:]
	command, _, _ := strings.Cut(it.command[strings.Index(it.command, word):], " | ")
	if len(it.notes) > 0 {
		command, _, _ = strings.Cut(command, " -")
		command, _, _ = strings.Cut(command, "=")
	}
	if !strings.HasPrefix(squeezed.Replace(text), squeezed.Replace(command)) {
		return fmt.Sprintf("line %d of the guide has another command, and no note says why: %s", it.guide, oneLine(command))
	}
	return ""
}

// TestGuideIsCovered: every command of the guide has a row. Machines that do not have the guide cannot tell.
func TestGuideIsCovered(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile(guideFile)
	if err != nil {
		t.Skipf("SKIPPED: the guide is not here: %v", err)
	}
	var rows []item
	for _, c := range chapters(t) {
		rows = append(rows, c.rows()...)
	}
	for _, p := range uncovered(string(guide), rows) {
		t.Error(p)
	}
}

func TestUncovered(t *testing.T) {
	t.Parallel()
	const guide = "Use `aws codeartifact login` to log in.\n\n```\naws codeartifact delete-domain --domain my_domain \\  \n  --domain-\nowner 1\n```\naws codeartifact list-repositories\n$ aws ec2 describe-vpcs\n"
	tests := map[string]struct {
		rows     []item
		problems int
	}{
		"all":             {[]item{{guide: 4, command: "aws codeartifact delete-domain --domain my-domain --domain-owner 1"}, {guide: 8, command: "aws codeartifact list-repositories"}, {guide: 9, command: "aws ec2 describe-vpcs"}}, 0},
		"none":            {nil, 3},
		"another":         {[]item{{guide: 4, command: "aws codeartifact delete-domain --domain yours"}, {guide: 8, command: "aws codeartifact list-repositories"}, {guide: 9, command: "aws ec2 describe-vpcs"}}, 1},
		"with a note":     {[]item{{guide: 4, notes: []string{"x"}, command: "aws codeartifact delete-domain --domain yours"}, {guide: 8, command: "aws codeartifact list-repositories"}, {guide: 9, command: "aws ec2 describe-vpcs"}}, 0},
		"other operation": {[]item{{guide: 4, notes: []string{"x"}, command: "aws codeartifact create-domain"}, {guide: 8, command: "aws codeartifact list-repositories"}, {guide: 9, command: "aws ec2 describe-vpcs"}}, 1},
	}
	for name, tt := range tests {
		if got := uncovered(guide, tt.rows); len(got) != tt.problems {
			t.Errorf("%s: %q", name, got)
		}
	}
}
