package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/earshot-audio/earshot/room"
	"github.com/earshot-audio/earshot/store/kv"
)

// redeemAction is the action of the audit log that says who came by an invite.
const redeemAction = "invite.redeem"

// AccountRecords is what the store holds about an account.
type AccountRecords struct {
	// Invites are those that the account made, the oldest first.
	Invites []Invite
	// Plans are those that the account hosts, the soonest first.
	Plans []Plan
	// Members is how many accounts came by its invites.
	Members int
	// Audit are the entries of the audit log that name it, the oldest first.
	Audit []AuditEntry
}

// AccountRecords returns what the store holds about an account, besides the account
// itself. It reads the whole audit log.
func (s *Store) AccountRecords(ctx context.Context, id string) (AccountRecords, error) {
	var found AccountRecords
	for _, i := range s.Invites() {
		if madeBy(i, id) {
			found.Invites = append(found.Invites, i)
		}
	}
	for _, p := range s.Plans() {
		if p.HostedBy(id) {
			found.Plans = append(found.Plans, p)
		}
	}
	s.accounts.each(func(a Account) {
		if a.Inviter == id {
			found.Members++
		}
	})
	err := s.auditOf(ctx, id, func(_ string, e AuditEntry) { found.Audit = append(found.Audit, e) })
	return found, err
}

// DeleteAccount removes an account and all that names it: its invites, its plans, its place as
// the inviter of others, and its entries in the audit log. Rooms are the caller's. The account
// itself goes last, so that a deletion that fails can be repeated. keepIn reports whether a
// room has banned the account: there, who came by its invites is still known by its id.
func (s *Store) DeleteAccount(ctx context.Context, id string, keepIn func(room string) bool) error {
	if _, err := s.Account(id); err != nil {
		return err
	}
	for _, i := range s.invites.all() {
		switch {
		case madeBy(i, id):
			if err := s.invites.remove(ctx, i.ID); err != nil {
				return err
			}
		case slices.Contains(strings.Fields(i.InvitedBy), id) && !keepIn(i.Room):
			_, err := s.invites.change(ctx, i.ID, func(i Invite, there bool) (Invite, error) {
				if !there {
					return i, fmt.Errorf("invite: %w", ErrNotFound)
				}
				left := slices.DeleteFunc(strings.Fields(i.InvitedBy), func(key string) bool { return key == id })
				i.InvitedBy = strings.Join(left, " ")
				return i, nil
			})
			if err != nil {
				return err
			}
		}
	}
	if err := errors.Join(s.forgetPlans(ctx, id), s.forgetFollowers(ctx, id)); err != nil {
		return err
	}
	if err := s.passOn(ctx, id); err != nil {
		return err
	}
	if err := s.forgetAudit(ctx, id); err != nil {
		return err
	}
	a, err := s.Account(id)
	if err != nil {
		return err
	}
	if err := s.removePicture(ctx, a.Picture); err != nil {
		return err
	}
	return s.accounts.remove(ctx, id)
}

// passOn makes those whom an account has brought in those of whoever brought it in, with whom they share
// what there is for all: see [Store.Full]. If a room had banned the account before, who brought them in is
// known to it by the account's id.
func (s *Store) passOn(ctx context.Context, id string) error {
	var bans []room.Block
	s.rooms.each(func(r roomRecord) {
		if !r.Ended {
			bans = append(bans, r.Blocks...)
		}
	})
	gone, err := s.Account(id)
	if err != nil {
		return err
	}
	for _, a := range s.accounts.all() {
		if a.Inviter != id {
			continue
		}
		sponsors := gone.Sponsors
		if slices.ContainsFunc(bans, func(b room.Block) bool { return b.Account == id && b.At.Before(a.Created) }) {
			sponsors = strings.TrimSpace(sponsors + " " + id)
		}
		_, err := s.accounts.change(ctx, a.ID, func(a Account, there bool) (Account, error) {
			if !there {
				return a, fmt.Errorf("account: %w", ErrNotFound)
			}
			a.Inviter = gone.Inviter
			a.Sponsors = strings.TrimSpace(a.Sponsors + " " + sponsors)
			return a, nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func madeBy(i Invite, account string) bool { return i.Inviter == account || i.InviterAs == account }

// forgetAudit removes the entries of the audit log that name an account.
func (s *Store) forgetAudit(ctx context.Context, id string) error {
	var keys, redeemed []string
	err := s.auditOf(ctx, id, func(key string, e AuditEntry) {
		keys = append(keys, key)
		if e.Actor == id && e.Action == redeemAction {
			redeemed = append(redeemed, e.Target)
		}
	})
	if err != nil {
		return err
	}
	for _, invite := range redeemed {
		if err := s.forgetName(ctx, invite); err != nil {
			return err
		}
	}
	for _, key := range keys {
		if err := s.removeAudit(ctx, key); err != nil {
			return fmt.Errorf("remove from the audit log: %w", err)
		}
	}
	return nil
}

// forgetName removes from an invite for whom it was.
func (s *Store) forgetName(ctx context.Context, id string) error {
	if i, err := s.FindInvite(id); err != nil || i.Name == "" {
		return nil // it is gone, or was for nobody by name
	}
	_, err := s.invites.change(ctx, id, func(i Invite, there bool) (Invite, error) {
		if !there {
			return i, fmt.Errorf("invite: %w", ErrNotFound)
		}
		i.Name = ""
		return i, nil
	})
	return err
}

func (s *Store) removeAudit(ctx context.Context, key string) error {
	ctx, cancel := s.health.Operation(ctx)
	defer cancel()
	return s.health.Explain(s.audit.bucket.Remove(ctx, key))
}

// auditOf calls see for each entry of the audit log that names an account, or an invite
// by which it came or that it made.
func (s *Store) auditOf(ctx context.Context, id string, see func(key string, e AuditEntry)) error {
	if err := s.audit.flush(ctx); err != nil {
		return err
	}
	type line struct {
		key   string
		entry AuditEntry
	}
	var all []line
	invites := make(map[string]bool)
	err := s.audit.bucket.Each(ctx, func(r kv.Record) error {
		var e AuditEntry
		if decode(r.Data, &e) != nil {
			return nil // what cannot be read names nobody
		}
		all = append(all, line{r.Key, e})
		if e.Actor == id && strings.HasPrefix(e.Action, "invite.") {
			invites[e.Target] = true
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the audit log: %w", err)
	}
	for _, l := range all {
		e := l.entry
		if e.Actor == id || e.Target == id || slices.Contains(strings.Fields(e.Detail), id) || e.Target != "" && invites[e.Target] {
			see(l.key, e)
		}
	}
	return nil
}
