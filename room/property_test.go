package room

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// sight is all that can be seen of a room.
type sight struct {
	Ended    bool
	Members  []Member // in the order of joining
	Stage    []Member
	Hands    []Member
	Audience int
	Halls    []int // without empty ones at the end
	Rules    Rules
	Bars     []Block
	Holds    []Reservation
}

func shape(r *Room) sight {
	return sight{
		Ended: r.Ended(), Members: r.Members(), Stage: r.Stage(), Hands: r.Hands(), Audience: r.Audience(),
		Halls: trim(r.Halls()), Rules: r.Rules(), Bars: full(r.Blocks()), Holds: full(r.Reservations()),
	}
}

func full[T any](list []T) []T { return append([]T{}, list...) }

func trim(halls []int) []int {
	for len(halls) > 0 && halls[len(halls)-1] == 0 {
		halls = halls[:len(halls)-1]
	}
	return full(halls)
}

// roster rebuilds a room from its events alone, knowing nothing of its rules.
type roster struct {
	ended                 bool
	members, stage, hands []Member
	rules                 Rules
	bars                  []Block
	holds                 []Reservation
}

func put(list []Member, m Member, in bool) []Member {
	i := slices.IndexFunc(list, func(x Member) bool { return x.ID == m.ID })
	switch {
	case i >= 0 && in:
		list[i] = m
	case i >= 0:
		list = slices.Delete(list, i, i+1)
	case in:
		list = append(list, m)
	}
	return list
}

func (s *roster) apply(e Event) error {
	if s.ended {
		return fmt.Errorf("%s after the end", e.Kind)
	}
	switch e.Kind {
	case Ended:
		if len(s.members) > 0 {
			return fmt.Errorf("ended with %d people in the room", len(s.members))
		}
		s.ended, s.holds = true, nil
		return nil
	case RulesSet:
		s.rules = e.Rules
		return nil
	case Unblocked:
		s.bars = slices.DeleteFunc(s.bars, func(b Block) bool { return b == e.Block })
		return nil
	case PlaceReserved, ReservationReleased, ReservationExpired:
		i := slices.IndexFunc(s.holds, func(h Reservation) bool { return h.Key == e.Reservation.Key })
		switch {
		case e.Kind == PlaceReserved && i < 0:
			s.holds = append(s.holds, e.Reservation)
		case e.Kind == PlaceReserved:
			s.holds[i] = e.Reservation
		case i < 0:
			return fmt.Errorf("%s of %q, which was not held", e.Kind, e.Reservation.Key)
		default:
			s.holds = slices.Delete(s.holds, i, i+1)
		}
		return nil
	}
	if e.Kind == Blocked {
		return s.applyBlocked(e)
	}
	was := slices.ContainsFunc(s.members, func(m Member) bool { return m.ID == e.Member.ID })
	if was == (e.Kind == Joined) {
		return fmt.Errorf("%s of %q, present before: %t", e.Kind, e.Member.ID, was)
	}
	in := e.Kind != Left
	s.members = put(s.members, e.Member, in)
	s.stage = put(s.stage, e.Member, in && e.Member.Role.OnStage())
	s.hands = put(s.hands, e.Member, in && e.Member.HandUp())
	s.keepOut(e)
	return nil
}

// applyBlocked applies that somebody is kept out who was recalled.
func (s *roster) applyBlocked(e Event) error {
	if slices.ContainsFunc(s.members, func(m Member) bool { return m.ID == e.Member.ID }) {
		return fmt.Errorf("%q was in the room", e.Member.ID)
	}
	s.keepOut(e)
	return nil
}

// keepOut notes the block that an event speaks of, if it does.
func (s *roster) keepOut(e Event) {
	bar := Block{Member: e.Member.ID, Name: e.Member.Name, Identity: e.Member.Identity, By: e.By, At: e.At}
	switch e.Reason {
	case ReasonRemoved:
		bar.Account, bar.Whose = "", bar.Account
		fallthrough
	case ReasonBanned:
		if bar.Identity != (Identity{}) {
			s.bars = append(s.bars, bar)
		}
	}
}

func (s *roster) sight() sight {
	var halls []int
	for _, m := range s.members {
		if m.Role == Listener {
			for len(halls) <= m.Hall {
				halls = append(halls, 0)
			}
			halls[m.Hall]++
		}
	}
	return sight{
		Ended: s.ended, Members: full(s.members), Stage: full(s.stage), Hands: full(s.hands),
		Audience: len(s.members) - len(s.stage), Halls: trim(halls), Rules: s.rules, Bars: full(s.bars), Holds: full(s.holds),
	}
}

