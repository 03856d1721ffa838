package server

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/earshot-audio/earshot/cmd/earshot/cli"
	"github.com/earshot-audio/earshot/internal/reach"
	"github.com/earshot-audio/earshot/internal/secrets"
	"github.com/earshot-audio/earshot/room/rtc"
	"github.com/earshot-audio/earshot/signaling"
	"github.com/earshot-audio/earshot/signaling/front"
	"github.com/earshot-audio/earshot/web"
)

// shutdownTimeout is how long a stopping server waits for its clients.
const shutdownTimeout = 10 * time.Second

// firstLinkTTL is how long the link works that makes the first member.
const firstLinkTTL = time.Hour

// serveFlags are the flags of earshot serve.
type serveFlags struct {
	http, media, advertise, data string
	iceTCP                       string
	nats                         string
	repair                       bool
	open, openToNetwork          bool
	tlsCert, tlsKey              string
	tlsSelfSigned                bool
	operatorToken, logFormat     string
	rateLimitExempt              []string
	trustedProxy                 []string
	proxyProtocol                bool
	maxConnections               int
	publicURL                    string
	cluster                      bool
	peers                        peerFlags
	importing                    bool
	nodeURL, zone                string
	seats                        int
	pprof                        string
	stopWithStdin                bool
	// changed reports whether a flag was given.
	changed func(flag string) bool
}

