package scenario

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"

	"github.com/earshot-audio/earshot/internal/decimal"
)

// A reader takes values out of the nodes of a file. It keeps every mistake
// and goes on with a zero value, so that all of them can be reported at once, and
// every value's place by its path, like cast[1].count. It has one method for each kind of
// value, besides those that report mistakes.
type reader struct {
	file    string
	anchors map[string]ast.Node
	places  map[string]ast.Node
	errs    []*Error
}

func (r *reader) fail(node ast.Node, format string, args ...any) {
	r.errs = append(r.errs, newError(r.file, tokenOf(node), fmt.Sprintf(format, args...)))
}

// place finds the node of a path, or of the nearest around it.
func (r *reader) place(path string) *token.Token {
	for {
		if node, ok := r.places[path]; ok {
			return tokenOf(node)
		}
		cut := strings.LastIndexAny(path, ".[")
		if cut < 0 {
			break
		}
		path = path[:cut]
	}
	if node, ok := r.places[""]; ok {
		return tokenOf(node)
	}
	return nil
}

// Visit implements [ast.Visitor]: it collects the anchors.
func (r *reader) Visit(node ast.Node) ast.Visitor {
	if a, ok := node.(*ast.AnchorNode); ok && a.Name != nil && a.Name.GetToken() != nil {
		r.anchors[a.Name.GetToken().Value] = a.Value
	}
	return r
}

// maxAliases bounds a chain of aliases, which could be a circle.
const maxAliases = 16

// resolve returns the node that anchors and aliases lead to.
func (r *reader) resolve(node ast.Node) (ast.Node, bool) {
	for range maxAliases {
		switch n := node.(type) {
		case nil:
			return nil, false
		case *ast.AnchorNode:
			node = n.Value
		case *ast.AliasNode:
			target, ok := r.anchors[n.Value.GetToken().Value]
			if !ok {
				r.fail(n, "there is no anchor %q", n.Value.GetToken().Value)
				return nil, false
			}
			node = target
		case *ast.TagNode:
			r.fail(n, "tags like %s have no meaning in a scenario: leave it out", n.GetToken().Value)
			return nil, false
		default:
			return node, true
		}
	}
	r.fail(node, "the aliases go round in a circle")
	return nil, false
}

// A field is a value under its key, resolved.
type field struct {
	path string
	node ast.Node
}

// fields reads a mapping that may have only the keys given.
func (r *reader) fields(f field, what string, keys ...string) map[string]field {
	pairs, ok := r.pairs(f, what)
	if !ok {
		return nil
	}
	read := make(map[string]field, len(pairs))
	for _, p := range pairs {
		if !slices.Contains(keys, p.key) {
			r.fail(p.at, "%s has no field %q: it has %s", what, p.key, listFor(p.key, keys))
			continue
		}
		read[p.key] = p.field
	}
	return read
}

// A pair is one entry of a mapping.
type pair struct {
	key string
	at  ast.Node
	field
}

// pairs reads a mapping, whose keys are text and occur once.
func (r *reader) pairs(f field, what string) ([]pair, bool) {
	mapping, ok := f.node.(ast.MapNode)
	if !ok {
		r.wrong(f.node, what, "fields and their values")
		return nil, false
	}
	var pairs []pair
	seen := map[string]bool{}
	for i := mapping.MapRange(); i.Next(); {
		entry := i.KeyValue()
		name, ok := entry.Key.(*ast.StringNode)
		if !ok {
			r.fail(entry.Key, "%s has no field %s", what, entry.Key.String())
			continue
		}
		if seen[name.Value] {
			r.fail(name, "%s has the field %q twice", what, name.Value)
			continue
		}
		seen[name.Value] = true
		path := name.Value
		if f.path != "" {
			path = f.path + "." + path
		}
		value, ok := r.resolve(entry.Value)
		if !ok {
			continue
		}
		if _, null := value.(*ast.NullNode); null {
			r.fail(name, "%s has no value: give it one, or leave it out", name.Value)
			continue
		}
		r.places[path] = value
		pairs = append(pairs, pair{name.Value, name, field{path, value}})
	}
	return pairs, true
}

