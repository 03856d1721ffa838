package scenario

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/earshot-audio/earshot/internal/plaintext"
	"github.com/earshot-audio/earshot/loadgen/speech"
	"github.com/earshot-audio/earshot/scenarios"
)

// BuiltIn begins the path of a scenario that comes with earshot, such as
// "builtin:smoke".
const BuiltIn = speech.BuiltIn

// Load reads a scenario file, or one that comes with earshot (see [BuiltIn]), and
// checks that the recordings it names can be played. Every mistake in it is an
// [*Error] with its line and column; several are joined, in the order of the file.
func Load(path string) (*Scenario, error) {
	var src []byte
	var err error
	if name, ok := strings.CutPrefix(path, BuiltIn); ok {
		src, err = scenarios.Read(name)
	} else {
		src, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, fmt.Errorf("read scenario: %w", err)
	}
	return LoadText(path, src)
}

// LoadText is [Load] for a text that was read already, from what path names.
func LoadText(path string, src []byte) (*Scenario, error) {
	r := newReader(path)
	s, err := r.scenario(src)
	if err != nil {
		return nil, err
	}
	checked := map[string]bool{}
	for i, g := range s.Cast {
		for j, audio := range g.Audio {
			if checked[audio] {
				continue
			}
			checked[audio] = true
			place := fmt.Sprintf("cast[%d].audio[%d]", i, j)
			length, err := speech.Length(audio)
			if err != nil {
				e := newError(path, r.place(place), err.Error())
				e.Err = err
				r.errs = append(r.errs, e)
			} else if text := s.hidesMixUps(audio, length); text != "" {
				s.Warnings = append(s.Warnings, r.warning(problem{place, text}))
			}
		}
	}
	if err := r.err(); err != nil {
		return nil, err
	}
	return s, nil
}

// Parse reads a scenario from memory, under the name of the file it came from:
// paths of recordings are relative to that file's folder. The recordings
// themselves are not looked at. Errors are those of [Load].
func Parse(name string, src []byte) (*Scenario, error) {
	return newReader(name).scenario(src)
}

func newReader(file string) *reader {
	return &reader{file: file, anchors: map[string]ast.Node{}, places: map[string]ast.Node{}}
}

// scenario reads and validates a whole file.
func (r *reader) scenario(src []byte) (*Scenario, error) {
	root, err := r.document(src)
	if err != nil {
		return nil, err
	}
	s := r.root(root)
	if err := r.err(); err != nil {
		return nil, err
	}
	for _, p := range s.problems() {
		r.errs = append(r.errs, newError(r.file, r.place(p.path), p.message))
	}
	if err := r.err(); err != nil {
		return nil, err
	}
	for _, p := range s.doubts() {
		s.Warnings = append(s.Warnings, r.warning(p))
	}
	return s, nil
}

// warning is what is said of something that is allowed but probably not meant.
func (r *reader) warning(p problem) string {
	w := newError(r.file, r.place(p.path), p.message)
	w.Source = ""
	return w.Error()
}

// err joins the errors so far in the order of their places.
func (r *reader) err() error {
	slices.SortStableFunc(r.errs, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	errs := make([]error, len(r.errs))
	for i, e := range r.errs {
		errs[i] = e
	}
	return errors.Join(errs...)
}

// document parses the YAML and returns its one document's root.
func (r *reader) document(src []byte) (field, error) {
	if len(src) > maxSource {
		return field{}, &Error{File: r.file, Line: 1, Column: 1, Message: fmt.Sprintf("the scenario has %d bytes: the largest has %d", len(src), maxSource)}
	}
	src, err := plaintext.Decode(src)
	var other *plaintext.EncodingError
	if errors.As(err, &other) {
		return field{}, &Error{File: r.file, Line: other.Line, Column: other.Column, Message: err.Error(), Err: err}
	}
	tokens := lexer.Tokenize(string(src))
	if deep := tooDeep(tokens); deep != nil {
		return field{}, &Error{
			File: r.file, Line: deep.Position.Line, Column: deep.Position.Column,
			Message: "brackets are nested deeper than any scenario's",
		}
	}
	file, err := parser.Parse(tokens, 0)
	if err != nil {
		var placed interface {
			GetMessage() string
			GetToken() *token.Token
		}
		if errors.As(err, &placed) {
			e := newError(r.file, placed.GetToken(), plainSyntax(placed.GetMessage()))
			e.Err = err
			return field{}, e
		}
		return field{}, fmt.Errorf("%s: %w", r.file, err)
	}
	var bodies []ast.Node
	for _, doc := range file.Docs {
		if doc.Body != nil {
			bodies = append(bodies, doc.Body)
		}
	}
	if len(bodies) == 0 {
		return field{}, &Error{File: r.file, Line: 1, Column: 1, Message: "the scenario is empty"}
	}
	if len(bodies) > 1 {
		return field{}, newError(r.file, tokenOf(bodies[1]), "a second document begins: a file holds one scenario")
	}
	ast.Walk(r, bodies[0])
	root, ok := r.resolve(bodies[0])
	if !ok {
		return field{}, r.err()
	}
	r.places[""] = root
	return field{node: root}, nil
}

// The bounds of what is parsed: the library takes time, and errors space, by the
// square of the depth.
const (
	maxSource = 1 << 20
	maxDepth  = 32
)

// tooDeep is the token at which flow collections are nested too deep, or nil.
func tooDeep(tokens token.Tokens) *token.Token {
	depth := 0
	for _, tk := range tokens {
		switch tk.Type {
		case token.SequenceStartType, token.MappingStartType:
			if depth++; depth > maxDepth {
				return tk
			}
		case token.SequenceEndType, token.MappingEndType:
			depth--
		}
	}
	return nil
}

// maxCount bounds the numbers of people. A run with more in all is refused later,
// but before anything is allocated for them.
const maxCount = 1_000_000

func (r *reader) root(f field) *Scenario {
	s := defaults()
	scenarioForm().read(r, f, s)
	if s.Room.Capacity == 0 {
		s.Room.Capacity = max(s.Listeners(), 1)
	}
	return s
}

// require reports missing fields.
func (r *reader) require(f field, fields map[string]field, what string, keys ...string) {
	for _, key := range keys {
		if _, ok := fields[key]; !ok && !r.failedAt(f, key) {
			r.fail(f.node, "%s needs the field %s", what, key)
		}
	}
}

// failedAt reports whether the key is there and only its value is wrong.
func (r *reader) failedAt(f field, key string) bool {
	mapping, ok := f.node.(ast.MapNode)
	if !ok {
		return false
	}
	for i := mapping.MapRange(); i.Next(); {
		if name, ok := i.KeyValue().Key.(*ast.StringNode); ok && name.Value == key {
			return true
		}
	}
	return false
}
