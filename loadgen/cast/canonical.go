package cast

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"

	"github.com/earshot-audio/earshot/internal/sdp"
)

// hostNames resolves the names in servers' candidates, each of them once. It is safe for
// concurrent use.
type hostNames struct{ known sync.Map }

// canonical rewrites a server's description so that every client reads it.
func (n *hostNames) canonical(ctx context.Context, description string) (string, error) {
	text, err := sdp.Canonical(description, func(name string) (netip.Addr, error) { return n.resolve(ctx, name) })
	if err != nil {
		return "", fmt.Errorf("read the server's description: %w", err)
	}
	return text, nil
}

// resolve returns an address of a name, of IPv4 if it has one.
func (n *hostNames) resolve(ctx context.Context, name string) (netip.Addr, error) {
	if known, ok := n.known.Load(name); ok {
		return known.(netip.Addr), nil
	}
	all, err := net.DefaultResolver.LookupNetIP(ctx, "ip", name)
	if err != nil {
		return netip.Addr{}, err
	}
	best := all[0].Unmap()
	for _, a := range all {
		if a.Unmap().Is4() {
			best = a.Unmap()
			break
		}
	}
	n.known.Store(name, best)
	return best, nil
}
