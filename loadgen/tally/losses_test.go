package tally

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/earshot-audio/earshot/loadgen/feedback"
)

func TestLossesArePlacedByWhatTheServerReports(t *testing.T) {
	mic := func(covered, lost uint64) []feedback.Upstream {
		return []feedback.Upstream{{Sent: 1000, Covered: covered, Lost: lost}}
	}
	heard := func(lost, sent, received uint64) []ListenerLoss {
		return []ListenerLoss{{Due: 1000, Lost: lost, Sent: feedback.Downstream{Sent: sent, Received: received}, Reported: true}}
	}
	silent := []ListenerLoss{{Due: 1000, Lost: 200}}
	for _, c := range []struct {
		sentence                 string
		mics                     []feedback.Upstream
		ears                     []ListenerLoss
		uplink, server, downlink Range
	}{
		{"nothing was lost", mic(1000, 0), heard(0, 1000, 1000), Range{}, Range{}, Range{}},
		{"the server did not receive it", mic(1000, 200), heard(200, 800, 800), Range{200, 200}, Range{}, Range{}},
		{"it received it, and did not send it", mic(1000, 0), heard(200, 800, 800), Range{}, Range{200, 200}, Range{}},
		{"it sent it, and it did not come", mic(1000, 0), heard(200, 1000, 800), Range{}, Range{}, Range{200, 200}},
		{"a bit everywhere", mic(1000, 50), heard(200, 900, 850), Range{50, 50}, Range{100, 100}, Range{50, 50}},
		{"its report on the mic is 100 packets old", mic(900, 0), heard(200, 800, 800), Range{0, 100}, Range{100, 200}, Range{}},
		{"it does not report on mics", mic(0, 0), heard(200, 800, 800), Range{0, 200}, Range{0, 200}, Range{}},
		{"it does not report what it sends", mic(1000, 50), silent, Range{0, 50}, Range{0, 200}, Range{0, 200}},
		{"it reports nothing", mic(0, 0), silent, Range{0, 200}, Range{0, 200}, Range{0, 200}},
		{"it says that it sent more than was lost can account for", mic(1000, 0), heard(200, 5000, 800), Range{}, Range{}, Range{200, 200}},
		{"it says that it missed more than was lost", mic(1000, 900), heard(200, 800, 800), Range{200, 200}, Range{}, Range{}},
		{"the mic is gone", nil, heard(200, 800, 800), Range{0, 200}, Range{0, 200}, Range{}},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			var l Losses
			l.place(sumOfMics(0, c.mics), c.ears)
			assert.Equal(t, c.uplink, l.Uplink, "uplink")
			assert.Equal(t, c.server, l.Server, "server")
			assert.Equal(t, c.downlink, l.Downlink, "downlink")
			assert.EqualValues(t, len(c.ears), l.Ears)
		})
	}
}

// TestLossesAreAsNarrowWithTwoWorkers places the losses of a room whose mic and whose listener
// are two workers'.
func TestLossesAreAsNarrowWithTwoWorkers(t *testing.T) {
	mics := []feedback.Upstream{{Sent: 1000, Covered: 1000, Lost: 50}}
	ears := []ListenerLoss{{Due: 1000, Lost: 200, Sent: feedback.Downstream{Sent: 900, Received: 850}, Reported: true}}
	var one, first, second, both Losses
	one.countMics(mics)
	one.place(sumOfMics(3, mics), ears)
	assert.Equal(t, Range{50, 50}, one.Uplink)

	first.countMics(mics) // the worker with the mic
	first.place(sumOfMics(3, mics), nil)
	second.place(sumOfMics(3, mics), ears) // the worker with the listener, which was told of the mic
	both.add(first)
	both.add(second)
	assert.Equal(t, one, both)
}
