package policy

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Condition is one line of a statement's conditions: all of them must hold, each by one of its values.
type Condition struct {
	Operator string   `json:"operator"` // StringEquals, ForAnyValue:StringLike, NumericLessThanIfExists, …
	Key      string   `json:"key"`      // aws:SourceIp, aws:ResourceTag/team, …
	Values   []string `json:"values"`
}

// condition is a compiled Condition.
type condition struct {
	key      key
	family   family
	compare  comparison // of numbers and dates
	negated  bool       // …Not…: holds if no value matches
	ifExists bool       // holds if the request has not got the key
	set      quantifier
	values   []value
	volatile bool // can hold for one request and not for another of the same principal, action and resource
}

type family uint8

const (
	textEquals family = iota
	textEqualsFold
	textLike
	number
	date
	boolean
	address
	arn
	null
)

type comparison uint8

const (
	equal comparison = iota
	less
	lessOrEqual
	greater
	greaterOrEqual
)

type quantifier uint8

const (
	plain  quantifier = iota
	forAny            // some value of the request
	forAll            // every value of the request
)

// value is one value of a condition, in the form that its operator compares.
type value struct {
	text   pattern
	arn    arnPattern
	number float64
	time   time.Time
	prefix netip.Prefix
	truth  bool
}

// operator is what the name of an operator means.
type operator struct {
	family  family
	compare comparison
	negated bool
}

func parseOperator(name string) (operator, bool) {
	switch name {
	case "StringEquals":
		return operator{family: textEquals}, true
	case "StringNotEquals":
		return operator{family: textEquals, negated: true}, true
	case "StringEqualsIgnoreCase":
		return operator{family: textEqualsFold}, true
	case "StringNotEqualsIgnoreCase":
		return operator{family: textEqualsFold, negated: true}, true
	case "StringLike":
		return operator{family: textLike}, true
	case "StringNotLike":
		return operator{family: textLike, negated: true}, true
	case "Bool":
		return operator{family: boolean}, true
	case "IpAddress":
		return operator{family: address}, true
	case "NotIpAddress":
		return operator{family: address, negated: true}, true
	case "ArnEquals", "ArnLike":
		return operator{family: arn}, true
	case "ArnNotEquals", "ArnNotLike":
		return operator{family: arn, negated: true}, true
	case "Null":
		return operator{family: null}, true
	}
	for _, f := range []struct {
		prefix string
		family family
	}{{"Numeric", number}, {"Date", date}} {
		rest, ok := strings.CutPrefix(name, f.prefix)
		if !ok {
			continue
		}
		switch rest {
		case "Equals":
			return operator{family: f.family}, true
		case "NotEquals":
			return operator{family: f.family, negated: true}, true
		case "LessThan":
			return operator{family: f.family, compare: less}, true
		case "LessThanEquals":
			return operator{family: f.family, compare: lessOrEqual}, true
		case "GreaterThan":
			return operator{family: f.family, compare: greater}, true
		case "GreaterThanEquals":
			return operator{family: f.family, compare: greaterOrEqual}, true
		}
	}
	return operator{}, false
}

func compileCondition(c *Condition, variables bool) (condition, error) {
	name, set := c.Operator, plain
	if rest, ok := strings.CutPrefix(name, "ForAnyValue:"); ok {
		name, set = rest, forAny
	} else if rest, ok := strings.CutPrefix(name, "ForAllValues:"); ok {
		name, set = rest, forAll
	}
	name, ifExists := strings.CutSuffix(name, "IfExists")
	op, ok := parseOperator(name)
	if !ok || op.family == null && (ifExists || set != plain) {
		return condition{}, fmt.Errorf("%q is no operator", c.Operator)
	}
	k, err := parseKey(c.Key)
	if err != nil {
		return condition{}, err
	}
	if len(c.Values) == 0 {
		return condition{}, fmt.Errorf("%s has no value", c.Key)
	}
	out := condition{key: k, family: op.family, compare: op.compare, negated: op.negated, ifExists: ifExists, set: set, volatile: k.volatile()}
	for _, s := range c.Values {
		v, err := compileValue(op.family, s, variables)
		if err != nil {
			return condition{}, fmt.Errorf("%s: %w", c.Key, err)
		}
		out.values = append(out.values, v)
		out.volatile = out.volatile || v.text.volatile() || v.arn.volatile()
	}
	return out, nil
}

