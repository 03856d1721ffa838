package target

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/earshot-audio/earshot/internal/decimal"
	"github.com/earshot-audio/earshot/loadgen/versus"
)

// Parse reads a --target of earshot versus. Its keys are those of the drivers' own flags, and
// such a key chooses the driver.
func Parse(text string, turn TURNFlags) (name string, f Flags, err error) {
	spec, err := versus.ParseSpec(text)
	if err != nil {
		return "", f, fmt.Errorf("--target %w", err)
	}
	kinds := drivers()
	f = Flags{driver: kinds[0].Name, values: map[string]string{}, turn: turn}
	for _, o := range spec.Options {
		switch kind, flag, ok := kinds.Key(o.Key); {
		case ok:
			f.driver = kind.Name
			_ = driverFlag{f.values, flag.Name}.Set(o.Value) // it takes any text
		case o.Key == "token":
			f.token = o.Value
		case o.Key == "pid":
			if f.serverPID, err = strconv.Atoi(o.Value); err != nil || !decimal.Is(o.Value) || f.serverPID < 1 {
				return "", f, fmt.Errorf("--target %s: pid=%s is not the number of a process", spec.Name, o.Value)
			}
		default:
			return "", f, fmt.Errorf("--target %s has no %q: it can have %s, token, pid", spec.Name, o.Key, strings.Join(kinds.Keys(), ", "))
		}
	}
	return spec.Name, f, nil
}
