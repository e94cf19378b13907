package policy

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxPattern is the length of one action, resource or value, in bytes.
const maxPattern = 1024

// pattern is text with wildcards ("*" any characters, "?" one) and variables (${aws:username}).
type pattern struct {
	raw    string
	tokens []token // nil: raw is literal
	vars   bool    // tokens has variables
}

type token struct {
	kind     tokenKind
	text     string // literal, or the default of a variable
	key      key    // of a variable
	fallback bool   // a variable has a default
}

type tokenKind uint8

const (
	literal tokenKind = iota
	anyText
	oneRune
	variable
)

// compilePattern reads a pattern. Without variables, "${" is literal, as in documents of 2008. Without wildcards, "*" and "?" are.
func compilePattern(raw string, wildcards, variables bool) (pattern, error) {
	if len(raw) > maxPattern {
		return pattern{}, fmt.Errorf("%.20q… is longer than %d bytes", raw, maxPattern)
	}
	p := pattern{raw: raw}
	var toks []token
	text := 0 // where the literal text began that is not in toks yet
	flush := func(end int) {
		if end > text {
			toks = append(toks, token{text: raw[text:end]})
		}
	}
	special := false
	for i := 0; i < len(raw); {
		switch {
		case variables && strings.HasPrefix(raw[i:], "${"):
			end := strings.IndexByte(raw[i:], '}')
			if end < 0 {
				return pattern{}, fmt.Errorf("%q: a variable has no end", raw)
			}
			tok, err := compileVariable(raw[i+2 : i+end])
			if err != nil {
				return pattern{}, fmt.Errorf("%q: %w", raw, err)
			}
			flush(i)
			toks = append(toks, tok)
			special, p.vars = true, p.vars || tok.kind == variable
			i += end + 1
			text = i
		case wildcards && (raw[i] == '*' || raw[i] == '?'):
			flush(i)
			kind := oneRune
			if raw[i] == '*' {
				kind = anyText
			}
			if kind != anyText || len(toks) == 0 || toks[len(toks)-1].kind != anyText {
				toks = append(toks, token{kind: kind})
			}
			special = true
			i++
			text = i
		default:
			i++
		}
	}
	if special {
		flush(len(raw))
		p.tokens = toks
	}
	return p, nil
}

// compileVariable reads what stands between "${" and "}": a key, a key with a default (${aws:username, 'nobody'}) or one of the
// characters that would be special (${*}).
func compileVariable(s string) (token, error) {
	if s == "*" || s == "?" || s == "$" {
		return token{text: s}, nil
	}
	name, def, has := strings.Cut(s, ",")
	k, err := parseKey(strings.TrimSpace(name))
	if err != nil {
		return token{}, err
	}
	if k.multiple() {
		return token{}, fmt.Errorf("the variable %s may have several values", name)
	}
	tok := token{kind: variable, key: k, fallback: has}
	if has {
		def = strings.TrimSpace(def)
		if len(def) < 2 || def[0] != '\'' || def[len(def)-1] != '\'' {
			return token{}, errors.New("the default of a variable stands in single quotes")
		}
		tok.text = def[1 : len(def)-1]
	}
	return tok, nil
}

// resolve puts the values of a request in place of variables. They are literal: a user called "*" matches nothing else. ok is false
// if a variable has no value and no default; then the pattern matches nothing.
func (p *pattern) resolve(r *Request) (_ []token, ok bool) {
	if !p.vars {
		return p.tokens, true
	}
	out := make([]token, 0, len(p.tokens))
	for _, t := range p.tokens {
		if t.kind == variable {
			var room [maxOperands]operand
			got := r.operands(t.key, room[:0])
			switch {
			case len(got) == 1:
				t = token{text: got[0].String()}
			case t.fallback:
				t = token{text: t.text}
			default:
				return nil, false
			}
		}
		out = append(out, t)
	}
	return out, true
}

// match compares a whole string with the pattern.
func (p *pattern) match(r *Request, s string, fold bool) bool {
	if p.tokens == nil {
		return p.raw == s || fold && strings.EqualFold(p.raw, s)
	}
	toks, ok := p.resolve(r)
	return ok && matchTokens(toks, s, fold)
}

// volatile says whether a variable depends on the request.
func (p *pattern) volatile() bool {
	for _, t := range p.tokens {
		if t.kind == variable && t.key.volatile() {
			return true
		}
	}
	return false
}

// matchTokens is the greedy algorithm with one point of return, the last "*": at most len(s) × len(toks) steps.
func matchTokens(toks []token, s string, fold bool) bool {
	ti, si, star, mark := 0, 0, -1, 0
	for {
		if ti == len(toks) {
			if si == len(s) {
				return true
			}
		} else if n, ok := toks[ti].step(s[si:], fold); ok {
			if toks[ti].kind == anyText {
				if ti+1 == len(toks) {
					return true
				}
				star, mark = ti, si
			}
			ti, si = ti+1, si+n
			continue
		}
		if star < 0 || mark >= len(s) {
			return false
		}
		_, n := utf8.DecodeRuneInString(s[mark:])
		mark += n
		ti, si = star+1, mark
	}
}

// step says how many bytes of s the token takes.
func (t *token) step(s string, fold bool) (int, bool) {
	switch t.kind {
	case anyText:
		return 0, true
	case oneRune:
		_, n := utf8.DecodeRuneInString(s)
		return n, n > 0
	default:
		n := len(t.text)
		if len(s) < n {
			return 0, false
		}
		return n, s[:n] == t.text || fold && strings.EqualFold(s[:n], t.text)
	}
}

// arnPattern compares ARNs part by part: a wildcard does not cross from one of the six parts into the next.
type arnPattern struct {
	all   bool // "*"
	parts [6]pattern
}

func compileARN(raw string, variables bool) (arnPattern, error) {
	if raw == "*" {
		return arnPattern{all: true}, nil
	}
	var out arnPattern
	rest := raw
	for i := range 5 {
		end := colon(rest)
		if end < 0 {
			return arnPattern{}, fmt.Errorf("%q is no ARN: it has six parts, with colons between them", raw)
		}
		p, err := compilePattern(rest[:end], true, variables)
		if err != nil {
			return arnPattern{}, err
		}
		out.parts[i], rest = p, rest[end+1:]
	}
	p, err := compilePattern(rest, true, variables)
	out.parts[5] = p
	return out, err
}

// colon finds the first colon that is not in a variable.
func colon(s string) int {
	for i := 0; i < len(s); i++ {
		if strings.HasPrefix(s[i:], "${") {
			if end := strings.IndexByte(s[i:], '}'); end > 0 {
				i += end
				continue
			}
		}
		if s[i] == ':' {
			return i
		}
	}
	return -1
}

func (p *arnPattern) match(r *Request, s string) bool {
	if p.all {
		return true
	}
	for i := range 5 {
		part, rest, ok := strings.Cut(s, ":")
		if !ok || !p.parts[i].match(r, part, false) {
			return false
		}
		s = rest
	}
	return p.parts[5].match(r, s, false)
}

func (p *arnPattern) volatile() bool {
	for i := range p.parts {
		if p.parts[i].volatile() {
			return true
		}
	}
	return false
}
