package scenario

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/printer"
	"github.com/goccy/go-yaml/token"
)

// An Error is one mistake in a scenario file.
type Error struct {
	// File is the name that the file was read by; Line and Column count from 1.
	File         string
	Line, Column int
	Message      string
	// Source is the lines around, with the offending text marked.
	Source string
	// Err is what caused the error, or nil.
	Err error
}

// Error is the place, the message, and the source on lines of its own.
func (e *Error) Error() string {
	s := fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Message)
	if e.Source != "" {
		s += "\n" + e.Source
	}
	return s
}

// Unwrap returns what caused the error.
func (e *Error) Unwrap() error { return e.Err }

func newError(file string, tk *token.Token, message string) *Error {
	e := &Error{File: file, Line: 1, Column: 1, Message: message}
	if tk == nil || tk.Position == nil {
		return e
	}
	e.Line, e.Column = tk.Position.Line, tk.Position.Column
	var p printer.Printer
	e.Source = pointed(strings.TrimRight(p.PrintErrorToken(tk, false), "\n"))
	return e
}

// tokenOf is the token at which a node begins. That of a mapping is its first
// key, where the library has the colon.
func tokenOf(node ast.Node) *token.Token {
	if m, ok := node.(ast.MapNode); ok {
		if i := m.MapRange(); i.Next() {
			if first := i.KeyValue(); first.Key != nil && first.Key.GetToken() != nil {
				return first.Key.GetToken()
			}
		}
	}
	return node.GetToken()
}
