package meter

import (
	"fmt"
	"io"
	"net"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// asListener has the test's program listen on a port, which it prints, until its input ends.
const asListener = "EARSHOT_TEST_AS_LISTENER"

func TestMain(m *testing.M) {
	if os.Getenv(asListener) != "" {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			panic(err)
		}
		fmt.Println(l.Addr().(*net.TCPAddr).Port)
		_, _ = io.Copy(io.Discard, os.Stdin)
		return
	}
	goleak.VerifyTestMain(m)
}
