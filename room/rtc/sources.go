package rtc

import (
	"io"
	"sync"

	"github.com/pion/transport/v5/packetio"
)

const (
	// maxSources is how many SSRCs a client may use in one session: one for its audio,
	// and some after collisions (RFC 3550, section 8.2) or for packets of other kinds.
	maxSources = 16
	// sourceBuffer is how much of a source waits to be read, in bytes: a second of the
	// highest rate of Opus.
	sourceBuffer = maxOpusRate
)

// sources gives Pion the buffers of a client's SSRCs, and bounds them: Pion itself keeps
// a buffer of up to a megabyte, and goroutines, for as many as the client likes, for RTP
// and for whatever its reports name. Safe for concurrent use.
type sources struct {
	exceeded func() // called when there are more than maxSources

	mu   sync.Mutex
	seen map[uint32]struct{}
}

func newSources(exceeded func()) *sources {
	return &sources{exceeded: exceeded, seen: map[uint32]struct{}{}}
}

// buffer returns the buffer of a source's RTP or RTCP. Only packets that were
// authenticated come here.
func (s *sources) buffer(_ packetio.BufferPacketType, ssrc uint32) io.ReadWriteCloser {
	if !s.admit(ssrc) {
		s.exceeded()
		return discarded{}
	}
	b := sourcePackets{packetio.NewBuffer()}
	b.SetLimitSize(sourceBuffer)
	return b
}

func (s *sources) admit(ssrc uint32) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.seen[ssrc]; ok {
		return true
	}
	if len(s.seen) == maxSources {
		return false
	}
	s.seen[ssrc] = struct{}{}
	return true
}

// sourcePackets is the buffer of a source that is read.
type sourcePackets struct{ *packetio.Buffer }

// Read implements io.Reader.
func (b sourcePackets) Read(p []byte) (int, error) {
	n, _, err := b.Buffer.Read(p, nil)
	return n, err
}

// Write implements io.Writer.
func (b sourcePackets) Write(p []byte) (int, error) { return b.Buffer.Write(p, nil) }

// discarded is the buffer of a source too many: it keeps nothing.
type discarded struct{}

// Read implements io.Reader.
func (discarded) Read([]byte) (int, error) { return 0, io.EOF }

// Write implements io.Writer.
func (discarded) Write(p []byte) (int, error) { return len(p), nil }

// Close implements io.Closer.
func (discarded) Close() error { return nil }
