package target

import (
	"crypto/tls"
	"errors"
	"fmt"
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

// TURNFlags names the TURN server of those of a cast who go by one.
type TURNFlags struct {
	urls           []string
	user, password string
}

// Bind adds its flags.
func (f *TURNFlags) Bind(flags *pflag.FlagSet) {
	flags.StringArrayVar(&f.urls, "turn-url", nil, "TURN server for the cast's shares of turn-udp and turn-tcp, as `URL` like turn:turn.example.org:3478, or of turn-tls, like turns:turn.example.org:5349 (repeatable, for both)")
	flags.StringVar(&f.user, "turn-user", "", "user `name` at the server of --turn-url")
	flags.StringVar(&f.password, "turn-password", os.Getenv(turnPasswordEnv), "`password` at the server of --turn-url (or $"+turnPasswordEnv+")")
	flags.Lookup("turn-password").DefValue = ""
}

// server is the TURN server; without one it has no address. roots are the certificates that
// are trusted.
func (f TURNFlags) server(roots *tls.Config) (loadgen.TURN, error) {
	switch {
	case len(f.urls) == 0 && f.user != "":
		return loadgen.TURN{}, errors.New("--turn-user goes with --turn-url")
	case len(f.urls) == 0:
		return loadgen.TURN{}, nil
	case f.user == "" || f.password == "":
		return loadgen.TURN{}, errors.New("--turn-url needs --turn-user and --turn-password: TURN servers let nobody else in")
	}
	t := loadgen.TURN{Username: f.user, Credential: f.password, TLS: roots}
	for _, raw := range f.urls {
		if err := addTURN(&t, raw); err != nil {
			return loadgen.TURN{}, err
		}
	}
	return t, nil
}

// addTURN adds the address in a turn: or turns: URL. Errors do not quote it: it may have a
// secret.
func addTURN(t *loadgen.TURN, raw string) error {
	u, err := iceuri.Parse(raw)
	if err != nil || u.Scheme != stun.SchemeTypeTURN && u.Scheme != stun.SchemeTypeTURNS {
		return errors.New("--turn-url is not a turn: or turns: URL: write it like turn:turn.example.org:3478, or turns:turn.example.org:5349 for TLS, with user and password in flags of their own")
	}
	address := &t.Address
	if u.Scheme == stun.SchemeTypeTURNS {
		if u.Proto == stun.ProtoTypeUDP {
			return errors.New("--turn-url asks for TURN over DTLS, which is not played: leave out its ?transport=udp")
		}
		address = &t.TLSAddress
	}
	if *address != "" {
		return fmt.Errorf("--turn-url names two servers of %s: one is enough for a run", u.Scheme)
	}
	*address = net.JoinHostPort(u.Host, strconv.Itoa(u.Port))
	return nil
}