// TestRoomInvariantsUnderAnySequenceOfCalls holds what must be true of a room whatever is done to
// it, in whatever order, by whomever.
func TestRoomInvariantsUnderAnySequenceOfCalls(t *testing.T) {
	people := []MemberID{"a", "b", "c", "d", "e", "f", Operator, "never joins"}
	rapid.Check(t, func(t *rapid.T) {
		seconds := func(what string) time.Duration {
			return time.Duration(rapid.IntRange(1, 5).Draw(t, what)) * time.Second
		}
		cfg := Config{
			Name:              "r",
			Capacity:          rapid.IntRange(1, 3).Draw(t, "capacity"),
			Halls:             rapid.IntRange(1, 3).Draw(t, "halls"),
			Stage:             rapid.IntRange(1, 3).Draw(t, "stage"),
			Rules:             rules(t),
			ReconnectWindow:   seconds("window"),
			Grace:             seconds("grace"),
			InvitationTimeout: seconds("answer"),
		}
		r, err := New(cfg, noon)
		require.NoError(t, err)
		replay := roster{rules: cfg.Rules}
		hosted := false // the room has had a host since it was last empty
		now := noon
		before, grace := shape(r), r.Grace()

		// step makes a call, then holds it to what is true of every call.
		step := func(call func(by, id MemberID) ([]Event, error)) func(*rapid.T) {
			return func(t *rapid.T) {
				// Calls may share an instant: order must not rest on the clock.
				now = now.Add(time.Duration(rapid.IntRange(0, 2).Draw(t, "later")) * time.Second)
				events, err := call(drawActorAndTarget(t, people, r))
				if err != nil {
					require.Empty(t, events, "a refused call reported events")
					require.Equal(t, before, shape(r), "a refused call changed the room")
					require.Equal(t, grace, r.Grace(), "a refused call changed the grace period")
				}
				replay.applyAll(t, events, now)
				hosted = r.Len() > 0 && (hosted || r.HasHost())
				if hosted && !r.HasHost() {
					require.False(t, r.Grace().IsZero(), "there is no host, and nothing will change that")
				}
				before, grace = shape(r), r.Grace()
			}
		}
		// Invalid roles are tried as well, but seldom.
		roles := []Role{Listener, Listener, Listener, Speaker, Speaker, Host, Host, 0, Host + 1}
		role := func(t *rapid.T) Role { return rapid.SampledFrom(roles).Draw(t, "role") }

		// Some people are there from the start, or most calls would find nobody.
		for range rapid.IntRange(0, 8).Draw(t, "present") {
			as := role(t)
			step(func(_, id MemberID) ([]Event, error) { return r.Join(newcomer(t, id, as), now) })(t)
		}
		t.Repeat(map[string]func(*rapid.T){
			"join": func(t *rapid.T) {
				as := role(t)
				who := rapid.SampledFrom(people).Draw(t, "who")
				n := newcomer(t, who, as)
				barred := r.Blocked(n.Identity)
				step(func(_, _ MemberID) ([]Event, error) {
					events, err := r.Join(n, now)
					require.False(t, err == nil && barred, "a blocked person joined")
					return events, err
				})(t)
			},
			"go away":   step(func(_, id MemberID) ([]Event, error) { return r.Disconnect(id, now) }),
			"come back": step(func(_, id MemberID) ([]Event, error) { return r.Reconnect(id, now) }),
			"replace":   step(func(_, id MemberID) ([]Event, error) { return r.Replace(id, now) }),
			"ban":       step(func(by, id MemberID) ([]Event, error) { return r.Ban(by, id, now) }),
			"recall": func(t *rapid.T) {
				who := newcomer(t, rapid.SampledFrom(people[:6]).Draw(t, "who"), Listener)
				r.Recall(Member{ID: who.ID, Name: who.Name, Role: who.Role, Identity: who.Identity})
			},
			"unban": func(t *rapid.T) {
				bars := r.Blocks()
				if len(bars) == 0 {
					t.Skip("nobody is put out")
				}
				who := rapid.SampledFrom(bars).Draw(t, "who was put out").Member
				step(func(by, _ MemberID) ([]Event, error) { return r.Unban(by, who, now) })(t)
			},
			"pass host": step(func(by, id MemberID) ([]Event, error) { return r.TransferHost(by, id, now) }),
			"invite to stage": func(t *rapid.T) {
				to := role(t)
				step(func(by, id MemberID) ([]Event, error) { return r.InviteToStage(by, id, to, now) })(t)
			},
			"accept":  step(func(_, id MemberID) ([]Event, error) { return r.AcceptStage(id, now) }),
			"decline": step(func(by, id MemberID) ([]Event, error) { return r.DeclineStage(by, id, now) }),
			"set rules": func(t *rapid.T) {
				to := rules(t)
				step(func(by, _ MemberID) ([]Event, error) { return r.SetRules(by, to, now) })(t)
			},
			"hold": func(t *rapid.T) {
				h := Reservation{Key: rapid.SampledFrom(keys).Draw(t, "key"), Role: role(t), Until: now.Add(seconds("until"))}
				step(func(_, _ MemberID) ([]Event, error) { return r.Reserve(h, now) })(t)
			},
			"release": func(t *rapid.T) {
				key := rapid.SampledFrom(keys).Draw(t, "key")
				step(func(_, _ MemberID) ([]Event, error) { return r.ReleaseReservation(key, now) })(t)
			},
			"tick": func(t *rapid.T) {
				step(func(_, _ MemberID) ([]Event, error) { return r.Tick(now), nil })(t)
				if next := r.NextTick(); !next.IsZero() {
					require.True(t, next.After(now), "something is left to do at %s", next)
				}
				require.True(t, !hosted || r.HasHost() || r.Grace().After(now), "nobody governs after the grace")
			},
			"restart": func(t *rapid.T) {
				again, err := Restore(r.State(), now)
				require.NoError(t, err)
				restored(t, r, again, now)
			},
			"promote": func(t *rapid.T) {
				to := role(t)
				step(func(by, id MemberID) ([]Event, error) { return r.Promote(by, id, to, now) })(t)
			},
			"leave":   step(func(_, id MemberID) ([]Event, error) { return r.Leave(id, now) }),
			"lose":    step(func(_, id MemberID) ([]Event, error) { return r.TimeOut(id, now) }),
			"remove":  step(func(by, id MemberID) ([]Event, error) { return r.Remove(by, id, now) }),
			"demote":  step(func(by, id MemberID) ([]Event, error) { return r.Demote(by, id, now) }),
			"mute":    step(func(by, id MemberID) ([]Event, error) { return r.Mute(by, id, now) }),
			"unmute":  step(func(by, id MemberID) ([]Event, error) { return r.Unmute(by, id, now) }),
			"raise":   step(func(_, id MemberID) ([]Event, error) { return r.RaiseHand(id, now) }),
			"applaud": step(func(_, id MemberID) ([]Event, error) { return r.Applaud(id, now) }),
			"lower":   step(func(by, id MemberID) ([]Event, error) { return r.LowerHand(by, id, now) }),
			"end": func(t *rapid.T) {
				// Rarely, or most sequences would be spent in an ended room.
				if rapid.IntRange(0, 9).Draw(t, "really") != 0 {
					t.Skip("not this time")
				}
				step(func(by, _ MemberID) ([]Event, error) { return r.End(by, now) })(t)
			},
			"close": func(t *rapid.T) {
				if rapid.IntRange(0, 19).Draw(t, "really") != 0 {
					t.Skip("not this time")
				}
				step(func(_, _ MemberID) ([]Event, error) { return r.Close(now), nil })(t)
			},
			"": func(t *rapid.T) {
				hold(t, r, cfg)
				require.Equal(t, shape(r), replay.sight(), "the events do not rebuild the room")
			},
		})
	})
}

