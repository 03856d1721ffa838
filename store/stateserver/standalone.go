package stateserver

import (
	"fmt"
	"net"
	"strconv"

	"github.com/nats-io/nats-server/v2/server"
)

// A Standalone is a NATS server for the servers of one cluster, for as long as a test of them
// lasts: what it keeps is not synced to the disk at each write.
type Standalone struct{ server *server.Server }

// Serve starts one on a TCP address of this machine, with its files under dir. Its port may
// be 0. The caller closes it.
func Serve(address, dir string) (*Standalone, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("the address of the NATS server: %w", err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return nil, fmt.Errorf("the address of the NATS server: %w", err)
	}
	if number == 0 {
		number = server.RANDOM_PORT
	}
	ns, err := server.NewServer(&server.Options{
		ServerName: "earshot", Host: host, Port: number, NoSigs: true, NoLog: true, JetStream: true, StoreDir: dir,
		MaxPayload: MaxRecord, MaxPending: 8 * MaxRecord, JetStreamMaxStore: maxStoreBytes, JetStreamMaxMemory: memoryLimit,
		NoFastProducerStall: true,
	})
	if err != nil {
		return nil, fmt.Errorf("set up the NATS server: %w", err)
	}
	ns.Start()
	if !ns.ReadyForConnections(startTimeout) {
		ns.Shutdown()
		ns.WaitForShutdown()
		return nil, fmt.Errorf("the NATS server on %s did not start within %v: is the address in use?", address, startTimeout)
	}
	return &Standalone{ns}, nil
}

// URL is where it is reached.
func (s *Standalone) URL() string { return "nats://" + s.server.Addr().String() }

// Close stops it.
func (s *Standalone) Close() error {
	s.server.Shutdown()
	s.server.WaitForShutdown()
	return nil
}
