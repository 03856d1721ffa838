package firefox

import (
	"encoding/json"
	"errors"
	"fmt"
)

// A Tab is a page of a person who shares nothing with those of other tabs.
type Tab struct {
	session *session
	person  string // the user context
	context string
}

// NewTab opens a tab of a new person. prelude is a script that runs in each document before its own.
func (b *Browser) NewTab(prelude string) (*Tab, error) {
	var person struct {
		UserContext string `json:"userContext"`
	}
	if err := b.session.result("browser.createUserContext", struct{}{}, &person); err != nil {
		return nil, err
	}
	t := &Tab{session: b.session, person: person.UserContext}
	var tab struct {
		Context string `json:"context"`
	}
	if err := b.session.result("browsingContext.create", map[string]any{"type": "tab", "userContext": t.person}, &tab); err != nil {
		return nil, err
	}
	t.context = tab.Context
	_, err := b.session.call("script.addPreloadScript", map[string]any{
		"functionDeclaration": "() => {" + prelude + "}", "contexts": []string{t.context},
	})
	return t, err
}

// Close closes the tab, and forgets its person.
func (t *Tab) Close() error {
	_, err := t.session.call("browser.removeUserContext", map[string]any{"userContext": t.person})
	return err
}

// Navigate opens an address and waits until its document is loaded.
func (t *Tab) Navigate(url string) error {
	_, err := t.session.call("browsingContext.navigate", map[string]any{"context": t.context, "url": url, "wait": "complete"})
	return err
}

// Evaluate gives the value of an expression, or of its promise, as JSON. What JSON does not have is null.
func (t *Tab) Evaluate(expression string) ([]byte, error) {
	var answer struct {
		Type   string `json:"type"` // success or exception
		Result struct {
			Value string `json:"value"`
		} `json:"result"`
		ExceptionDetails struct {
			Text string `json:"text"`
		} `json:"exceptionDetails"`
	}
	if err := t.session.result("script.evaluate", map[string]any{
		"expression":   "(async () => JSON.stringify(await (" + expression + ")) ?? 'null')()",
		"target":       map[string]any{"context": t.context},
		"awaitPromise": true,
	}, &answer); err != nil {
		return nil, err
	}
	if answer.Type != "success" {
		return nil, errors.New(answer.ExceptionDetails.Text)
	}
	return []byte(answer.Result.Value), nil
}

// Click presses the mouse's first button at a place of the visible page, in CSS pixels.
func (t *Tab) Click(x, y float64) error {
	return t.act("pointer", []map[string]any{
		{"type": "pointerMove", "x": int(x), "y": int(y)},
		{"type": "pointerDown", "button": 0},
		{"type": "pointerUp", "button": 0},
	})
}

// Type presses the keys of a text.
func (t *Tab) Type(text string) error {
	var keys []map[string]any
	for _, r := range text {
		keys = append(keys, map[string]any{"type": "keyDown", "value": string(r)}, map[string]any{"type": "keyUp", "value": string(r)})
	}
	return t.act("key", keys)
}

// act does what one does with the mouse or the keyboard.
func (t *Tab) act(device string, actions []map[string]any) error {
	_, err := t.session.call("input.performActions", map[string]any{
		"context": t.context,
		"actions": []map[string]any{{"type": device, "id": device, "actions": actions}},
	})
	return err
}

// result is [session.call] with a result that is read into a value.
func (s *session) result(method string, params, into any) error {
	result, err := s.call(method, params)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(result, into); err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	return nil
}
