package ledger

import (
	"testing"
	"time"

	"github.com/earshot-audio/earshot/loadgen/record"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// BenchmarkReceive is what one packet costs the account of its listener, with
// 5,000 listeners in the room, each of which gets every packet.
func BenchmarkReceive(b *testing.B) {
	aggregator := record.NewAggregator()
	aggregator.Follow(nil)
	room := NewBook(aggregator).NewLedger()
	m, err := room.AddSource(speechClip(1500), 0, 0)
	if err != nil {
		b.Fatal(err)
	}
	listeners := make([]*Listener, 5000)
	for i := range listeners {
		listeners[i] = room.AddListener(3, record.Labels{})
		listeners[i].Connected(0)
	}
	if err := aggregator.Begin(record.Steady, 0); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	bin := timebase.Bin(-1)
	for i := 0; b.Loop(); i++ {
		if i%len(listeners) == 0 {
			bin++
			m.Sending(bin, 0)
			m.Sent(bin, 0)
			if bin%50 == 0 {
				aggregator.Drain(bin.Start(), room.Settle(bin.Start()))
			}
		}
		listeners[i%len(listeners)].Receive(Packet{
			Sequence: uint16(bin), Timestamp: uint32(bin) * SamplesPerBin, Talker: 1,
			Payload: m.Frame(bin).Payload, At: m.Intended(bin) + time.Millisecond,
		})
	}
}
