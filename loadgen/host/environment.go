package host

import (
	"os"
	"runtime"
	"runtime/debug"
	"slices"
)

// Environment describes the generator's machine and the program.
type Environment struct {
	OS     string `json:"os"`
	Arch   string `json:"arch"`
	Kernel string `json:"kernel,omitempty"`
	// CPU is the name of the processor. Memory is the machine's, in bytes.
	CPU      string `json:"cpu,omitempty" jsonschema:"The processor's name."`
	CPUs     int    `json:"cpus"`
	Memory   uint64 `json:"memory_bytes,omitempty" jsonschema:"The machine's."`
	Hostname string `json:"hostname,omitempty"`

	Go      string `json:"go"`
	Version string `json:"version" jsonschema:"Of earshot."`
	// Revision is the commit that the program was built from. Modified means that the
	// source differed from it.
	Revision string            `json:"revision,omitempty" jsonschema:"The commit that earshot was built from."`
	Modified bool              `json:"modified,omitempty" jsonschema:"It was built from more than that commit."`
	Modules  map[string]string `json:"modules,omitempty" jsonschema:"Versions of the libraries that matter to what is measured."`
}

// reportedModules are the modules whose versions matter for what is measured.
var reportedModules = []string{
	"github.com/pion/webrtc/v4", "github.com/pion/dtls/v3", "github.com/pion/srtp/v3", "github.com/pion/ice/v4", "github.com/pion/opus",
}

// CurrentEnvironment describes where this process runs.
func CurrentEnvironment() Environment {
	e := Environment{OS: runtime.GOOS, Arch: runtime.GOARCH, CPUs: runtime.NumCPU(), Go: runtime.Version(), Modules: map[string]string{}}
	e.Hostname, _ = os.Hostname()
	e.addMachine()
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return e
	}
	e.Version = info.Main.Version
	for _, m := range info.Deps {
		if slices.Contains(reportedModules, m.Path) {
			e.Modules[m.Path] = m.Version
		}
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			e.Revision = s.Value
		case "vcs.modified":
			e.Modified = s.Value == "true"
		}
	}
	return e
}
