package guidetest_test

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// tableFile is what a run writes.
const tableFile = "../../../docs/guide-commands.md"

const preface = `<!-- Written by make guide UPDATE=1 from a run of registry/service/guidetest. Do not edit. -->

# The commands of the CodeArtifact user guide

Every ` + "`aws codeartifact`" + ` command of the guide, in its order, run with the AWS CLI against ` + "`packhouse dev`" + `; so are the package managers that it configures.
What a command prints is compared with the example of the guide: members, types, names, statuses, versions, numbers, origins, ARNs.
How to use the API is told in [the service API](service-api.md).

One difference holds for all: the guide writes ` + "`my_domain`" + `, which the service model forbids; here it is ` + "`my-domain`" + `. Where the remark names
members, the answer has them beside those of the example, as the service model says.

`

// table is the document. Rows for which there is no format are there as such; all others did what they are to do.
func table(all []chapter, known map[string]bool) []byte {
	var rows bytes.Buffer
	printed, corrected, refused, missing, outside := 0, 0, 0, 0, 0
	section := ""
	for _, c := range all {
		for _, it := range c.rows() {
			remarks, result := strings.Join(it.notes, "; "), ""
			switch {
			case it.outside != "":
				outside++
				result, remarks = "out of scope", it.outside
			case it.needs != "" && !known[it.needs]:
				missing++
				result = "format " + it.needs + " is not served"
			case it.refused != "":
				refused++
				result = "refused"
			case remarks != "":
				corrected++
				result = "works, changed"
			default:
				printed++
				result = "works as printed"
			}
			for _, m := range []struct{ word, mark string }{{"also", more}, {"without", less}} {
				if list := marked(it.want, m.mark); len(list) > 0 {
					remarks = strings.TrimPrefix(remarks+"; "+m.word+" `"+strings.Join(list, "`, `")+"`", "; ")
				}
			}
			shown := ""
			if it.section != section {
				section, shown = it.section, it.section
			}
			fmt.Fprintf(&rows, "| %s | %s | %s | %s |\n", shown, code(it.command), result, cell(remarks))
		}
	}
	out := bytes.NewBufferString(preface)
	fmt.Fprintf(out, "%d commands: %d work as printed, %d work with a change that the remark tells, %d are refused as they should be", printed+corrected+refused+missing+outside, printed, corrected, refused)
	if missing > 0 {
		fmt.Fprintf(out, ", %d are for formats that are not served", missing)
	}
	if outside > 0 {
		fmt.Fprintf(out, ", %d are of other services", outside)
	}
	out.WriteString(".\n\n| section of the guide | command | result | remark |\n|---|---|---|---|\n")
	out.Write(rows.Bytes())
	return out.Bytes()
}

func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }

// code is a command in a cell.
func code(command string) string {
	mark := "`"
	if strings.Contains(command, mark) {
		mark = "``"
	}
	return mark + cell(oneLine(command)) + mark
}

// checkTable holds the committed table against all rows, or writes it.
func checkTable(t *testing.T, all []chapter, update bool) {
	t.Helper()
	want := table(all, formats())
	if update {
		if err := os.WriteFile(tableFile, want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(tableFile)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("docs/guide-commands.md is not what a run gives; make guide UPDATE=1 writes it:\n%s", d)
	}
}

// TestTable: nobody changed the scripts or the table alone.
func TestTable(t *testing.T) {
	t.Parallel()
	if os.Getenv("UPDATE") != "" {
		t.Skip("the run writes it")
	}
	checkTable(t, chapters(t), false)
}
