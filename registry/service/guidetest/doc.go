// Package guidetest runs every "aws codeartifact" command of the CodeArtifact user guide against "packhouse dev", in the order of the
// guide, and writes docs/guide-commands.md.
//
// A file in testdata is a chapter: a txtar archive whose files lie in the folder that the commands run in, and whose comment is the
// script. A script consists of blocks with an empty line between them. The first characters of a block say what it is.
//
//	== Create a repository             a section of the guide; what follows is in it
//	% publish npm my_repo chalk 4.1.0  a fixture: fixtures_test.go has the verbs
//	+ echo text > file                 a command of the shell that is no part of the table
//	@774 aws codeartifact …            a command of the guide and the line it is on; one that the guide has lost, or has in words
//	                                   only, has no number: "@ aws …"
//
// A command goes on in the next line after a backslash. Lines with a colon after it say more of it:
//
//	: note TEXT       why the command is not what the guide prints, or the answer is not; goes into the table
//	: refused REGEXP  the command fails, and prints this
//	: as ACCOUNT      it is run by an administrator of this account, not of 111122223333
//	: needs FORMAT    it runs when this binary has the format; else the table says that it does not
//	: set NAME        what it prints goes into a variable of the shell, for later commands
//	: outside TEXT    it is not run: what it is about, which is not CodeArtifact
//
// The rest of the block is what the command prints: nothing, lines that begin with "> " and are regular expressions, or JSON, in which a
// string <time>, <revision>, <number>, <token>, <text>, <md5>, <sha1>, <sha256>, <sha512> stands for any value of that form and /…/ for
// a match of a regular expression, and a member whose name begins with "+" is one that the example of the guide leaves out, with "-" one that it
// alone has.
//
// "make guide" runs it all; "make guide UPDATE=1" writes the table. Without the AWS CLI only the scripts and the table are looked at.
package guidetest
