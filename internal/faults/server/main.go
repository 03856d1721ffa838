// Command server is a WHIP and WHEP server with a fault of the fault table, for
// the tests of package faults. It prints its URL and serves until its standard input
// ends, or until its fault has it die.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/earshot-audio/earshot/internal/faults"
	"github.com/earshot-audio/earshot/loadgen/speech"
)

// died is the exit code of a server whose fault it is to die.
const died = 3

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "server:", err)
		os.Exit(1)
	}
}

func run() error {
	var (
		about     faults.Run
		does      = flag.String("does", "", "the fault's `sentence` in the table")
		byChance  = flag.Uint64("by-chance", 0, "does wrong what comes out of this `seed`, instead of -does; 0 is none")
		lasts     = flag.Duration("lasts", time.Second, "for how long, with -by-chance")
		elsewhere = flag.String("elsewhere", "", "the `file` of what is said in another room")
	)
	flag.IntVar(&about.Listeners, "listeners", 1, "how many listeners will come")
	flag.DurationVar(&about.Middle, "middle", time.Second, "the middle of the hold, from the first listener's offer")
	flag.Parse()
	if *elsewhere != "" {
		clip, err := speech.Load(*elsewhere)
		if err != nil {
			return err
		}
		about.Elsewhere = clip
	}
	if *byChance != 0 {
		return serve(faults.ByChance(*byChance, *lasts))
	}
	all := slices.Concat(faults.Faults(about), faults.Others(about), faults.Beside(about), faults.Publishing(about))
	i := slices.IndexFunc(all, func(f faults.Fault) bool { return f.Does == *does })
	if i < 0 {
		return fmt.Errorf("no server %q", *does)
	}
	return serve(all[i])
}

func serve(f faults.Fault) error {
	s, err := faults.NewServer(f, func() { os.Exit(died) })
	if err != nil {
		return err
	}
	fmt.Println(s.URL)
	_, _ = io.Copy(io.Discard, os.Stdin)
	return nil // the process ends, and all connections with it
}
