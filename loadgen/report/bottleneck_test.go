package report

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/earshot-audio/earshot/loadgen"
	"github.com/earshot-audio/earshot/loadgen/link"
	"github.com/earshot-audio/earshot/loadgen/tally"
)

func TestBottleneckOfWorkersOfAMachine(t *testing.T) {
	worker := func(name string, cpu, quota, wait float64) loadgen.Worker {
		return loadgen.Worker{WorkerInfo: link.WorkerInfo{Name: name, Host: "one", Machine: "x"}, Generator: tally.Generator{CPU: cpu, Quota: quota, CPUWait: wait, CPUs: 2}}
	}
	on := func(host, machine string, w loadgen.Worker) loadgen.Worker {
		w.Host, w.Machine = host, machine
		return w
	}
	for _, c := range []struct {
		sentence string
		workers  []loadgen.Worker
		want     []string
	}{
		{"they have cores to spare", []loadgen.Worker{worker("1", 0.5, 0, 0), worker("2", 0.5, 0, 0)}, nil},
		{"one alone says so of itself", []loadgen.Worker{worker("1", 1.9, 0, 0)},
			[]string{"worker 1 was the bottleneck: its process used 1.90 of the 2 cores that it may use (the limit is 90%); give it more CPU, or a smaller scenario"}},
		{"two use up the machine together", []loadgen.Worker{worker("1", 0.95, 0, 0), worker("2", 0.95, 0, 0)},
			[]string{"worker 1 and 2 were the bottleneck: together they used 1.90 of the 2 cores that they may use (the limit is 90%); give them more CPU, or a smaller scenario"}},
		{"two use up the quota of their container", []loadgen.Worker{worker("1", 0.5, 1, 0), worker("2", 0.45, 1, 0)},
			[]string{"worker 1 and 2 were the bottleneck: together they used 0.95 of the 1.00 cores that they may use (the limit is 90%); raise the quota of their control group, or a smaller scenario"}},
		{"two machines of one name have cores of their own", []loadgen.Worker{worker("1", 0.95, 0, 0), on("one", "y", worker("2", 0.95, 0, 0))}, nil},
		{"two containers use up their machine together", []loadgen.Worker{worker("1", 0.95, 0, 0), on("other", "x", worker("2", 0.95, 0, 0))},
			[]string{"worker 1 and 2 were the bottleneck: together they used 1.90 of the 2 cores that they may use (the limit is 90%); give them more CPU, or a smaller scenario"}},
		{"two containers of one machine have quotas of their own that are alike", []loadgen.Worker{worker("1", 0.5, 1, 0), on("other", "x", worker("2", 0.45, 1, 0))}, nil},
		{"the quota of one is no other's", []loadgen.Worker{worker("1", 0.02, 0.1, 0), worker("2", 0.5, 0, 0)}, nil},
		{"the second uses up its own quota", []loadgen.Worker{worker("1", 0.5, 0, 0), worker("2", 0.1, 0.1, 0)},
			[]string{"worker 2 was the bottleneck: its process used 0.10 of the 0.10 cores that it may use (the limit is 90%); raise the quota of its control group, or a smaller scenario"}},
		{"others keep both from the CPU", []loadgen.Worker{worker("1", 0.1, 0, 1.5), worker("2", 0.1, 0, 1.5)},
			[]string{"worker 1 and 2 were the bottleneck: others kept them from the CPU, so that on average 3.00 of their threads waited for a core (the limit is 2 for 2 cores); stop what else runs, or give them more CPU"}},
	} {
		t.Run(c.sentence, func(t *testing.T) { assert.Equal(t, c.want, workersShortcomings(c.workers)) })
	}
}