var keys = []string{"", "k1", "k2"}

func rules(t *rapid.T) Rules {
	return Rules{
		Hands:      rapid.SampledFrom([]HandPolicy{HandsEveryone, HandsInvited, HandsOff}).Draw(t, "hands"),
		SelfUnmute: rapid.Bool().Draw(t, "self unmute"),
		// Mostly open, or few would come in.
		Visibility:   rapid.SampledFrom([]Visibility{Open, Open, Open, MembersOnly, Closed}).Draw(t, "visibility"),
		AudienceHold: rapid.SampledFrom([]time.Duration{0, 0, 40 * time.Millisecond}).Draw(t, "audience hold"),
	}
}

func newcomer(t *rapid.T, id MemberID, as Role) JoinRequest {
	return JoinRequest{
		ID: id, Name: "n", Role: as,
		Identity: Identity{
			Account:     rapid.SampledFrom([]string{"", "", "x", "y"}).Draw(t, "account"),
			TokenFamily: rapid.SampledFrom([]string{"", "1", "2", "3"}).Draw(t, "pass"),
		},
		ClubMember:  rapid.Bool().Draw(t, "club"),
		Invited:     rapid.Bool().Draw(t, "invited"),
		MediaOnly:   rapid.IntRange(0, 4).Draw(t, "solo") == 0,
		Reservation: rapid.SampledFrom(keys).Draw(t, "held"),
	}
}

