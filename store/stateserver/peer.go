package stateserver

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/earshot-audio/earshot/internal/wholefile"
)

const (
	// peerPing is how often a peer asks another for a sign of life, peerPings of which may be
	// outstanding. A node that hangs has lost its lease before; with fewer, busy machines lose
	// connections that are sound.
	peerPing      = 250 * time.Millisecond
	peerPings     = 6
	peerWriteTime = time.Second
	peerTLSTime   = 5 // seconds
	// nodeFile has the id of the node that uses the directory, or did.
	nodeFile = "node"
	// peerLook is how often a peer that starts is looked at.
	peerLook = 100 * time.Millisecond
)

// PeerConfig is what a [Peer] is made of.
type PeerConfig struct {
	// Dir holds its files. It is made if there is none.
	Dir string
	// Set says which peers there are, and which of them this one is.
	Set PeerSet
	// Importing says that this node is about to import: the others wait for it.
	Importing bool
	// TLS is for the connections between the peers, in both directions; nil: plaintext.
	TLS *tls.Config
	Log *slog.Logger
}

// A Peer is a NATS server in the process of a node, which keeps the store of the cluster
// together with those of the other nodes: each record is on all of them, and is written when
// most of them have it on the disk. It is safe for concurrent use.
type Peer struct {
	set      PeerSet
	dir      string
	server   *server.Server
	lock     *lock
	log      *peerLog
	password string // of its clients, which are in this process
	imported func() // says to others that an import is over; nil: there is none
}

// StartPeer starts one. The caller closes it after all that uses it. The error says what to do if
// its directory can't be used, or is another peer's, or its address is in use.
func StartPeer(cfg PeerConfig) (_ *Peer, err error) {
	if err := prepareDir(cfg.Dir); err != nil {
		return nil, err
	}
	warnLoose(cfg.Dir, cfg.Log)
	p := &Peer{set: cfg.Set, dir: cfg.Dir, log: &peerLog{log: cfg.Log}, password: rand.Text()}
	if p.lock, err = lockDir(cfg.Dir); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.Close())
		}
	}()
	if err := cfg.Set.keep(cfg.Dir); err != nil {
		return nil, err
	}
	options, err := p.options(cfg.TLS)
	if err != nil {
		return nil, err
	}
	if p.server, err = server.NewServer(options); err != nil {
		return nil, fmt.Errorf("set up the embedded NATS server: %w", err)
	}
	p.server.SetLoggerV2(p.log, false, false, false)
	p.server.Start()
	for begun := time.Now(); !p.server.ReadyForConnections(peerLook); {
		switch err := p.log.fatal(); {
		case err != nil:
			return nil, fmt.Errorf("start the embedded NATS server on %s: %w; is another server running there?", cfg.Set.Self, err)
		case time.Since(begun) > startTimeout:
			return nil, fmt.Errorf("the embedded NATS server did not start within %v", startTimeout)
		}
	}
	if !p.server.JetStreamEnabled() {
		return nil, fmt.Errorf("the data directory %s cannot be used", cfg.Dir)
	}
	if cfg.Importing {
		if err := p.announceImport(); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// announceImport has the others wait until imported is called: they come together before this node's store is open.
func (p *Peer) announceImport() error {
	conn, err := p.Connect(nats.Name("earshot import"))
	if err != nil {
		return fmt.Errorf("reach the embedded NATS server: %w", err)
	}
	if _, err := AnswerImport(conn); err != nil {
		conn.Close()
		return err
	}
	p.imported = conn.Close
	return nil
}

func (p *Peer) options(config *tls.Config) (*server.Options, error) {
	host, port, err := net.SplitHostPort(p.set.Self)
	if err != nil {
		return nil, fmt.Errorf("the address of the embedded NATS server: %w", err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return nil, fmt.Errorf("the address of the embedded NATS server: %w", err)
	}
	o := &server.Options{
		ServerName: p.set.Self,
		// A server without a port for clients opens none for routes either. Nobody knows the
		// password of this one.
		Host: "127.0.0.1", Port: server.RANDOM_PORT, Username: clientName, Password: p.password,
		NoSigs: true, JetStream: true, StoreDir: p.dir, SyncAlways: true,
		MaxPayload: MaxRecord, MaxPending: 8 * MaxRecord, JetStreamMaxStore: maxStoreBytes, JetStreamMaxMemory: memoryLimit,
		// One node that takes nothing must not hold the others up.
		NoFastProducerStall: true, WriteDeadline: peerWriteTime,
		Cluster: server.ClusterOpts{
			Name: p.set.name(), Host: host, Port: number, NoAdvertise: true, PoolSize: -1, // one connection to each
			PingInterval: peerPing, MaxPingsOut: peerPings, WriteDeadline: peerWriteTime,
		},
	}
	if config != nil {
		o.Cluster.TLSConfig, o.Cluster.TLSTimeout = config, peerTLSTime
	}
	for _, other := range p.set.Others {
		o.Routes = append(o.Routes, &url.URL{Scheme: "nats-route", Host: other})
	}
	return o, nil
}

// clientName is the user name of a peer's clients.
const clientName = "earshot"

// Connect connects to the peer, without the network.
func (p *Peer) Connect(options ...nats.Option) (*nats.Conn, error) {
	return nats.Connect("", append(options, nats.InProcessServer(p.server), nats.UserInfo(clientName, p.password))...)
}

// Succeed notes the id of the node that this process is, and returns the one that the last process on
// this directory was: that one is gone.
func (p *Peer) Succeed(node string) (last string, err error) {
	path := filepath.Join(p.dir, nodeFile)
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read which node this was: %w", err)
	}
	if err := wholefile.Bytes(path, wholefile.Private, []byte(node)); err != nil {
		return "", fmt.Errorf("note which node this is: %w", err)
	}
	return string(data), nil
}

// Check returns why the peer keeps nothing.
func (p *Peer) Check() error {
	if !p.server.JetStreamEnabled() {
		return errors.New("the embedded NATS server has stopped keeping anything: see its errors in the log, and start this node again")
	}
	return ProbeDir(p.dir)
}

// EndImport tells the others that nothing is imported any more.
func (p *Peer) EndImport() { p.imported() }

// Leads reports whether this peer leads the writing of a stream.
func (p *Peer) Leads(stream string) bool {
	return p.server.JetStreamIsStreamLeader(server.DEFAULT_GLOBAL_ACCOUNT, stream)
}

// Close stops it. Others become leader of what it led.
func (p *Peer) Close() error {
	if p.imported != nil {
		p.imported()
	}
	if p.server != nil {
		p.server.Shutdown()
		p.server.WaitForShutdown()
	}
	return p.lock.close()
}

// Await returns when there are enough peers to keep the store: all the first time, and most of them
// from then on. It calls say, in words, with whom it waits for, each time that changes. The error
// says what is missing.
func (p *Peer) Await(ctx context.Context, say func(text string)) error {
	conn, err := p.Connect(nats.Name("earshot peer"))
	if err != nil {
		return fmt.Errorf("reach the embedded NATS server: %w", err)
	}
	defer conn.Close()
	look := time.NewTicker(peerLook)
	defer look.Stop()
	said := ""
	for {
		why, err := p.missing(ctx, conn)
		if err != nil {
			return err
		}
		if why == "" {
			return nil
		}
		if why != said {
			said = why
			say("waiting for " + why)
		}
		select {
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.Canceled) {
				return fmt.Errorf("stopped while it waited for %s: %w", why, ctx.Err())
			}
			return fmt.Errorf("this node could not join the others: it waited for %s%s", why, p.log.lastly())
		case <-look.C:
		}
	}
}
