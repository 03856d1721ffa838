package loadgen_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/earshot-audio/earshot/loadgen"
	"github.com/earshot-audio/earshot/loadgen/driver/whep"
	"github.com/earshot-audio/earshot/loadgen/host"
	"github.com/earshot-audio/earshot/loadgen/report"
	"github.com/earshot-audio/earshot/loadgen/scenario"
)

// This example plays a scenario against a WHIP/WHEP server, and writes the report. It
// is not run as a test, because it needs the server.
func ExampleRun() {
	s, err := scenario.Load("../scenarios/smoke.yaml")
	if err != nil {
		fmt.Println(err)
		return
	}
	d, err := whep.New("http://127.0.0.1:7080/rooms/{room}/whip", "http://127.0.0.1:7080/rooms/{room}/whep", "", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	result, err := loadgen.Run(ctx, loadgen.Config{Scenario: s, Driver: d})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := report.Judge(result, s.Thresholds).WriteText(os.Stdout); err != nil {
		fmt.Println(err)
	}
}

// Preflight says before a run what is too small on a machine.
func ExamplePreflight() {
	s, err := scenario.Load("../scenarios/one-speaker-5000.yaml")
	if err != nil {
		fmt.Println(err)
		return
	}
	warnings, err := loadgen.Preflight(host.Limits{Files: 1024, Cores: 1, ReceiveBuffer: 4 << 20}, s, false)
	fmt.Println(warnings, err)

	warnings, err = loadgen.Preflight(host.Limits{Cores: 4, ReceiveBuffer: 4 << 20}, s, true)
	fmt.Println(warnings, err)
	// Output:
	// [] the run needs about 5181 open files and this process may have 1024: raise the limit with ulimit -n 5181, or cast fewer people
	// [] <nil>
}
