package workers

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/earshot-audio/earshot/loadgen/host"
	"github.com/earshot-audio/earshot/loadgen/link"
	"github.com/earshot-audio/earshot/loadgen/scenario"
	"github.com/earshot-audio/earshot/loadgen/speech"
)

// protocol is the version of the messages. Processes of one build have the same.
const protocol = 4

// The subjects. Those of a run have its name in them.
const enrolSubject = "earshot.load.enrol"

func upSubject(run, worker string) string { return "earshot.load." + run + ".up." + worker }
func downSubject(run string) string       { return "earshot.load." + run + ".down" }
func clockSubject(run string) string      { return "earshot.load." + run + ".clock" }
func orderSubject(run string, worker int) string {
	return fmt.Sprintf("earshot.load.%s.order.%d", run, worker)
}

// A hello is how a worker introduces itself.
type hello struct {
	// ID is the worker's, the same if it asks again because the answer did not come in time.
	ID       string `json:"id"`
	Protocol int    `json:"protocol"`
	Build    string `json:"build"`
	Name     string `json:"name"`
	Host     string `json:"host"`
	Machine  string `json:"machine"`
	PID      int    `json:"pid"`
	CPUs     int    `json:"cpus"`
	// Local is the secret of the workers that the coordinator has started itself.
	Local string `json:"local,omitempty"`
	// Played is the run that the worker has played before.
	Played string `json:"played,omitempty"`
}

// A welcome is the coordinator's answer.
type welcome struct {
	// Refused is why the worker can't take part.
	Refused string `json:"refused,omitempty"`
	// Later means that this run is the one that the worker has played: the next comes later.
	Later  bool   `json:"later,omitempty"`
	Run    string `json:"run,omitempty"`
	Number int    `json:"number"`
	// Local means that the worker has the coordinator's clock.
	Local bool  `json:"local,omitempty"`
	Plan  *Plan `json:"plan,omitempty"`
}

// A Plan is what is played.
type Plan struct {
	Workers  int                `json:"workers"`
	Scenario *scenario.Scenario `json:"scenario"`
	// Audio has the digest of each of the cast's audio files.
	Audio map[string]string `json:"audio"`
	// Target is how workers reach the server, as the command line says it.
	Target json.RawMessage `json:"target"`
	// Again means that the workers are wanted for one more run afterwards.
	Again bool `json:"again,omitempty"`
}

// A start is the coordinator's word that the run begins.
type start struct {
	// Zero is what the coordinator's clock shows, of the following, when the run's shows 0;
	// and Wall what its wall clock shows.
	Zero    time.Duration `json:"zero"`
	Wall    int64         `json:"wall"`
	Tickets []string      `json:"tickets"`
	// Local are the processes of the run on the coordinator's machine.
	Local []int `json:"local,omitempty"`
	// Cancelled is why there will be no run.
	Cancelled string `json:"cancelled,omitempty"`
}

// A message is what goes up or down: one of them is set. Whose it is that goes up its subject
// says.
type message struct {
	Ready  bool         `json:"ready,omitempty"`
	Failed string       `json:"failed,omitempty"`
	Start  *start       `json:"start,omitempty"`
	Report *link.Report `json:"report,omitempty"`
	News   *link.News   `json:"news,omitempty"`
}

// maxMessage is the longest message in bytes.
const maxMessage = 8 << 20

// build names what has to be the same in all processes of a run: the commit that the
// program was built from; or its file, if that says more.
var build = sync.OnceValue(func() string {
	e := host.CurrentEnvironment()
	if e.Revision != "" && !e.Modified {
		return e.Version + " " + e.Revision
	}
	h := sha256.New()
	if path, err := os.Executable(); err == nil {
		if f, err := os.Open(path); err == nil {
			defer f.Close()
			_, _ = io.Copy(h, f) // a part of it is no other's either
		}
	}
	return fmt.Sprintf("%s, file %x", e.Version, h.Sum(nil)[:8])
})

// audioDigests returns the digest of each of the cast's audio files.
func audioDigests(s *scenario.Scenario) (map[string]string, error) {
	all := map[string]string{}
	for _, g := range s.Cast {
		for _, path := range g.Audio {
			if _, known := all[path]; known {
				continue
			}
			clip, err := speech.Load(path)
			if err != nil {
				return nil, err
			}
			h := sha256.New()
			for _, f := range clip.Frames {
				fmt.Fprintf(h, "%d:", len(f.Payload))
				h.Write(f.Payload)
			}
			all[path] = hex.EncodeToString(h.Sum(nil))
		}
	}
	return all, nil
}

// machine identifies this machine as long as it runs, whatever its name, and the same in all its
// containers.
func machine() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return hostName()
	}
	return fmt.Sprintf("%x", sha256.Sum256(id))[:16] // reports keep it
}

// hostName names this machine.
func hostName() string {
	name, err := os.Hostname()
	if err != nil {
		return "unknown"
	}
	return name
}

// wallOf is what the wall clock shows when the monotonic one shows what it does at t, in
// nanoseconds since 1970. The two are read one after the other, and a thread may be held up in
// between: so the middle one of several readings counts.
func wallOf(t time.Time) int64 {
	var all []int64
	for range 9 {
		now := time.Now()
		all = append(all, now.UnixNano()-int64(now.Sub(t)))
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// atWall is the moment at which the wall clock shows that.
func atWall(ns int64) time.Time {
	now := time.Now()
	return now.Add(time.Duration(ns - wallOf(now)))
}
