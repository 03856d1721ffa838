package driver

import (
	"crypto/tls"
	"fmt"
	"slices"
	"strings"

	"github.com/earshot-audio/earshot/internal/spelling"
)

// A Kind describes a driver to the command line. Each driver's package has a function
// Kind that returns its own.
type Kind struct {
	// Name is the value of --driver.
	Name string
	// Servers is what the driver plays against, for help: "any WHIP/WHEP server".
	Servers string
	// Flags are the driver's own, in the order of the help. The flags of all drivers
	// share one command, so their names must differ.
	Flags []Flag
	// TargetFlag is the name of the flag whose value is the target that people read
	// in reports.
	TargetFlag string
	// OwnServer means that the driver plays against earshot's own server, which is
	// started for the run when TargetFlag is not set.
	OwnServer bool
	// New makes a driver. Its error says which flag is wrong.
	New func(Options) (Driver, error)
}

// A Flag is a flag of one driver. Its value is text.
type Flag struct {
	Name string // without dashes
	// Key is its name in NAME key=value specifications of a target (earshot versus);
	// "" if it can't be set there.
	Key string
	// Env is the environment variable that has its value if it is not given; "" if none.
	Env string
	// Usage is its help, with the name of its value in back quotes.
	Usage string
	// Token means that its value, or what is made of it, is sent to the target to be let in.
	Token bool
}

// Options is what a driver is made from.
type Options struct {
	// Flags are the values of the driver's own flags, by name.
	Flags map[string]string
	// Token is a bearer token for the target; it may be empty.
	Token string
	// TLS says which certificates to trust; nil is the system's.
	TLS *tls.Config
}

// Kinds are the drivers that a program has, the default one first.
type Kinds []Kind

// Find returns the kind with a name.
func (k Kinds) Find(name string) (Kind, error) {
	for _, kind := range k {
		if kind.Name == name {
			return kind, nil
		}
	}
	return Kind{}, fmt.Errorf("unknown --driver %q: %s", name, spelling.Hint(name, k.Names()))
}

// Names returns the kinds' names.
func (k Kinds) Names() []string {
	names := make([]string, len(k))
	for i, kind := range k {
		names[i] = kind.Name
	}
	return names
}

// Usage is the help of --driver.
func (k Kinds) Usage() string {
	texts := k.Names()
	for i := 1; i < len(k); i++ {
		texts[i] += " for " + k[i].Servers
	}
	return "`kind` of server: " + strings.Join(texts, ", or ")
}

// Key returns the kind and the flag that have a key of target specifications.
func (k Kinds) Key(key string) (Kind, Flag, bool) {
	for _, kind := range k {
		if i := slices.IndexFunc(kind.Flags, func(f Flag) bool { return f.Key == key && key != "" }); i >= 0 {
			return kind, kind.Flags[i], true
		}
	}
	return Kind{}, Flag{}, false
}

// Keys returns all keys of target specifications.
func (k Kinds) Keys() (keys []string) {
	for _, kind := range k {
		for _, f := range kind.Flags {
			if f.Key != "" {
				keys = append(keys, f.Key)
			}
		}
	}
	return keys
}

// CheckFlags returns an error if a flag of a driver other than the chosen one has a
// value.
func (k Kinds) CheckFlags(chosen Kind, values map[string]string) error {
	for _, kind := range k {
		if kind.Name == chosen.Name {
			continue
		}
		for _, f := range kind.Flags {
			if values[f.Name] != "" {
				return fmt.Errorf("%s with --driver %s; with --driver %s give %s", goes(kind.Flags), kind.Name, chosen.Name, listed(chosen.Flags, " or "))
			}
		}
	}
	return nil
}

// goes says that flags go, with the right verb.
func goes(flags []Flag) string {
	if len(flags) == 1 {
		return listed(flags, "") + " goes"
	}
	return listed(flags, " and ") + " go"
}

// listed lists flags: "--a, --b and --c".
func listed(flags []Flag, last string) string {
	names := make([]string, len(flags))
	for i, f := range flags {
		names[i] = "--" + f.Name
	}
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + last + names[len(names)-1]
}
