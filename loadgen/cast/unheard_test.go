package cast

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/earshot-audio/earshot/loadgen/client"
	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/speech"
	"github.com/earshot-audio/earshot/loadgen/tally"
	"github.com/earshot-audio/earshot/signaling/wire"
)

// theOthers play a run, too.
type theOthers struct{ Others }

// Whose mic the server does not take is a matter of the verdict. What else goes wrong before there are listeners ends the run.
func TestMicThatDoesNotOpenIsTheServersOrEndsTheRun(t *testing.T) {
	refused := fmt.Errorf("open the mic: %w", driver.Declined("the AudioBridge answered 486: is full"))
	late := fmt.Errorf("open the mic: %w", context.DeadlineExceeded)
	unreachable := fmt.Errorf("open the mic: %w", driver.NoAnswer(fmt.Errorf("%w: refused", driver.ErrUnreachable)))
	for _, c := range []struct {
		sentence string
		err      error
		open     bool // another mic
		change   func(c *Cast, cancel func())
		server   bool
	}{
		{"a server of ours, or WHIP, LiveKit or Janus, that says no", refused, false, nil, true},
		{"one of ours by a code", wire.NewError(wire.CodeStageFull, "the stage is full"), false, nil, true},
		{"one that gives no answer in time", late, false, nil, true},
		{"one whose connection comes to nothing", errors.New("ICE failed"), false, nil, true},
		{"a target that is not there", unreachable, false, nil, false},
		{"one that is not there any more", unreachable, true, nil, true},
		{"what the driver can't do", fmt.Errorf("%w: to come back", driver.ErrUnsupported), true, nil, false},
		{"no more files", fmt.Errorf("socket: %w", syscall.EMFILE), true, nil, false},
		{"what is the generator's own fault", fmt.Errorf("open the mic: %w", ownFault{errors.New("the audio can't be marked")}), true, nil, false},
		{"a TURN server that gives no address", fmt.Errorf("open the mic: %w", client.RelayError{Err: errors.New("ask the TURN server")}), true, nil, false},
		{"a run that is interrupted", refused, true, func(_ *Cast, cancel func()) { cancel() }, false},
		{"a host without a mic", refused, true, func(c *Cast, _ func()) { c.clips[0] = nil }, false},
		{"no answer, where others listen who do not know whose fault that is", late, true, func(c *Cast, _ func()) { c.others = theOthers{} }, false},
		{"a refusal is nobody else's fault there, either", refused, true, func(c *Cast, _ func()) { c.others = theOthers{} }, true},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			all := &Cast{Uplinks: tally.NewUplinks(time.Second), clips: [][]*speech.Clip{{{}}}}
			if c.open {
				all.Uplinks.Add(0).Opened(time.Millisecond, 0)
			}
			if c.change != nil {
				c.change(all, cancel)
			}
			p := &person{room: &roomRun{cast: all}}
			assert.Equal(t, c.server, p.isUnheard(ctx, c.err))
		})
	}
}