// items reads a list that is not empty.
func (r *reader) items(f field, what string) []field {
	list, ok := f.node.(*ast.SequenceNode)
	if !ok {
		r.wrong(f.node, what, "a list")
		return nil
	}
	if len(list.Values) == 0 {
		r.fail(f.node, "%s is an empty list", what)
		return nil
	}
	items := make([]field, 0, len(list.Values))
	for i, v := range list.Values {
		if node, ok := r.resolve(v); ok {
			path := fmt.Sprintf("%s[%d]", f.path, i)
			r.places[path] = node
			items = append(items, field{path, node})
		}
	}
	return items
}

// integer reads a whole number from low to high.
func (r *reader) integer(f field, what string, low, high int64) int64 {
	number, ok := f.node.(*ast.IntegerNode)
	if !ok {
		r.wrong(f.node, what, "a whole number")
		return low
	}
	if !r.decimal(f.node, what) {
		return low
	}
	var v int64
	switch n := number.Value.(type) {
	case int64:
		v = n
	case uint64:
		if v = int64(n); v < 0 {
			r.fail(f.node, "%s is %d: the largest is %d", what, n, high)
			return low
		}
	}
	switch {
	case v < low:
		r.fail(f.node, "%s is %d: the smallest is %d", what, v, low)
		return low
	case v > high:
		r.fail(f.node, "%s is %d: the largest is %d", what, v, high)
		return low
	}
	return v
}

// decimal refuses a number in another form than people count in.
func (r *reader) decimal(node ast.Node, what string) bool {
	text := node.GetToken().Value
	if !decimal.Is(text) {
		r.fail(node, "%s is %s: %v", what, text, decimal.ErrForm)
		return false
	}
	return true
}

// text reads a string that is not empty.
func (r *reader) text(f field, what string) string {
	var v string
	switch n := f.node.(type) {
	case *ast.StringNode:
		v = n.Value
	case *ast.LiteralNode:
		v = n.Value.Value
	default:
		r.wrong(f.node, what, "text")
		return ""
	}
	if strings.TrimSpace(v) == "" {
		r.fail(f.node, "%s is empty", what)
	}
	return v
}

// duration reads a length of time.
func (r *reader) duration(f field, what string) Duration {
	switch n := f.node.(type) {
	case *ast.IntegerNode, *ast.FloatNode:
		if !r.decimal(n, what) {
			return 0
		}
		r.fail(n, "%s is %s without a unit: write it like %ss", what, n.GetToken().Value, n.GetToken().Value)
		return 0
	}
	text := r.text(f, what)
	if text == "" {
		return 0
	}
	d, err := parseDuration(text)
	if err != nil {
		r.fail(f.node, "%s: %v", what, err)
	}
	return d
}

// choice reads one of a few words.
func choice[T ~string](r *reader, f field, what string, of ...T) T {
	before := len(r.errs)
	v := T(r.text(f, what))
	if len(r.errs) == before && !slices.Contains(of, v) {
		r.fail(f.node, "%s is %q: it can be %s", what, v, listFor(v, of))
	}
	return v
}

// wrong reports a value of the wrong type.
func (r *reader) wrong(node ast.Node, what, want string) {
	is := "something else"
	switch n := node.(type) {
	case ast.MapNode:
		is = "fields and values"
	case *ast.SequenceNode:
		is = "a list"
	case *ast.StringNode, *ast.LiteralNode:
		is = fmt.Sprintf("the text %q", n.GetToken().Value)
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		is = "the number " + n.GetToken().Value
	case *ast.BoolNode:
		is = n.GetToken().Value
	case *ast.NullNode:
		is = "empty"
	}
	r.fail(node, "%s must be %s, and is %s", what, want, is)
}
