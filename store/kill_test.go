package store

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/room"
)

// asVictim makes the test binary the process that is killed: it works in the
// directory that the variable names.
const asVictim = "EARSHOT_TEST_STORE_VICTIM"

var kills = flag.Int("kills", 80, "how often the store's process is killed")

// What a victim does is one line when it begins ("? ...") and one when it has been
// acknowledged ("! ..."). A line is one write to a pipe, so that it is there or
// not, whole.
//
//	invite CODE          a one-use invite was made
//	redeem CODE          it was redeemed
//	revoke CODE          it was revoked
//	room ID N            the room's state was kept with N seats
//	end ID               the room was kept as ended, so it is forgotten
//	login KEY N          it was the account's Nth login
//	note N               the Nth audit entry
func victim(dir string, out io.Writer) error {
	s, err := Open(context.Background(), Config{Dir: dir})
	if err != nil {
		return err
	}
	var mu sync.Mutex
	say := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		_, _ = fmt.Fprintf(out, format+"\n", args...)
	}
	say("! open")
	begin := time.Now()
	var all sync.WaitGroup
	for worker := range 4 {
		all.Go(func() {
			w := victimWorker{s: s, say: say, begin: begin, id: fmt.Sprintf("room-%d-%d", os.Getpid(), worker)}
			say("! error %v", w.run(context.Background()))
		})
	}
	all.Wait()
	return nil
}

// victimWorker changes the store and says so, until a change fails.
type victimWorker struct {
	s       *Store
	say     func(format string, args ...any)
	begin   time.Time
	id, key string // its room, and its account's login key
}

func (w *victimWorker) run(ctx context.Context) error {
	_, key, err := w.s.CreateAccount(ctx, "Ada", "", 2, w.begin)
	if err != nil {
		return err
	}
	w.key = key
	w.say("! login %s 1", key)
	for n := 1; ; n++ {
		if err := w.invite(ctx, n); err != nil {
			return err
		}
		if err := w.putRoom(n); err != nil {
			return err
		}
		if n%4 != 0 {
			continue
		}
		if err := w.login(ctx, n); err != nil {
			return err
		}
	}
}

// invite makes an invite, and mostly redeems or revokes it.
func (w *victimWorker) invite(ctx context.Context, n int) error {
	_, code, err := w.s.CreateInvite(ctx, Invite{Room: "r", Role: room.Listener, Uses: 1, Created: w.begin, Expires: w.begin.Add(time.Hour)})
	if err != nil {
		return err
	}
	w.say("! invite %s", code)
	did := "redeem"
	switch {
	case n%5 == 0:
		did = "revoke"
		w.say("? revoke %s", code)
		_, err = w.s.RevokeInvite(ctx, w.s.InviteID(code), w.begin)
	case n%3 != 0:
		w.say("? redeem %s", code)
		_, err = w.s.Redeem(ctx, code, w.begin)
	default:
		return nil
	}
	if err != nil {
		return err
	}
	w.say("! %s %s", did, code)
	return nil
}

// putRoom writes the room and an audit entry.
func (w *victimWorker) putRoom(n int) error {
	w.s.Audit(AuditEntry{At: w.begin, Actor: "victim", Action: strconv.Itoa(n), Room: w.id})
	w.say("? room %s %d", w.id, n)
	state := room.State{Config: room.Config{Name: w.id, Capacity: n}, Created: w.begin, Ended: n%7 == 0}
	if err := w.s.PutRoom(state); err != nil {
		return err
	}
	w.say("! room %s %d", w.id, n)
	w.say("! note %s %d", w.id, n)
	return nil
}

func (w *victimWorker) login(ctx context.Context, n int) error {
	w.say("? login %s %d", w.key, n)
	a, err := w.s.Login(ctx, w.key, w.begin, anybody)
	if err != nil {
		return err
	}
	w.say("! login %s %d", w.key, a.Login)
	return nil
}

// told is what a victim has said, up to its death.
type told struct {
	opened              bool
	invited, done, open map[string]string // by code: what became of it, or was begun
	rooms               map[string]int    // by id: the seats last acknowledged
	begun               map[string]int    // by id: the seats last begun
	logins              map[string]int64  // by key
	maybe               map[string]bool   // keys with a login that was begun
	notes               map[string]int    // by room: the last acknowledged
	acknowledged        int
	errors              []string
}

func listen(from io.Reader) told {
	t := told{
		invited: map[string]string{}, done: map[string]string{}, open: map[string]string{},
		rooms: map[string]int{}, begun: map[string]int{}, logins: map[string]int64{}, maybe: map[string]bool{}, notes: map[string]int{},
	}
	lines := bufio.NewScanner(from)
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		number := func() int { n, _ := strconv.Atoi(f[3]); return n }
		if f[0] == "!" {
			t.acknowledged++
		}
		switch f[0] + f[1] {
		case "!open":
			t.opened = true
		case "!invite":
			t.invited[f[2]] = "live"
		case "?redeem", "?revoke":
			t.open[f[2]] = f[1]
		case "!redeem", "!revoke":
			t.done[f[2]] = f[1]
			delete(t.open, f[2])
		case "?room":
			t.begun[f[2]] = number()
		case "!room":
			t.rooms[f[2]] = number()
		case "?login":
			t.maybe[f[2]] = true
		case "!login":
			t.logins[f[2]] = int64(number())
			delete(t.maybe, f[2])
		case "!note":
			t.notes[f[2]] = number()
		case "!error":
			t.errors = append(t.errors, lines.Text())
		}
	}
	return t
}

