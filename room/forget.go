package room

// Forget removes what the room remembers of an account: its standing, its name among
// those who were put out, and the places that are reserved by its invites. What stays is that
// it was put out, so that a ban holds. It reports whether it has changed anything.
// Somebody with the account who is in the room stays.
func (r *Room) Forget(account, name string) (changed bool) {
	if account == "" || r.ended {
		return false
	}
	if _, known := r.standings[account]; known {
		changed = true
	}
	delete(r.standings, account)
	delete(r.decided, account)
	delete(r.seen, account)
	for i, b := range r.blocks {
		// One that an earlier version wrote does not say whose it was; its name does.
		nameless := b.Account == "" && b.Whose == ""
		if b.Name != "" && (b.Account == account || b.Whose == account || nameless && b.Name == name) {
			r.blocks[i].Name, r.blocks[i].Whose, changed = "", "", true
		}
	}
	kept := r.reservations[:0]
	for _, h := range r.reservations {
		if h.Inviter.Account == account {
			changed = true
			continue
		}
		kept = append(kept, h)
	}
	r.reservations = kept
	return changed
}
