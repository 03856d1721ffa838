package wire

// ListAudience asks who is in the audience. The answer is [Audience]. Everybody may
// ask for the first page and for those whom they follow, and hosts for the others and for names.
type ListAudience struct {
	fromClient
	ID string `json:"id,omitempty"`
	// Search is a part of the names that are asked for, in any case. Empty: all.
	Search string `json:"search,omitempty"`
	// From is where the page begins: an earlier [Audience.Next]. Zero: the first page.
	From uint64 `json:"from,omitempty"`
	// Followed asks for those whom the sender follows, in all halls. It does not go with the
	// other two.
	Followed bool `json:"followed,omitempty"`
}

// AudienceMember is one person in the audience.
type AudienceMember struct {
	Member string `json:"member"`
	Name   string `json:"name"`
	// Hand means that the person's hand is raised.
	Hand bool `json:"hand,omitempty"`
	// Away means that the person's WebSocket is lost and may come back.
	Away bool `json:"away,omitempty"`
	// Profile and Picture are as in [StageMember].
	Profile string `json:"profile,omitempty"`
	Picture string `json:"picture,omitempty"`
}

// Audience answers [ListAudience] with a page of the audience, in the order in which
// people came in: for listeners that of their own hall.
type Audience struct {
	fromServer
	ID     string           `json:"id,omitempty"`
	People []AudienceMember `json:"people"`
	// Count is how many people match, on all pages.
	Count int `json:"count"`
	// Next is the from of the next page; zero: there is none.
	Next uint64 `json:"next,omitempty"`
}

func (m ListAudience) validate() error {
	if !ValidName(m.Search) {
		return FieldError("search", "%s", NameProblem)
	}
	if m.Followed && (m.Search != "" || m.From > 0) {
		return FieldError("followed", `does not go with "search" and "from"`)
	}
	return nil
}

func (m Audience) validate() error {
	if len(m.People) > MaxAudience {
		return FieldError("people", "lists more than %d", MaxAudience)
	}
	for _, l := range m.People {
		if err := first(checkWord("member", l.Member, MaxMember, true), checkShown(l.Name),
			checkWord("profile", l.Profile, MaxID, false), checkWord("picture", l.Picture, MaxID, false)); err != nil {
			return err
		}
	}
	return checkCount("count", m.Count)
}