// Command is earshot serve.
func Command() *cobra.Command {
	var f serveFlags
	c := &cobra.Command{
		Use:   "serve",
		Short: "Serve live-audio rooms",
		Long: `Serve live-audio rooms: signaling over WebSocket, WHIP and WHEP, and audio over
one UDP port, with --ice-tcp also a TCP port. Rooms are entered by invite: the first
start prints a link that makes you a member, who opens rooms and invites others. The operator's token, which is
kept under --data, is for earshot room, earshot invite and the page /operator. Rooms,
invites, accounts and who is on stage survive a restart.

With --open, rooms are created on first use, nobody needs a token, and nothing is
stored: for demos and load tests on this machine. Clients on the loopback are then
exempt from the rate limits, unless --open-to-network is given.`,
		Example: `  earshot serve
  earshot serve --open
  earshot serve --http 0.0.0.0:7443 --media 0.0.0.0:7081 --advertise 192.0.2.7 --tls-self-signed`,
		Args: cli.Arguments(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			return serve(c.Context(), f, c.InOrStdin(), c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	f.bind(c.Flags())
	return c
}

func (f *serveFlags) bind(flags *pflag.FlagSet) {
	flags.StringVar(&f.http, "http", "127.0.0.1:7080", "`address` of HTTP and WebSockets")
	flags.StringVar(&f.media, "media", "127.0.0.1:7081", "UDP `address` of all audio")
	flags.StringVar(&f.iceTCP, "ice-tcp", "", "TCP `address` of audio for those whom UDP does not reach, as behind some firewalls (default: none)")
	flags.StringVar(&f.advertise, "advertise", "", "IP `address` for candidates, if clients reach the server at another address (NAT, containers)")
	flags.StringVar(&f.data, "data", "./earshot-data", "`directory` for rooms, invites, accounts and secrets")
	flags.StringVar(&f.nats, "nats", "", "`URL` of a NATS server with JetStream to keep rooms, invites and accounts in (default: one embedded in the process, under --data)")
	flags.BoolVar(&f.repair, "repair", false, "start on a damaged --data with what is left in it, and keep a copy of it there")
	flags.StringVar(&f.tlsCert, "tls-cert", "", "`file` of the certificate for HTTPS (PEM)")
	flags.StringVar(&f.tlsKey, "tls-key", "", "`file` of its key (PEM)")
	flags.BoolVar(&f.tlsSelfSigned, "tls-self-signed", false, "serve HTTPS with a certificate made here and kept under --data (browsers have to be told to trust it)")
	flags.StringSliceVar(&f.rateLimitExempt, "rate-limit-exempt", nil, "`CIDR` of load generators, which are exempt from the rate limits (repeatable)")
	flags.StringSliceVar(&f.trustedProxy, "trusted-proxy", nil, "`CIDR` of reverse proxies, whose Forwarded or X-Forwarded-For is believed (repeatable)")
	flags.BoolVar(&f.proxyProtocol, "proxy-protocol", false, "connections of --trusted-proxy begin with a header of the PROXY protocol, version 1 or 2; refuse those that do not")
	flags.StringVar(&f.publicURL, "public-url", "", "`URL` by which clients reach the server, if a proxy is in front of it")
	flags.BoolVar(&f.cluster, "cluster", false, "be one of several servers, over which rooms are spread: those that share the NATS server of --nats, or three with --cluster-listen (docs/cluster.md)")
	f.peers.bind(flags)
	flags.BoolVar(&f.importing, "import", false, "with --cluster: begin a new cluster with the rooms, invites, accounts and secrets that a single server has kept under --data")
	flags.StringVar(&f.nodeURL, "node-url", "", "with --cluster: `URL` by which clients reach this very server (default: --public-url, or on the loopback --http)")
	flags.IntVar(&f.seats, "seats", 0, fmt.Sprintf("with --cluster: `number` of people that this server is for; the one with more of them free gets a new room (default: %d for each core)", seatsPerCore))
	flags.StringVar(&f.zone, "zone", "", "with --cluster: `name` of the part of the cluster that the server is in; rooms made through it are placed there first")
	flags.IntVar(&f.maxConnections, "max-connections", 0, "`number` of HTTP connections and WebSockets at once (default: what the limit of open files allows, 65536 at most)")
	flags.BoolVar(&f.open, "open", false, "create rooms on first use and ask for no token")
	flags.BoolVar(&f.openToNetwork, "open-to-network", false, "allow --open on an address that others can reach")
	flags.StringVar(&f.operatorToken, "operator-token", os.Getenv(cli.OperatorTokenEnv), "`token` of the operator (or $EARSHOT_OPERATOR_TOKEN; default: made once and kept under --data)")
	flags.StringVar(&f.logFormat, "log-format", "text", "`format` of the log on standard error: text or json")
	flags.StringVar(&f.pprof, "pprof", "", "`address` to serve profiles of this process on")
	flags.BoolVar(&f.stopWithStdin, "stop-with-stdin", false, "stop when standard input ends")
	_ = flags.MarkHidden("stop-with-stdin") // how the server of a run notices that the run has ended
	flags.Lookup("operator-token").DefValue = ""
	f.changed = flags.Changed
}

func (f serveFlags) check() error {
	if f.logFormat != "text" && f.logFormat != "json" {
		return cli.Usage(fmt.Errorf("--log-format %q is neither text nor json", f.logFormat))
	}
	if f.advertise != "" {
		if _, err := netip.ParseAddr(f.advertise); err != nil {
			return cli.Usage(fmt.Errorf("--advertise: %w", err))
		}
	}
	for _, row := range []struct {
		wrong bool
		text  string
	}{
		{(f.tlsCert == "") != (f.tlsKey == ""), "--tls-cert and --tls-key belong together"},
		{f.tlsSelfSigned && f.tlsCert != "", "--tls-self-signed and --tls-cert exclude each other: choose one"},
		{f.open && (f.changed("data") || f.nats != ""), "--open keeps nothing: leave out --data and --nats"},
		{f.repair && (f.open || f.nats != ""), "--repair is for --data: leave out --open and --nats"},
		{f.proxyProtocol && len(f.trustedProxy) == 0, "--proxy-protocol goes with --trusted-proxy: anybody could say to be anybody"},
		{f.openToNetwork && !f.open, "--open-to-network goes with --open"},
		{f.cluster && f.nats == "" && !f.peers.given(), "--cluster goes with --nats, for servers that share a NATS server, or with --cluster-listen and --join, for three that keep everything themselves"},
		{f.importing && !f.cluster, "--import goes with --cluster: a single server has what is under its --data"},
		{f.nats != "" && f.peers.given(), "--nats and --cluster-listen exclude each other: choose one"},
		{!f.cluster && f.peers.given(), "--cluster-listen, --join and their certificate go with --cluster"},
		{f.repair && f.cluster, "--repair is for a single server: a node of a cluster that has lost its --data starts with an empty one, and the others fill it"},
		{!f.cluster && (f.nodeURL != "" || f.seats != 0 || f.zone != ""), "--node-url, --seats and --zone go with --cluster"},
		{f.cluster && f.nodeURL == "" && f.publicURL == "" && reach.Outside(f.http), "--cluster needs --node-url where others than this machine reach the server: the other servers send people there"},
		{f.seats < 0 || f.seats > maxSeats, fmt.Sprintf("--seats must be from 1 to %d", maxSeats)},
	} {
		if row.wrong {
			return cli.Usage(errors.New(row.text))
		}
	}
	if err := f.peers.check(); err != nil {
		return cli.Usage(err)
	}
	if _, err := f.exempt(); err != nil {
		return cli.Usage(err)
	}
	if _, err := prefixes("--trusted-proxy", f.trustedProxy); err != nil {
		return cli.Usage(err)
	}
	if f.maxConnections != 0 {
		if _, err := front.Limit(f.maxConnections); err != nil {
			return cli.Usage(fmt.Errorf("--max-connections: %w", err))
		}
	}
	return errors.Join(f.checkURLs(), f.checkAddresses())
}

func (f serveFlags) checkURLs() error {
	for _, u := range []struct{ flag, text string }{{"--public-url", f.publicURL}, {"--node-url", f.nodeURL}} {
		if _, err := parseURL(u.flag, u.text); u.text != "" && err != nil {
			return cli.Usage(err)
		}
	}
	return nil
}

// checkAddresses refuses addresses that are none, and those of others' reach that
// should not be.
func (f serveFlags) checkAddresses() error {
	if f.pprof != "" && reach.Outside(f.pprof) {
		return cli.Usage(fmt.Errorf("--pprof %s can be reached from the network, where anybody could stop and read this process with it: choose a loopback address, and reach it through a tunnel (ssh -L)", f.pprof))
	}
	for _, a := range []struct{ flag, address string }{{"--http", f.http}, {"--media", f.media}, {"--ice-tcp", f.iceTCP}} {
		if a.flag == "--ice-tcp" && a.address == "" {
			continue
		}
		if _, _, err := net.SplitHostPort(a.address); err != nil {
			return cli.Usage(fmt.Errorf("%s: %w; an address is like 127.0.0.1:7080", a.flag, err))
		}
		if f.open && !f.openToNetwork && reach.Outside(a.address) {
			return cli.Usage(fmt.Errorf("%s %s can be reached from the network, and --open needs no token: choose a loopback address, or add --open-to-network", a.flag, a.address))
		}
	}
	return nil
}

// parsePublicURL reads an http or https URL of a host alone.
func parsePublicURL(text string) (*url.URL, error) { return parseURL("--public-url", text) }

// parseURL reads such a URL of a flag.
func parseURL(flag, text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("%s %q is not a URL like https://rooms.example.org", flag, text)
	}
	return u, nil
}

// serve runs the server until ctx is done.
func serve(ctx context.Context, f serveFlags, stdin io.Reader, stdout, stderr io.Writer) (err error) {
	if err := f.check(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if f.stopWithStdin {
		cli.CancelAtEOF(stdin, cancel)
	}
	log := newLog(f.logFormat, stderr)

	tlsConfig, err := f.tls()
	if err != nil {
		return err
	}
	if f.tlsKey != "" {
		if err := secrets.CheckMode(f.tlsKey); err != nil { // made elsewhere, by tools of many kinds
			log.Warn("the key of HTTPS is no secret", "error", err)
		}
	}
	cfg := signaling.Config{Open: f.open, LoopbackOnly: !f.openToNetwork, OperatorToken: f.operatorToken, Log: log, Registry: prometheus.NewRegistry(), Version: cli.Version(), Page: web.Handler(nil), Languages: web.Languages()}
	cfg.Limits.Exempt, _ = f.exempt() // checked, as what follows is
	cfg.TrustedProxies, _ = prefixes("--trusted-proxy", f.trustedProxy)
	cfg.ProxyProtocol, cfg.MaxConnections = f.proxyProtocol, f.maxConnections
	if f.publicURL != "" {
		cfg.PublicURL, _ = parsePublicURL(f.publicURL)
	}
	state, err := f.openState(ctx, &cfg, stdout)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, state.Close()) }()
	advertise, _ := netip.ParseAddr(f.advertise) // checked; zero if empty
	media, err := rtc.New(rtc.Config{Media: f.media, ICETCP: f.iceTCP, Advertise: advertise, Log: log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, media.Close()) }()
	cfg.Media = media
	server, err := signaling.New(cfg)
	if err != nil {
		return err
	}
	listener, err := net.Listen(reach.TCPNetwork(f.http), f.http)
	if err != nil {
		return fmt.Errorf("listen on --http %s: %w; is another server running there?", f.http, err)
	}
	scheme, httpServer := "http", server.HTTP()
	listener = server.Listen(listener.(*net.TCPListener)) // for that is what TCP has
	if tlsConfig != nil {
		scheme, listener = "https", tls.NewListener(listener, tlsConfig)
	}
	if cfg.Cluster != nil {
		if err := server.Join(ctx, f.ownURL(scheme, listener.Addr())); err != nil {
			return errors.Join(err, listener.Close(), server.Shutdown(ctx))
		}
	}
	failed := make(chan error, 2)
	go func() { failed <- httpServer.Serve(listener) }()
	if f.pprof != "" {
		profiles, err := serveProfiles(f.pprof, failed)
		if err != nil {
			return errors.Join(err, httpServer.Close())
		}
		defer func() { err = errors.Join(err, profiles.Close()) }()
	}
	fmt.Fprintf(stdout, "earshot is serving %s://%s (audio on UDP %s); stop with Ctrl-C\n", scheme, listener.Addr(), media.Addr())
	if tcp := media.TCPAddr(); tcp.IsValid() {
		fmt.Fprintf(stdout, "audio for those whom UDP does not reach is on TCP %s\n", tcp)
	}
	if !f.open && cfg.Cluster == nil {
		if err := f.printFirstLink(ctx, server, scheme, listener.Addr(), stdout); err != nil {
			log.Warn("no link for a first member could be made", "error", err)
		}
	}
	if cfg.Cluster != nil {
		fmt.Fprintf(stdout, "it is node %s of its cluster\n", cfg.Cluster.ID())
	}

	for _, w := range f.exposed() {
		log.Warn(w)
	}

	select {
	case <-ctx.Done():
	case err = <-failed:
		err = fmt.Errorf("serve: %w", err)
	}
	log.Info("stopping")
	stop, done := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer done()
	return errors.Join(err, server.Shutdown(stop), httpServer.Shutdown(stop))
}

// printFirstLink prints a link that makes who opens it the first member of the club, if
// there is none yet.
func (f serveFlags) printFirstLink(ctx context.Context, server *signaling.Server, scheme string, address net.Addr, stdout io.Writer) error {
	code, err := server.FirstInvite(ctx, firstLinkTTL)
	if err != nil || code == "" {
		return err
	}
	base := f.publicURL
	if base == "" {
		host, port, _ := net.SplitHostPort(address.String())
		if ip, err := netip.ParseAddr(host); err == nil && ip.IsUnspecified() {
			host = cmp.Or(f.advertise, "localhost") // nobody can open 0.0.0.0
		}
		base = scheme + "://" + net.JoinHostPort(host, port)
	}
	_, err = fmt.Fprintf(stdout, "nobody is a member yet: open this link, which works once and for an hour, and open your first room there\n  %s/#/i/%s\n", strings.TrimSuffix(base, "/"), code)
	return err
}

// tls returns the TLS configuration of HTTP; nil without TLS.
func (f serveFlags) tls() (*tls.Config, error) {
	var pair tls.Certificate
	var err error
	switch {
	case f.tlsSelfSigned:
		host, _, _ := net.SplitHostPort(f.http) // checked
		path := filepath.Join(f.data, certificateFile)
		if f.open {
			path = ""
		}
		pair, err = secrets.SelfSigned(host, path)
	case f.tlsCert != "":
		if pair, err = tls.LoadX509KeyPair(f.tlsCert, f.tlsKey); err != nil {
			err = fmt.Errorf("--tls-cert, --tls-key: %w", err)
		}
	default:
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	// WebSockets need HTTP/1.1 (RFC 6455), so HTTP/2 is not offered.
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}, nil
}

func newLog(format string, to io.Writer) *slog.Logger {
	if format == "json" {
		return slog.New(slog.NewJSONHandler(to, nil))
	}
	return slog.New(slog.NewTextHandler(to, nil))
}

// serveProfiles serves the profiles of net/http/pprof on an address of their own.
func serveProfiles(address string, failed chan<- error) (*http.Server, error) {
	listener, err := net.Listen(reach.TCPNetwork(address), address)
	if err != nil {
		return nil, fmt.Errorf("listen on --pprof %s: %w", address, err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	s := &http.Server{Handler: reach.Guard(address, mux), ReadHeaderTimeout: 10 * time.Second}
	go func() { failed <- s.Serve(listener) }()
	return s, nil
}
