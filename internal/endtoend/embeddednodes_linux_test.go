package endtoend_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/lab"
)

const (
	// embeddedNodes is how many machines have a node each. The clients are on one more.
	embeddedNodes = 3
	// embeddedPatience is how long a test waits for what such nodes must do: they may choose who of them
	// leads, which takes up to nine seconds, more than once.
	embeddedPatience = 2 * time.Minute
)

// embeddedNode is one of three servers without a NATS server, on a machine of its own.
type embeddedNode struct {
	url  string
	args []string
	cmd  *exec.Cmd
}

// embeddedCluster is three of them, and what clients on another machine ask them.
type embeddedCluster struct {
	all   *testing.T // for as long as there are nodes
	t     *testing.T // what is tested now
	lab   *lab.Lab
	dir   string
	nodes [embeddedNodes]*embeddedNode
	http  *http.Client
	rooms int // that there are
}

// newLabCluster builds the program for nodes on the first machines of a lab.
func newLabCluster(t *testing.T, l *lab.Lab) *embeddedCluster {
	t.Helper()
	c := &embeddedCluster{all: t, t: t, lab: l, dir: t.TempDir(), http: &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}}
	out, err := exec.Command("go", "build", "-o", filepath.Join(c.dir, "earshot"), "../../cmd/earshot").CombinedOutput()
	require.NoError(t, err, string(out))
	return c
}

// at is an address of a machine.
func (c *embeddedCluster) at(i, port int) string {
	return net.JoinHostPort(c.lab.Address(i).String(), strconv.Itoa(port))
}

// startEmbeddedNodes starts three nodes without a NATS server on the first machines of a lab.
func startEmbeddedNodes(t *testing.T, l *lab.Lab) *embeddedCluster {
	t.Helper()
	c := newLabCluster(t, l)
	c.certify()
	at := c.at
	for i := range c.nodes {
		own := func(name string) string { return filepath.Join(c.dir, fmt.Sprint(name, i)) }
		c.nodes[i] = &embeddedNode{url: "http://" + at(i, 7080), args: []string{
			"serve", "--cluster", "--cluster-listen", at(i, 6222), "--join", at((i+1)%embeddedNodes, 6222) + "," + at((i+2)%embeddedNodes, 6222),
			"--cluster-cert", own("cert"), "--cluster-key", own("key"), "--cluster-ca", filepath.Join(c.dir, "ca"), "--data", own("data"),
			"--http", at(i, 7080), "--media", at(i, 7081), "--node-url", "http://" + at(i, 7080),
			"--operator-token", operatorToken, "--rate-limit-exempt", "10.213.0.0/16", "--stop-with-stdin",
		}}
		c.start(i)
	}
	c.ready()
	return c
}

// start starts a node, with its log at the end of that of the node before.
func (c *embeddedCluster) start(i int) {
	c.t.Helper()
	n := c.nodes[i]
	n.cmd = c.lab.Command(i, filepath.Join(c.dir, "earshot"), n.args...)
	path := filepath.Join(c.dir, fmt.Sprint("log", i))
	log, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	require.NoError(c.t, err)
	n.cmd.Stderr = log
	_, err = n.cmd.StdinPipe() // closed by Wait, or by the end of this process
	require.NoError(c.t, err)
	require.NoError(c.t, n.cmd.Start())
	cmd := n.cmd
	c.all.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = log.Close()
		if said, err := os.ReadFile(path); err == nil && c.all.Failed() {
			c.all.Logf("the end of the log of node %d:\n%s", i, said[max(0, len(said)-20_000):])
		}
	})
}

// ready waits until all nodes say that they are.
func (c *embeddedCluster) ready() {
	c.t.Helper()
	for i, n := range c.nodes {
		c.eventually(func() bool {
			status, _ := c.call(http.MethodGet, n.url+"/readyz", "", "")
			return status == http.StatusOK
		}, "node %d is ready", i)
	}
}

func (c *embeddedCluster) eventually(is func() bool, why string, args ...any) {
	c.t.Helper()
	for end := time.Now().Add(embeddedPatience); !is(); time.Sleep(50 * time.Millisecond) {
		require.True(c.t, time.Now().Before(end), append([]any{why}, args...)...)
	}
}

// call asks a node for something; status 0: it did not answer.
func (c *embeddedCluster) call(method, url, token, body string) (status int, answer map[string]any) {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), method, url, strings.NewReader(body))
	require.NoError(c.t, err)
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return 0, nil
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, nil
	}
	_ = json.Unmarshal(data, &answer) // some answers have no body
	return resp.StatusCode, answer
}

// made makes something, which nobody hinders now, and returns a field of the answer.
func (c *embeddedCluster) made(url, token, body string, fields ...string) (values []string) {
	c.t.Helper()
	var status int
	var answer map[string]any
	c.eventually(func() bool { status, answer = c.call(http.MethodPost, url, token, body); return status/100 == 2 }, "%s: %v", url, &answer)
	for _, f := range fields {
		values = append(values, answer[f].(string))
	}
	return values
}

