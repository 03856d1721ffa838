package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"github.com/earshot-audio/earshot/room/rtc"
	"github.com/earshot-audio/earshot/signaling"
	"github.com/earshot-audio/earshot/web"
)

// goodbyes is how long a stopping server waits for its clients.
const goodbyes = 10 * time.Second

// serveFlags are the flags of earshot serve.
type serveFlags struct {
	http, media, advertise, data string
	open, openToNetwork          bool
	operatorToken, logFormat     string
	pprof                        string
	stopWithStdin                bool
}

func serveCommand() *cobra.Command {
	var f serveFlags
	c := &cobra.Command{
		Use:   "serve",
		Short: "Serve live-audio rooms",
		Long: `Serve live-audio rooms: signaling over WebSocket, WHIP and WHEP, and audio over
one UDP port. With --open, rooms spring up on first use and nobody needs a
token: for demos and load tests on this machine.`,
		Example: `  earshot serve --open
  earshot serve --http 127.0.0.1:8080 --media 127.0.0.1:8081`,
		Args: arguments(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			return serve(c.Context(), f, c.InOrStdin(), c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	flags := c.Flags()
	flags.StringVar(&f.http, "http", "127.0.0.1:7080", "`address` of HTTP and WebSockets")
	flags.StringVar(&f.media, "media", "127.0.0.1:7081", "UDP `address` of all audio")
	flags.StringVar(&f.advertise, "advertise", "", "IP `address` to put in candidates, if clients reach --media at another than its own (NAT, containers)")
	flags.StringVar(&f.data, "data", "./earshot-data", "`directory` of what outlives the process")
	flags.BoolVar(&f.open, "open", false, "let rooms spring up on first use and ask for no token")
	flags.BoolVar(&f.openToNetwork, "open-to-network", false, "allow --open on an address that others can reach")
	flags.StringVar(&f.operatorToken, "operator-token", os.Getenv("EARSHOT_OPERATOR_TOKEN"), "`token` of the operator (or $EARSHOT_OPERATOR_TOKEN; default: made once and kept under --data)")
	flags.StringVar(&f.logFormat, "log-format", "text", "`format` of the log on standard error: text or json")
	flags.StringVar(&f.pprof, "pprof", "", "`address` to serve profiles of this process on")
	flags.BoolVar(&f.stopWithStdin, "stop-with-stdin", false, "stop when standard input ends")
	_ = flags.MarkHidden("stop-with-stdin") // how a run's own server notices that the run has died
	flags.Lookup("operator-token").DefValue = ""
	return c
}

func (f serveFlags) check() error {
	if f.logFormat != "text" && f.logFormat != "json" {
		return usage(fmt.Errorf("--log-format %q is neither text nor json", f.logFormat))
	}
	if f.advertise != "" {
		if _, err := netip.ParseAddr(f.advertise); err != nil {
			return usage(fmt.Errorf("--advertise: %w", err))
		}
	}
	for _, a := range []struct{ flag, address string }{{"--http", f.http}, {"--media", f.media}} {
		host, _, err := net.SplitHostPort(a.address)
		if err != nil {
			return usage(fmt.Errorf("%s: %w; an address is like 127.0.0.1:7080", a.flag, err))
		}
		if f.open && !f.openToNetwork && !loopbackHost(host) {
			return usage(fmt.Errorf("%s %s can be reached from the network, and --open asks nobody for a token: choose a loopback address, or add --open-to-network", a.flag, a.address))
		}
	}
	return nil
}

func loopbackHost(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// serve runs the server until ctx is done.
func serve(ctx context.Context, f serveFlags, stdin io.Reader, stdout, stderr io.Writer) (err error) {
	if err := f.check(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if f.stopWithStdin {
		go func() { // ends with the process: a read of standard input can't be cancelled
			_, _ = io.Copy(io.Discard, stdin)
			cancel()
		}()
	}
	log := newLog(f.logFormat, stderr)

	token := f.operatorToken
	if token == "" && !f.open {
		if token, err = keepOperatorToken(f.data); err != nil {
			return err
		}
	}
	advertise, _ := netip.ParseAddr(f.advertise) // checked; zero if empty
	media, err := rtc.New(rtc.Config{Media: f.media, Advertise: advertise, Log: log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, media.Close()) }()
	registry := prometheus.NewRegistry()
	server, err := signaling.New(signaling.Config{
		Open: f.open, OperatorToken: token, Media: media, Log: log, Registry: registry, Version: version(), Page: web.Handler(),
	})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", f.http)
	if err != nil {
		return fmt.Errorf("listen on --http %s: %w; is another server running there?", f.http, err)
	}
	front := server.HTTP()
	failed := make(chan error, 2)
	go func() { failed <- front.Serve(listener) }()
	if f.pprof != "" {
		profiles, err := serveProfiles(f.pprof, failed)
		if err != nil {
			return errors.Join(err, front.Close())
		}
		defer func() { err = errors.Join(err, profiles.Close()) }()
	}
	fmt.Fprintf(stdout, "earshot is serving http://%s (audio on UDP %s); stop with Ctrl-C\n", listener.Addr(), media.Addr())

	select {
	case <-ctx.Done():
	case err = <-failed:
		err = fmt.Errorf("serve: %w", err)
	}
	log.Info("stopping")
	stop, done := context.WithTimeout(context.WithoutCancel(ctx), goodbyes)
	defer done()
	return errors.Join(err, server.Shutdown(stop), front.Shutdown(stop))
}

func newLog(format string, to io.Writer) *slog.Logger {
	if format == "json" {
		return slog.New(slog.NewJSONHandler(to, nil))
	}
	return slog.New(slog.NewTextHandler(to, nil))
}

// serveProfiles serves the profiles of net/http/pprof on an address of their own.
func serveProfiles(address string, failed chan<- error) (*http.Server, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen on --pprof %s: %w", address, err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	s := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() { failed <- s.Serve(listener) }()
	return s, nil
}
