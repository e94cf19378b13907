package sql

import (
	dbsql "database/sql"
	"encoding/json"
	"strconv"
	"strings"
	"sync"
)

// dialect is what differs between the databases. Statements are written with "?" for arguments and one of the forms below.
type dialect struct {
	name string
	// words replaces {{...}} in the schema.
	words map[string]string
	// in is a condition that a column has one of the values of a list argument, without the column: " IN (…)".
	in string
	// inText is in for texts.
	inText string
	// list makes a list argument of 64-bit numbers or texts.
	list func(any) any
	// lock is what a SELECT ends with that locks its rows, share what it ends with that keeps them from being changed.
	lock, share string
	// now is the database's time in microseconds: replicas need not agree on theirs.
	now      string
	numbered bool             // arguments are $1, $2, …
	reading  *dbsql.TxOptions // of a transaction that reads one state; nil: any does
	texts    sync.Map
}

func sqliteDialect() *dialect {
	return &dialect{
		name: "sqlite3",
		words: map[string]string{
			"ID": "INTEGER PRIMARY KEY AUTOINCREMENT", "TEXT": "TEXT", "BYTES": "BLOB", "OVERRIDING": "",
		},
		now: `CAST(unixepoch('subsec') * 1000000 AS INTEGER)`,
		in:  " IN (SELECT value FROM json_each(?))", inText: " IN (SELECT value FROM json_each(?))",
		list: func(v any) any {
			b, err := json.Marshal(v)
			if err != nil { // numbers and texts only
				panic(err)
			}
			return string(b)
		},
	}
}

func postgresDialect() *dialect {
	return &dialect{
		name: "postgres",
		words: map[string]string{
			"ID": "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY", "TEXT": `TEXT COLLATE "C"`, "BYTES": "BYTEA", "OVERRIDING": "OVERRIDING SYSTEM VALUE",
		},
		in: " = ANY(?::bigint[])", inText: " = ANY(?::text[])",
		list: func(v any) any { return v },
		now:  clock,
		lock: " FOR UPDATE", share: " FOR SHARE", numbered: true,
		reading: &dbsql.TxOptions{Isolation: dbsql.LevelRepeatableRead, ReadOnly: true},
	}
}

// render fills in the schema.
func (d *dialect) render(text string) string {
	for word, with := range d.words {
		text = strings.ReplaceAll(text, "{{"+word+"}}", with)
	}
	return text
}

// text turns "?" into the dialect's arguments, "{in}", "{inText}", "{lock}", "{share}" and "{now}" into its forms. No statement has any of
// these in a literal.
func (d *dialect) text(query string) string {
	if t, ok := d.texts.Load(query); ok {
		return t.(string)
	}
	out := strings.NewReplacer("{in}", d.in, "{inText}", d.inText, "{lock}", d.lock, "{share}", d.share, "{now}", d.now).Replace(query)
	if d.numbered {
		var b strings.Builder
		n := 0
		for i := range len(out) {
			if out[i] != '?' {
				b.WriteByte(out[i])
				continue
			}
			n++
			b.WriteByte('$')
			b.WriteString(strconv.Itoa(n))
		}
		out = b.String()
	}
	d.texts.Store(query, out)
	return out
}