// guest makes an invite and redeems it, and returns the token. An invite whose redemption was not answered may be used up:
// then there is another.
func (c *embeddedCluster) guest(on *embeddedNode, path, invite string) (token string) {
	c.t.Helper()
	c.eventually(func() bool {
		code := c.made(on.url+path, operatorToken, invite, "code")[0]
		_, answer := c.call(http.MethodPost, on.url+"/api/invites/"+code+"/redeem", "", `{"name": "guest"}`)
		token, _ = answer["token"].(string)
		return token != ""
	}, "an invite is redeemed")
	return token
}

// id returns the id of a node, which is another after each start.
func (c *embeddedCluster) id(of *embeddedNode) (id string) {
	c.t.Helper()
	c.eventually(func() bool {
		_, answer := c.call(http.MethodGet, of.url+"/api/nodes", operatorToken, "")
		nodes, _ := answer["nodes"].([]any)
		at := slices.IndexFunc(nodes, func(n any) bool { return n.(map[string]any)["url"] == of.url })
		if at >= 0 {
			id = nodes[at].(map[string]any)["node"].(string)
		}
		return at >= 0
	}, "%s is a node", of.url)
	return id
}

// enter has somebody come into a room by way of a node, and follows where they are sent. It tries again until they
// are in.
func (c *embeddedCluster) enter(by *embeddedNode, token, room, role string) (m *member) {
	c.t.Helper()
	c.eventually(func() bool { m, _ = c.tryEnter(by, token, room, role); return m != nil }, "in the room by way of %s", by.url)
	return m
}

// tryEnter tries once, and returns why they are not in.
func (c *embeddedCluster) tryEnter(by *embeddedNode, token, room, role string) (m *member, refused map[string]any) {
	c.t.Helper()
	at := by.url
	for range 2 {
		m = tryDial(c.t, at, map[string]any{"token": token, "name": role})
		if m == nil {
			return nil, nil
		}
		m.joined = m.try(map[string]any{"type": "join", "room": room, "role": role, "name": role})
		switch m.joined["type"] {
		case "joined":
			m.id = m.joined["member"].(string)
			return m, nil
		case "redirect":
			at = "http" + strings.TrimSuffix(strings.TrimPrefix(m.joined["url"].(string), "ws"), "/ws")
		}
		_ = m.conn.Close()
	}
	return nil, m.joined
}

// roomsOn is how many rooms a node says that it has.
func (c *embeddedCluster) roomsOn(n *embeddedNode) (rooms int) {
	c.t.Helper()
	_, answer := c.call(http.MethodGet, n.url+"/api/nodes", operatorToken, "")
	nodes, _ := answer["nodes"].([]any)
	for _, o := range nodes {
		if o := o.(map[string]any); o["url"] == n.url {
			rooms = int(o["rooms"].(float64))
		}
	}
	return rooms
}

// certify writes an authority and the certificates of the nodes.
func (c *embeddedCluster) certify() {
	c.t.Helper()
	write := func(name, kind string, data []byte) {
		require.NoError(c.t, os.WriteFile(filepath.Join(c.dir, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data}), 0o600))
	}
	sign := func(of, by *x509.Certificate, key ed25519.PublicKey, with ed25519.PrivateKey) []byte {
		of.NotBefore, of.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)
		data, err := x509.CreateCertificate(rand.Reader, of, by, key, with)
		require.NoError(c.t, err)
		return data
	}
	authority := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "the cluster"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(c.t, err)
	write("ca", "CERTIFICATE", sign(authority, authority, public, private))
	for i := range c.nodes {
		own, key, err := ed25519.GenerateKey(rand.Reader)
		require.NoError(c.t, err)
		encoded, err := x509.MarshalPKCS8PrivateKey(key)
		require.NoError(c.t, err)
		write(fmt.Sprint("key", i), "PRIVATE KEY", encoded)
		write(fmt.Sprint("cert", i), "CERTIFICATE", sign(&x509.Certificate{
			SerialNumber: big.NewInt(int64(i) + 2), IPAddresses: []net.IP{c.lab.Address(i).AsSlice()}, KeyUsage: x509.KeyUsageDigitalSignature,
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		}, authority, own, private))
	}
}

// holds checks at all nodes what was acknowledged: who is out is out, and invites are there.
func (c *embeddedCluster) holds(room string, barred, invites []string) {
	c.t.Helper()
	for i, n := range c.nodes {
		for _, token := range barred {
			var refused map[string]any
			c.eventually(func() bool {
				var m *member
				m, refused = c.tryEnter(n, token, room, "listener")
				return m != nil || refused["code"] != nil && refused["code"] != "unavailable"
			}, "node %d answers", i)
			assert.Equal(c.t, "barred", refused["code"], "an acknowledged ban, at node %d", i)
		}
		for _, code := range invites {
			var status int
			c.eventually(func() bool {
				status, _ = c.call(http.MethodGet, n.url+"/api/invites/"+code, "", "")
				return status != 0 && status != 503
			}, "node %d answers", i)
			assert.Equal(c.t, http.StatusOK, status, "an acknowledged invite, at node %d", i)
		}
	}
}
