package clock

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if onAnotherMachine() {
		return
	}
	goleak.VerifyTestMain(m)
}
