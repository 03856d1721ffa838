package workers

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/earshot-audio/earshot/internal/reach"
)

// connect serves NATS, or connects to the server that is there.
func (c *Coordinator) connect() (err error) {
	if c.cfg.URL != "" {
		c.conn, err = nats.Connect(c.cfg.URL, options(nil, c.cfg.URL)...)
		if err != nil {
			return fmt.Errorf("--nats: %w", err)
		}
		return nil
	}
	host, port, err := net.SplitHostPort(c.cfg.Listen)
	if err != nil {
		return fmt.Errorf("the address to coordinate on: %w", err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return fmt.Errorf("the address to coordinate on: %w", err)
	}
	if number == 0 {
		number = server.RANDOM_PORT
	}
	c.server, err = server.NewServer(&server.Options{
		ServerName: "earshot", Host: host, Port: number, NoSigs: true, NoLog: true, Authorization: c.token, MaxPayload: maxMessage,
		MaxPending: 8 * maxMessage, PingInterval: pingEvery, MaxPingsOut: maxPings, TLSConfig: c.cfg.TLS, TLSTimeout: 5, NoFastProducerStall: true,
	})
	if err != nil {
		return fmt.Errorf("serve NATS for the workers: %w", err)
	}
	c.server.Start()
	if !c.server.ReadyForConnections(startTimeout) {
		return fmt.Errorf("serve NATS for the workers on %s: is the address in use?", c.cfg.Listen)
	}
	c.conn, err = nats.Connect("", append(options(nil, ""), nats.InProcessServer(c.server), nats.Token(c.token))...)
	return err
}

// Plain reports whether the workers' token, and the target's, go over a network unencrypted.
func (c *Coordinator) Plain() bool {
	if c.cfg.URL != "" {
		return reach.Plain(c.conn)
	}
	return c.cfg.TLS == nil && reach.Outside(c.cfg.Listen)
}

// options are those of every connection. Whoever says what to trust wants TLS, except on this
// machine: the coordinator there has none for the workers that it starts.
func options(trust *tls.Config, join string) []nats.Option {
	all := []nats.Option{
		nats.Name("earshot"), nats.NoReconnect(), nats.PingInterval(pingEvery), nats.MaxPingsOutstanding(maxPings), nats.Timeout(5 * time.Second),
	}
	if trust != nil {
		all = append(all, nats.Secure(trust), func(o *nats.Options) error {
			o.Secure = !plainHere(join)
			return nil
		})
	}
	return all
}

// plainHere reports whether a URL is of this machine, and asks for no TLS.
func plainHere(join string) bool {
	u, err := url.Parse(join)
	return err == nil && u.Scheme == "nats" && !reach.Outside(u.Host)
}
