package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/pflag"

	"github.com/earshot-audio/earshot/cmd/earshot/cli"
	"github.com/earshot-audio/earshot/internal/plaintext"
	"github.com/earshot-audio/earshot/internal/reach"
	"github.com/earshot-audio/earshot/internal/secrets"
	"github.com/earshot-audio/earshot/store/stateserver"
)

const (
	// peerDir is where under --data a node keeps its part of what three nodes keep together.
	peerDir = "cluster"
	// otherPeers is how many nodes --join names. Of three two are a majority when one is away.
	otherPeers = 2
	// joinWithin is the default of --join-within.
	joinWithin = 2 * time.Minute
)

// peerFlags are the flags of a node that needs no NATS server: it is one itself, together with two
// others.
type peerFlags struct {
	listen        string
	join          []string
	cert, key, ca string
	within        time.Duration
}

func (f *peerFlags) bind(flags *pflag.FlagSet) {
	flags.StringVar(&f.listen, "cluster-listen", "", "with --cluster, in place of --nats: `address` by which the two other nodes reach this one, as their --join has it; the three keep everything together")
	flags.StringSliceVar(&f.join, "join", nil, "with --cluster-listen: `addresses` of the two other nodes, with a comma between them")
	flags.StringVar(&f.cert, "cluster-cert", "", "with --cluster-listen: `file` of the certificate by which the other nodes know this one (PEM); needed off the loopback")
	flags.StringVar(&f.key, "cluster-key", "", "`file` of its key (PEM)")
	flags.StringVar(&f.ca, "cluster-ca", "", "`file` of the authority that signs the certificates of all nodes, and of nobody else (PEM)")
	flags.DurationVar(&f.within, "join-within", joinWithin, "with --cluster-listen: how long to wait for the other nodes")
}

// given reports whether any of them was given.
func (f *peerFlags) given() bool {
	return f.listen != "" || len(f.join) > 0 || f.secured() || f.within != joinWithin
}

func (f *peerFlags) secured() bool { return f.cert != "" || f.key != "" || f.ca != "" }

// check refuses what makes no cluster, or one that others could enter.
func (f *peerFlags) check() error {
	if !f.given() {
		return nil
	}
	all := append([]string{f.listen}, f.join...)
	switch {
	case f.listen == "" || len(f.join) == 0:
		return errors.New("--cluster-listen and --join belong together: the address of this node, and those of the two others")
	case len(f.join) != otherPeers:
		return fmt.Errorf("--join names %d nodes, and must name the two others: three nodes go on when one is away; for more of them use --nats", len(f.join))
	case f.within <= 0:
		return errors.New("--join-within must be positive")
	}
	outside := 0
	for i, address := range all {
		flag := "--join"
		if i == 0 {
			flag = "--cluster-listen"
		}
		if err := checkPeerAddress(flag, address); err != nil {
			return err
		}
		if slices.Contains(all[:i], address) {
			return fmt.Errorf("--join %s: each node has an address of its own, and --join names the others", address)
		}
		if reach.Outside(address) {
			outside++
		}
	}
	switch {
	case outside > 0 && outside < len(all):
		return errors.New("--cluster-listen and --join: some of the addresses are of this machine alone, and others can't reach those")
	case f.secured() && (f.cert == "" || f.key == "" || f.ca == ""):
		return errors.New("--cluster-cert, --cluster-key and --cluster-ca belong together")
	case outside > 0 && !f.secured():
		return fmt.Errorf("--cluster-listen %s can be reached from the network, where anybody could read and change everything: add --cluster-cert, --cluster-key and --cluster-ca, or choose loopback addresses for all nodes", f.listen)
	}
	return nil
}

// checkPeerAddress refuses addresses by which others can't reach a node.
func checkPeerAddress(flag, address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%s: %w; an address is like n1.example.org:6222", flag, err)
	}
	if number, err := strconv.ParseUint(port, 10, 16); err != nil || number == 0 {
		return fmt.Errorf("%s %s: the port must be a number from 1 to 65535", flag, address)
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		return fmt.Errorf("%s %s is no address by which others reach a node: give its own, or its name", flag, address)
	}
	return nil
}

// tls returns the configuration of the connections between the nodes; nil without TLS.
func (f *peerFlags) tls(log *slog.Logger) (*tls.Config, error) {
	if !f.secured() {
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(f.cert, f.key)
	if err != nil {
		return nil, fmt.Errorf("--cluster-cert, --cluster-key: %w", err)
	}
	if err := secrets.CheckMode(f.key); err != nil {
		log.Warn("the key of --cluster-key is no secret", "error", err)
	}
	pem, err := os.ReadFile(f.ca)
	if err != nil {
		return nil, fmt.Errorf("--cluster-ca: %w", err)
	}
	pool := x509.NewCertPool() // without the system's: those sign certificates of anybody
	if !pool.AppendCertsFromPEM(plaintext.Trim(pem)) {
		return nil, fmt.Errorf("--cluster-ca: %s holds no PEM certificate", f.ca)
	}
	return &tls.Config{
		Certificates: []tls.Certificate{pair}, RootCAs: pool, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS13,
	}, nil
}

// start starts the node's NATS server, and returns when there are enough of them.
func (f *peerFlags) start(ctx context.Context, dir string, importing bool, log *slog.Logger, stdout io.Writer) (*stateserver.Peer, error) {
	config, err := f.tls(log)
	if err != nil {
		return nil, cli.Usage(err)
	}
	set := stateserver.PeerSet{Self: f.listen, Others: f.join}
	set.ElectInTurn()
	peer, err := stateserver.StartPeer(stateserver.PeerConfig{Dir: dir, Set: set, TLS: config, Importing: importing, Log: log})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, f.within)
	defer cancel()
	if err := peer.Await(ctx, func(text string) { fmt.Fprintln(stdout, text) }); err != nil {
		return nil, errors.Join(err, peer.Close())
	}
	return peer, nil
}
