package cast

import (
	"context"
	"errors"
	"fmt"

	"github.com/earshot-audio/earshot/loadgen/client"
	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/problem"
	"github.com/earshot-audio/earshot/loadgen/scenario"
)

// restartICE has a listener of the crowd restart ICE. What they are owed goes on.
func (p *person) restartICE(ctx context.Context) error {
	ctx, done := p.connected(ctx)
	defer done()
	p.mu.Lock()
	participant, subscriber := p.participant, p.subscriber
	p.mu.Unlock()
	lean, ok := subscriber.(*client.LeanClient)
	if !ok {
		return fmt.Errorf("%w: %s of somebody who does not listen by the crowd", driver.ErrUnsupported, scenario.RestartICE)
	}
	asked := p.room.cast.Clock.Now()
	err := lean.RestartICE(ctx, func(ctx context.Context, fragment string) (string, error) {
		return participant.RestartICE(ctx, driver.Ear, fragment)
	})
	if errors.Is(err, context.DeadlineExceeded) && p.room.cast.Aggregator.Doubts.AtBest(asked, p.room.cast.Clock.Now(), actTimeout) == actTimeout {
		return fmt.Errorf("%w within %v: %w", problem.ErrUnanswered, actTimeout, err)
	}
	return err
}