// check looks in the store for all that was acknowledged, and tries to use every
// one-use invite once more.
func (d told) check(t *testing.T, s *Store) {
	ctx := t.Context()
	assert.Empty(t, d.errors)
	for code := range d.invited {
		i, err := s.FindInvite(s.InviteID(code))
		if !assert.NoError(t, err, "an acknowledged invite is lost") {
			continue
		}
		_, again := s.Redeem(ctx, code, time.Now())
		switch {
		case d.done[code] == "redeem":
			assert.Equal(t, 1, i.Used, "an acknowledged redemption is lost")
			assert.Equal(t, ErrUnavailable, again, "a one-use invite was used twice")
		case d.done[code] == "revoke":
			assert.True(t, i.Revoked, "an acknowledged revocation is lost")
			assert.Equal(t, ErrUnavailable, again, "a revoked invite was used")
		case d.open[code] == "redeem":
			// It was under way: either it counts, or it can be used now.
			assert.Equal(t, i.Used == 0, again == nil)
		case d.open[code] == "revoke":
			assert.Equal(t, !i.Revoked, again == nil)
		default:
			assert.NoError(t, again, "an invite nobody has used is good")
		}
		_, again = s.Redeem(ctx, code, time.Now())
		assert.Equal(t, ErrUnavailable, again, "a one-use invite was used twice")
	}
	kept := map[string]int{}
	for _, r := range s.Rooms() {
		kept[r.Config.Name] = r.Config.Capacity
	}
	for id, seats := range d.rooms {
		// The last acknowledged state, or the one that was under way.
		may := []int{seats, d.begun[id]}
		for i, n := range may {
			if n%7 == 0 {
				may[i] = 0 // ended: it is forgotten
			}
		}
		assert.Contains(t, may, kept[id], "the room %s: an acknowledged state is lost", id)
	}
	for id, last := range d.notes {
		trail, err := s.AuditLog(ctx, id, MaxEntries)
		if assert.NoError(t, err) && assert.GreaterOrEqual(t, len(trail), last, "an acknowledged audit entry is lost") {
			for n := range last {
				assert.Equal(t, strconv.Itoa(n+1), trail[n].Action)
			}
		}
	}
	for key, n := range d.logins {
		id, _, _ := strings.Cut(key, "-")
		a, err := s.Account(id)
		if assert.NoError(t, err, "an acknowledged account is lost") {
			may := []int64{n}
			if d.maybe[key] {
				may = append(may, n+1)
			}
			assert.Contains(t, may, a.Login, "an acknowledged login is lost")
		}
	}
}

// home makes a directory for a victim: every other lane's is on a file system in
// memory, where there is one. A killed process leaves the same there, sooner.
func home(t *testing.T, lane int) string {
	if lane%2 == 0 {
		if dir, err := os.MkdirTemp("/dev/shm", "earshot-test-"); err == nil {
			t.Cleanup(func() { assert.NoError(t, os.RemoveAll(dir)) })
			return dir
		}
	}
	return t.TempDir()
}

// The promise: a process that is killed at any instant has lost nothing that it
// has acknowledged, and no one-use invite can be used twice. It is killed by
// SIGKILL, many times (-kills), at random; every time the store is opened again and
// asked for everything. Several victims work at once, each in its own directory.
func TestKillLosesNoAcknowledgedWrite(t *testing.T) {
	const lanes = 4
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	self, err := os.Executable()
	require.NoError(t, err)
	var mu sync.Mutex
	var killed, early, acknowledged, underWay int
	t.Cleanup(func() {
		t.Logf("killed %d times, %d of them while it opened; %d acknowledged changes all there, %d caught under way",
			killed, early, acknowledged, underWay)
	})
	t.Run("lanes", func(t *testing.T) {
		for lane := range lanes {
			t.Run(fmt.Sprint(lane), func(t *testing.T) {
				t.Parallel()
				random := rand.New(rand.NewPCG(seed, uint64(lane)))
				var dir string
				for round := range *kills / lanes {
					if round%10 == 0 {
						dir = home(t, lane) // else the records of old rounds would be most of the work
					}
					cmd := exec.Command(self)
					cmd.Env = append(os.Environ(), asVictim+"="+dir)
					out, err := cmd.StdoutPipe()
					require.NoError(t, err)
					require.NoError(t, cmd.Start())
					pipe := bufio.NewReader(out)
					if random.IntN(8) > 0 {
						_, _ = pipe.Peek(1) // it has opened
					}
					time.Sleep(time.Duration(random.IntN(50_000)) * time.Microsecond)
					require.NoError(t, cmd.Process.Kill())
					said := listen(pipe)
					_ = cmd.Wait() // that it was killed

					s, err := Open(t.Context(), Config{Dir: dir})
					require.NoError(t, err, "round %d: what a killed process leaves can be opened", round)
					said.check(t, s)
					require.NoError(t, s.Close())
					mu.Lock()
					killed++
					acknowledged += said.acknowledged
					underWay += len(said.open) + len(said.maybe)
					if !said.opened {
						early++
					}
					mu.Unlock()
					if t.Failed() {
						return
					}
				}
			})
		}
	})
	assert.Equal(t, *kills/lanes*lanes, killed)
	assert.Positive(t, acknowledged)
	assert.Positive(t, underWay, "no kill came at an instant that matters")
}