func compileValue(f family, s string, variables bool) (v value, err error) {
	if len(s) > maxPattern {
		return v, fmt.Errorf("%.20q… is longer than %d bytes", s, maxPattern)
	}
	switch f {
	case number:
		v.number, err = parseNumber(s)
	case date:
		v.time, err = parseTime(s)
	case boolean, null:
		v.truth, err = parseBool(s)
	case address:
		v.prefix, err = parsePrefix(s)
	case arn:
		v.arn, err = compileARN(s, variables)
	default:
		v.text, err = compilePattern(s, f == textLike, variables)
	}
	return v, err
}

func parseBool(s string) (bool, error) {
	switch {
	case strings.EqualFold(s, "true"):
		return true, nil
	case strings.EqualFold(s, "false"):
		return false, nil
	}
	return false, fmt.Errorf("%q is neither true nor false", s)
}

func parseNumber(s string) (float64, error) {
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
		return 0, fmt.Errorf("%q is no number", s)
	}
	return n, nil
}

// parseTime reads the forms of ISO 8601 that W3C's profile has, and seconds since 1970.
func parseTime(s string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z07:00", "2006-01-02", "2006-01"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil && n > -62e9 && n < 250e9 {
		return time.Unix(n, 0), nil
	}
	return time.Time{}, fmt.Errorf("%q is no time: write 2026-01-31T12:00:00Z or seconds since 1970", s)
}

func parsePrefix(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is no address and no range of addresses like 10.0.0.0/8", s)
	}
	if p.Addr().Is4In6() {
		if p.Bits() < 96 {
			return netip.Prefix{}, errors.New("a range of IPv4 addresses in IPv6 has 96 bits or more")
		}
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p.Masked(), nil
}

// holds says whether a request meets the condition.
func (c *condition) holds(r *Request) bool {
	var room [maxOperands]operand
	have := r.operands(c.key, room[:0])
	if c.family == null {
		return slices.ContainsFunc(c.values, func(v value) bool { return v.truth == (len(have) == 0) })
	}
	if len(have) == 0 {
		switch {
		case c.ifExists || c.set == forAll:
			return true
		case c.set == forAny:
			return false
		}
		return c.negated
	}
	switch c.set {
	case forAny:
		return slices.ContainsFunc(have, func(o operand) bool { return c.some(r, o) != c.negated })
	case forAll:
		return !slices.ContainsFunc(have, func(o operand) bool { return c.some(r, o) == c.negated })
	}
	return slices.ContainsFunc(have, func(o operand) bool { return c.some(r, o) }) != c.negated
}

// some says whether one of the condition's values is the operand.
func (c *condition) some(r *Request, o operand) bool {
	for i := range c.values {
		if c.values[i].is(c, r, o) {
			return true
		}
	}
	return false
}

func (v *value) is(c *condition, r *Request, o operand) bool {
	switch c.family {
	case textEquals, textLike:
		return v.text.match(r, o.String(), false)
	case textEqualsFold:
		return v.text.match(r, o.String(), true)
	case number:
		n, err := parseNumber(o.String())
		return err == nil && c.compare.of(cmpFloat(n, v.number))
	case date:
		t, err := o.time, error(nil)
		if t.IsZero() {
			t, err = parseTime(o.String())
		}
		return err == nil && c.compare.of(t.Compare(v.time))
	case boolean:
		b, err := parseBool(o.String())
		return err == nil && b == v.truth
	case address:
		a := o.addr
		if !a.IsValid() {
			var err error
			if a, err = netip.ParseAddr(o.text); err != nil {
				return false
			}
			a = a.Unmap()
		}
		return v.prefix.Contains(a)
	case arn:
		return v.arn.match(r, o.String())
	}
	return false
}

func cmpFloat(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// of says whether an order (-1, 0, 1) is the one that is asked for.
func (c comparison) of(order int) bool {
	switch c {
	case less:
		return order < 0
	case lessOrEqual:
		return order <= 0
	case greater:
		return order > 0
	case greaterOrEqual:
		return order >= 0
	}
	return order == 0
}
