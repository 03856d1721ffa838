package main

import (
	"errors"
	"net"
	"os"
	"strconv"

	"github.com/pion/stun/v4"
	"github.com/spf13/pflag"

	"github.com/earshot-audio/earshot/internal/iceuri"
	"github.com/earshot-audio/earshot/loadgen"
)

// turnPasswordEnv is the environment variable of --turn-password: others on the machine
// can read a command line.
const turnPasswordEnv = "EARSHOT_TURN_PASSWORD"

// turnFlags name the TURN server of those of a cast who go by one.
type turnFlags struct{ url, user, password string }

func (f *turnFlags) bind(flags *pflag.FlagSet) {
	flags.StringVar(&f.url, "turn-url", "", "TURN server for the cast's shares of turn-udp and turn-tcp, as `URL` like turn:turn.example.org:3478")
	flags.StringVar(&f.user, "turn-user", "", "user `name` at the server of --turn-url")
	flags.StringVar(&f.password, "turn-password", os.Getenv(turnPasswordEnv), "`password` at the server of --turn-url (or $"+turnPasswordEnv+")")
	flags.Lookup("turn-password").DefValue = ""
}

// server is the TURN server; without one it has no address.
func (f turnFlags) server() (loadgen.TURN, error) {
	if f.url == "" {
		if f.user != "" {
			return loadgen.TURN{}, errors.New("--turn-user goes with --turn-url")
		}
		return loadgen.TURN{}, nil
	}
	u, err := iceuri.Parse(f.url)
	switch {
	case err != nil || u.Scheme != stun.SchemeTypeTURN: // the reason may quote a secret
		return loadgen.TURN{}, errors.New("--turn-url is not a turn: URL: write it like turn:turn.example.org:3478, with user and password in flags of their own; TURN over TLS is not played")
	case f.user == "" || f.password == "":
		return loadgen.TURN{}, errors.New("--turn-url needs --turn-user and --turn-password: TURN servers let nobody else in")
	}
	return loadgen.TURN{Address: net.JoinHostPort(u.Host, strconv.Itoa(u.Port)), Username: f.user, Credential: f.password}, nil
}
