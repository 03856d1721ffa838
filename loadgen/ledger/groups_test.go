package ledger

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/record"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

func TestGroups(t *testing.T) {
	for _, c := range []struct {
		name string
		cast []record.Labels // each loses as many of 100 packets as its number
		want map[string]metric.Rate
	}{
		{"one kind of people is no group", []record.Labels{{}, {}}, map[string]metric.Rate{}},
		{"listeners by network, and those without one", []record.Labels{{}, {Network: "3g"}, {Network: "3g"}, {Network: "wifi"}}, map[string]metric.Rate{
			"network ": {Passes: 95, Total: 95}, "network 3g": {Passes: 187, Total: 190}, "network wifi": {Passes: 92, Total: 95},
		}},
		{"everybody by role; networks are those of listeners", []record.Labels{{}, {Role: "speaker", Network: "3g"}}, map[string]metric.Rate{
			"role listener": {Passes: 95, Total: 95}, "role speaker": {Passes: 94, Total: 95},
		}},
		{"a network that only probes have is one, too", []record.Labels{{}, {Probe: true, Network: "3g"}}, map[string]metric.Rate{
			"network ": {Passes: 95, Total: 95}, "network 3g": {Passes: 94, Total: 95},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScene(t)
			m := s.source(speechClip(200), 0, 0)
			var all []*Listener
			for _, labels := range c.cast {
				l := s.ledger.AddListener(1, labels)
				l.Connected(0)
				all = append(all, l)
			}
			s.steady(0)
			for b := range timebase.Bin(100) {
				p := s.say(m, b)
				for lost, l := range all {
					if int(b) < 50 || int(b) >= 50+lost {
						l.Receive(p)
					}
				}
			}
			s.finish()
			got := map[string]metric.Rate{}
			for _, g := range s.aggregator.Groups() {
				assert.NoError(t, g.Values.Check())
				got[g.By+" "+g.Name], _ = g.Values["delivered"].(metric.Rate)
			}
			assert.Equal(t, c.want, got)
		})
	}
}

// While a run goes on its groups have what is known of them; what is known at the end is missing.
func TestPresentGroups(t *testing.T) {
	s := newScene(t)
	m := s.source(speechClip(900), 0, 0)
	fine := s.listener(1)
	halved := s.ledger.AddListener(1, record.Labels{Network: "3g"})
	halved.Expect(0, 0, 10*time.Second)
	halved.Connected(0)
	for b := range timebase.Bin(800) {
		p := s.say(m, b)
		fine.Receive(p)
		if b%2 == 0 {
			halved.Receive(p)
		}
		if b%50 == 49 {
			s.settle(b.Start())
		}
	}
	groups := s.aggregator.PresentGroups()
	require.Len(t, groups, 2)
	shares := map[string]float64{}
	for _, g := range groups {
		assert.Equal(t, "network", g.By)
		assert.NotContains(t, g.Values, "mos")
		assert.NotContains(t, g.Values, "audio_gap")
		delivered, _ := g.Values["delivered"].(metric.Rate)
		require.NotZero(t, delivered.Total)
		shares[g.Name] = delivered.Share()
	}
	assert.InDelta(t, 1, shares[""], 0.01)
	assert.InDelta(t, 0.5, shares["3g"], 0.05)
}

func TestGroupsOfPhases(t *testing.T) {
	s := newScene(t)
	m := s.source(speechClip(400), 0, 0)
	l := s.listener(1)
	assert.NoError(t, s.aggregator.Span("storm", timebase.Bin(100).Start(), timebase.Bin(150).Start()))
	assert.NoError(t, s.aggregator.Span("never", timebase.Bin(900).Start(), timebase.Bin(950).Start()))
	for b := range timebase.Bin(200) {
		if p := s.say(m, b); b < 100 || b >= 110 {
			l.Receive(p)
		}
	}
	s.finish()
	var names []string
	for _, g := range s.aggregator.Groups() {
		names = append(names, g.By+" "+g.Name)
		assert.NotContains(t, g.Values, "joined", "joins are not kept by phase")
		if g.Name == "storm" {
			assert.Equal(t, metric.Rate{Passes: 40, Total: 50}, g.Values["delivered"])
		}
	}
	assert.Equal(t, []string{"phase steady", "phase storm"}, names)
}

// Each room's listeners lose one packet more than those of the room before.
func TestGroupsOfRooms(t *testing.T) { //nolint:gocognit // rooms, told in order
	for _, c := range []struct {
		name  string
		rooms int
		want  []string
	}{
		{"one room is no group", 1, nil},
		{"several are, in their order", 3, []string{"1", "2", "3"}},
		{"of many those that got least, the worst first", record.MaxRoomGroups + 2, []string{"22", "21", "20", "19", "18", "17", "16", "15", "14", "13", "12", "11", "10", "9", "8", "7", "6", "5", "4", "3"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := record.NewAggregator()
			book := NewBook(a)
			require.NoError(t, a.Begin(record.Steady, 0))
			for room := range c.rooms {
				s := &scene{t: t, aggregator: a, book: book, ledger: book.NewLedger()}
				s.ledger.InRoom(room)
				m := s.source(speechClip(200), 0, 0)
				probe := s.ledger.AddListener(1, record.Labels{Probe: true})
				speaker := s.ledger.AddListener(1, record.Labels{Role: "speaker"})
				all := []*Listener{s.listener(1), probe, speaker}
				for _, l := range all[1:] {
					l.Expect(0, 0, 10*time.Second)
					l.Connected(0)
				}
				for b := range timebase.Bin(100) {
					p := s.say(m, b)
					for _, l := range all {
						if int(b) < 50 || int(b) >= 50+room {
							l.Receive(p)
						}
					}
				}
				s.ledger.Stop(s.end.Start())
				a.Stop(s.end.Start())
				s.ledger.Finish(s.end.Start() + time.Second)
			}
			a.Finish(3 * time.Second)
			var names []string
			for _, g := range a.Groups() {
				if g.By != "room" {
					continue
				}
				names = append(names, g.Name)
				require.NoError(t, g.Values.Check())
				room, err := strconv.Atoi(g.Name)
				require.NoError(t, err)
				lost := uint64(room - 1)
				assert.Equal(t, metric.Rate{Passes: 2, Total: 2}, g.Values["joined"], "the speaker is no listener")
				assert.Equal(t, metric.Rate{Passes: 190 - 2*lost, Total: 190}, g.Values["delivered"])
				assert.EqualValues(t, 1, g.Values["join_duration"].(*metric.Trend).Count(), "the crowd's")
				assert.EqualValues(t, 2, g.Values["mos"].(*metric.Trend).Count())
			}
			assert.Equal(t, c.want, names)
		})
	}
}
