package clock

import (
	"context"

	"github.com/nats-io/nats.go"
)

// Serve answers the questions of followers that come over a subject of NATS, until the
// subscription ends.
func Serve(conn *nats.Conn, subject string, clock Clock) (*nats.Subscription, error) {
	return conn.Subscribe(subject, func(m *nats.Msg) {
		answer, err := Answer(m.Data, clock)
		if err == nil {
			// The asker will miss an answer that is not sent, and ask again.
			_ = m.Respond(answer)
		}
	})
}

// Over asks over a subject of NATS on which the other machine has [Serve].
func Over(conn *nats.Conn, subject string) Asker { return overNATS{conn, subject} }

type overNATS struct {
	conn    *nats.Conn
	subject string
}

func (o overNATS) Ask(ctx context.Context, question []byte) ([]byte, error) {
	answer, err := o.conn.RequestWithContext(ctx, o.subject, question)
	if err != nil {
		return nil, err
	}
	return answer.Data, nil
}
