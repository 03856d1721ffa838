package clock

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// An exchange on the wire, all big-endian. The question is a number. The answer is
// the same number, then the four fields of a reply.
const (
	questionLength = 8
	answerLength   = questionLength + 4*8
)

// A reply is what the other machine says of its clock.
type reply struct {
	came, left time.Duration // when the question came and the answer left, on its clock
	zero       UTC
}

// Answer returns the answer to a question of a [Follower] that has just come.
func Answer(question []byte, clock Clock) ([]byte, error) {
	came := clock.Now()
	if len(question) != questionLength {
		return nil, fmt.Errorf("a question about the clock has %d bytes, not %d: this is another build", len(question), questionLength)
	}
	answer := make([]byte, 0, answerLength)
	answer = append(answer, question...)
	zero := clock.Zero()
	for _, v := range []int64{int64(came), int64(clock.Now()), zero.At, int64(zero.Within)} {
		answer = binary.BigEndian.AppendUint64(answer, uint64(v))
	}
	return answer, nil
}

func question(number uint64) []byte { return binary.BigEndian.AppendUint64(nil, number) }

// errOther is an answer to a question asked before, which may come twice or late.
var errOther = errors.New("an answer to another question")

// far bounds the times in a reply, so that no sum of them can overflow. UTC is beyond it.
const far = int64(1) << 60

func readAnswer(answer []byte, number uint64) (reply, error) {
	if len(answer) != answerLength {
		return reply{}, fmt.Errorf("an answer about the clock has %d bytes, not %d: this is another build", len(answer), answerLength)
	}
	if binary.BigEndian.Uint64(answer) != number {
		return reply{}, errOther
	}
	var v [4]int64
	for i := range v {
		v[i] = int64(binary.BigEndian.Uint64(answer[questionLength+8*i:]))
	}
	r := reply{came: time.Duration(v[0]), left: time.Duration(v[1]), zero: UTC{At: v[2], Within: time.Duration(v[3])}}
	if v[0] < -far || v[0] > v[1] || v[1] > far || v[2] < 0 || v[2] > 4*far || v[3] > far {
		return reply{}, fmt.Errorf("the other clock showed %v when it was asked, and %v when it answered", r.came, r.left)
	}
	return r, nil
}
