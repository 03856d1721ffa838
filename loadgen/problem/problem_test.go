package problem

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/scenario"
	"github.com/earshot-audio/earshot/signaling/wire"
)

func TestProblemsAreGroupedByKind(t *testing.T) {
	refused := func(path string, status int) error {
		return fmt.Errorf("end the session http://127.0.0.1:8889/%s: the server answered %d", path, status)
	}
	for _, c := range []struct {
		name   string
		errors []error
		want   []string
	}{
		{"URLs", []error{refused("a/1", 405), refused("b/2", 405)}, []string{
			"leave: end the session http://127.0.0.1:8889/a/1: the server answered 405 (2 times, with other addresses, names or times)"}},
		{"the same twice", []error{refused("a", 405), refused("a", 405)}, []string{
			"leave: end the session http://127.0.0.1:8889/a: the server answered 405 (2 times)"}},
		{"another status is another kind", []error{refused("a", 405), refused("b", 500)}, []string{
			"leave: end the session http://127.0.0.1:8889/a: the server answered 405 (1 time)",
			"leave: end the session http://127.0.0.1:8889/b: the server answered 500 (1 time)"}},
		{"addresses of both families", []error{errors.New("no answer from 127.0.0.1:4, [::1]:5"), errors.New("no answer from 127.0.0.2:14, [::2]:55")}, []string{
			"leave: no answer from 127.0.0.1:4, [::1]:5 (2 times, with other addresses, names or times)"}},
		{"people, rooms and times", []error{errors.New("host 1.2 of earshot-1 waited 1.5s"), errors.New("host 1.13 of earshot-20 waited 300ms")}, []string{
			"leave: host 1.2 of earshot-1 waited 1.5s (2 times, with other addresses, names or times)"}},
		{"several at once", []error{errors.Join(refused("a", 405), errors.New("the socket is closed"))}, []string{
			"leave: end the session http://127.0.0.1:8889/a: the server answered 405 (1 time)",
			"leave: the socket is closed (1 time)"}},
		{"none, and a run that was interrupted", []error{nil, fmt.Errorf("leave: %w", context.Canceled)}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := NewCounter()
			for _, err := range c.errors {
				p.Add("leave", err)
			}
			var texts []string
			for _, one := range p.List() {
				texts = append(texts, one.String())
			}
			assert.Equal(t, c.want, texts)
		})
	}
}

func TestProblemsBeyondTheLimitAreOne(t *testing.T) {
	p := NewCounter()
	for i := range 2 * maxKinds {
		p.Add("join", fmt.Errorf("kind %d", i))
	}
	all := p.List()
	assert.Len(t, all, maxKinds+1)
	assert.Equal(t, others, all[0].Error)
	assert.Equal(t, maxKinds, all[0].Count)
}

func TestProblemsHaveNoSecrets(t *testing.T) {
	p := NewCounter()
	p.Add("join", errors.New(`Post "https://ann:pw@h/whip/A9f3kQz81LmN0pRsTu?token=abc": connection refused`))
	all := p.List()
	assert.Len(t, all, 1)
	assert.Equal(t, `Post "https://…@h/whip/…?token=…": connection refused`, all[0].Error)
}

// What the server said no to is not counted together with what it did not answer, however
// alike the texts are.
func TestProblemsKnowRefusals(t *testing.T) {
	p := NewCounter()
	p.Add("join", fmt.Errorf("join: %w", driver.Declined("no place")))
	p.Add("join", fmt.Errorf("join: %w", wire.Error{Code: wire.CodeRoomFull, Message: "no seat left"}))
	p.Add("join", errors.New("join: no place"))
	p.Add("join", fmt.Errorf("join: %w", context.DeadlineExceeded))
	p.Act(scenario.Mute, driver.Declined("no place"))
	refused := map[bool]int{}
	for _, one := range p.List() {
		refused[one.Refused] += one.Count
		assert.False(t, one.Refused && one.Act, "an event of the timeline brings nobody in: %v", one)
	}
	assert.Equal(t, map[bool]int{true: 2, false: 3}, refused)
}
