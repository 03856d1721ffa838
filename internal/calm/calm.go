// Package calm has tests wait for a machine that has little else to do. A test that plays in real time, and
// whose run said that the machine was too busy, plays again after that.
package calm

import (
	"time"

	"github.com/earshot-audio/earshot/loadgen/host"
)

// most is for how long at most it is waited: a machine that is always busy has to do.
const most = 15 * time.Second

// Play plays something that can't be seen on a machine that is too busy: until play says that it was not,
// or so many times. In between it waits for a calm machine.
func Play(tries int, play func() (busy bool)) {
	for n := 1; play() && n < tries; n++ {
		Await()
	}
}

// Await returns when the machine's cores were idle for three quarters of the last second, or after 15 s. Where
// it is not known what they do, it returns at once.
func Await() {
	for end := time.Now().Add(most); time.Now().Before(end); {
		before, ok := host.MachineTimes()
		if !ok {
			return
		}
		time.Sleep(time.Second)
		after, _ := host.MachineTimes()
		if used := after.Sub(before); used.Idle > used.All()*3/4 {
			return
		}
	}
}
