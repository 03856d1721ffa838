package whep

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/earshot-audio/earshot/loadgen/driver"
)

// What stands for the name of the room and of the person in URL templates and tokens.
const roomField, speakerField, listenerField = "{room}", "{speaker}", "{listener}"

// expand fills the names of a room and of a person into a template.
func expand(template, room, person string) string {
	return strings.NewReplacer(roomField, room, speakerField, person, listenerField, person).Replace(template)
}

// expandURL fills them into the template of a URL.
func expandURL(template, room, person string) string {
	return expand(template, url.PathEscape(room), url.PathEscape(person))
}

// nameOf is a person's name as one part of a path: speaker 1.3 is speaker-1-3.
func nameOf(person string) string { return strings.NewReplacer(" ", "-", ".", "-").Replace(person) }

// checkTemplate returns an error for what can't be a template of those who publish, or listen.
func checkTemplate(name, template string, of driver.Media) error {
	if of == driver.Ear && strings.Contains(template, speakerField) {
		return fmt.Errorf("--%s: a listener hears one URL, so that %s can't be in it; where each speaker has a URL of their own to listen to, write a room for each (rooms)", name, speakerField)
	}
	if of == driver.Mic && strings.Contains(template, listenerField) {
		return fmt.Errorf("--%s: %s is for those who listen; %s stands for the publisher", name, listenerField, speakerField)
	}
	return nil
}