// drawActorAndTarget draws by whom and about whom a call is. Most calls are by and
// about people who are there, or few would be allowed; the rest are by and about
// anyone.
func drawActorAndTarget(t *rapid.T, people []MemberID, r *Room) (by, id MemberID) {
	by, id = rapid.SampledFrom(people).Draw(t, "by"), rapid.SampledFrom(people).Draw(t, "id")
	if there := ids(r.Members()); len(there) > 0 && rapid.IntRange(0, 3).Draw(t, "there") > 0 {
		by = rapid.SampledFrom(append(there, Operator, Operator)).Draw(t, "by one who is there")
		id = rapid.SampledFrom(there).Draw(t, "one who is there")
	}
	return by, id
}

// applyAll applies the events of a call that was made at a time.
func (s *roster) applyAll(t *rapid.T, events []Event, now time.Time) {
	for _, e := range events {
		require.Equal(t, now, e.At)
		require.NoError(t, s.apply(e))
	}
}

// restored checks that a room that was made anew from its state is as it was, but
// for its audience, and that everyone on its stage has yet to come back.
func restored(t *rapid.T, was, is *Room, now time.Time) {
	want := []Member{}
	for _, m := range was.Stage() {
		if !m.MediaOnly {
			m.DisconnectedAt = now
			want = append(want, m)
		}
	}
	require.Equal(t, want, full(is.Stage()))
	require.Equal(t, len(want), is.Len())
	require.Equal(t, was.Ended(), is.Ended())
	require.Equal(t, was.Rules(), is.Rules())
	require.Equal(t, was.Blocks(), is.Blocks())
	require.Equal(t, full(was.Reservations()), full(is.Reservations()))
	require.Equal(t, was.Created(), is.Created())
	if slices.ContainsFunc(want, func(m Member) bool { return m.Role == Host }) {
		require.False(t, is.Grace().IsZero(), "its host is waited for")
	}
}

// hold checks the invariants of a room at rest.
func hold(t *rapid.T, r *Room, cfg Config) {
	s := shape(r)
	require.LessOrEqual(t, len(r.Halls()), cfg.Halls, "more halls than there may be")
	sum := 0
	for _, taken := range r.Halls() {
		require.LessOrEqual(t, taken, cfg.Capacity, "more listeners than seats")
		sum += taken
	}
	require.Equal(t, s.Audience, sum, "the halls hold the audience")
	audience, err := r.AudiencePage(Operator, AudienceQuery{Limit: len(s.Members)})
	require.NoError(t, err)
	seated := slices.DeleteFunc(slices.Clone(s.Members), func(m Member) bool { return m.Role.OnStage() })
	require.Equal(t, full(seated), full(audience.Members), "the audience in the order of joining")
	asked := 0
	require.Equal(t, len(s.Members), r.Len())
	require.Equal(t, len(s.Hands), r.HandCount())
	if s.Ended {
		require.Empty(t, s.Members, "someone is in an ended room")
	}

	listeners := 0
	seen, accounts := map[MemberID]bool{}, map[string]bool{}
	for _, m := range s.Members {
		require.False(t, seen[m.ID], "%q is in the room twice", m.ID)
		seen[m.ID] = true
		require.NotEqual(t, Operator, m.ID)
		require.True(t, m.Role.Valid(), "%q is %s", m.ID, m.Role)
		require.Equal(t, m.Role.OnStage(), count(s.Stage, m) == 1, "%q is %s, and on stage %d times", m.ID, m.Role, count(s.Stage, m))
		require.Equal(t, m.HandUp(), count(s.Hands, m) == 1)
		require.False(t, m.Account != "" && accounts[m.Account], "the account %q is in the room twice", m.Account)
		accounts[m.Account] = true
		require.False(t, m.Role == Host && m.MediaOnly, "a host without signaling")
		if m.HasInvitation() {
			asked++
		}
		if m.Role == Listener {
			listeners++
			require.False(t, m.Muted, "%q is muted in the audience", m.ID)
		} else {
			require.False(t, m.HandUp(), "%q has a hand up on stage", m.ID)
			require.False(t, m.HasInvitation(), "%q is on stage and asked to come there", m.ID)
			require.Zero(t, m.Hall)
		}
		got, ok := r.Member(m.ID)
		require.True(t, ok)
		require.Equal(t, m, got)
	}
	require.Equal(t, listeners, s.Audience)
	require.LessOrEqual(t, len(s.Stage)+asked+len(s.Holds), cfg.Stage, "more on stage, and held, than places")
	if s.Ended {
		require.Zero(t, r.NextTick(), "an ended room has nothing left to do")
	}
	require.Len(t, s.Stage, len(s.Members)-listeners)
	for _, m := range append(slices.Clone(s.Stage), s.Hands...) {
		require.True(t, seen[m.ID], "%q is on stage or has a hand up but is not in the room", m.ID)
	}
}

// count tells how often exactly this member, in this state, is in the list.
func count(list []Member, m Member) int {
	n := 0
	for _, x := range list {
		if x == m {
			n++
		}
	}
	return n
}
