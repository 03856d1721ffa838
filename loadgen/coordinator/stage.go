package coordinator

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/earshot-audio/earshot/loadgen/cast"
	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/problem"
	"github.com/earshot-audio/earshot/loadgen/scoreboard"
)

// A Stage is the rooms that a coordinator has opened for its workers.
type Stage struct {
	cfg   scoreboard.Config
	rooms []driver.RoomClient
	// Tickets are how workers get into the rooms.
	Tickets []string
}

// OpenStage opens the rooms of a run that several workers play. The caller ends it, or closes it.
func OpenStage(ctx context.Context, cfg scoreboard.Config) (*Stage, error) {
	if err := errors.Join(scoreboard.Supports(cfg.Driver, cfg.Scenario), scoreboard.CheckNodes(cfg)); err != nil {
		return nil, err
	}
	shared, ok := cfg.Driver.(driver.Shared)
	if !ok {
		return nil, fmt.Errorf("%w: share rooms between several workers", driver.ErrUnsupported)
	}
	n := cfg.Scenario.Rooms
	s := &Stage{cfg: cfg, rooms: make([]driver.RoomClient, n), Tickets: make([]string, n)}
	group, opening := errgroup.WithContext(ctx)
	group.SetLimit(cast.Concurrency)
	for i := range n {
		group.Go(func() (err error) {
			if s.rooms[i], err = shared.Open(opening, i, cfg.Scenario.Room); err != nil {
				s.rooms[i] = nil
				return err
			}
			s.Tickets[i], err = shared.Ticket(s.rooms[i])
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Close closes the rooms of a run that was not played.
func (s *Stage) Close() error { return errors.Join(s.closeRooms()...) }

// End closes the rooms of a run that was played. As in one process it is a problem of the result if one can't be
// closed, and the figures stay valid: the server may be gone.
func (s *Stage) End(of *scoreboard.Result) {
	own := problem.NewCounter()
	for _, err := range s.closeRooms() {
		own.Add("close room", err)
	}
	of.Problems = problem.Merge([][]problem.Problem{of.Problems, own.List()})
}

func (s *Stage) closeRooms() (all []error) {
	ctx, cancel := context.WithTimeout(context.Background(), scoreboard.LeaveTimeout)
	defer cancel()
	for _, r := range s.rooms {
		if r != nil {
			all = append(all, r.Close(ctx))
		}
	}
	return all
}
