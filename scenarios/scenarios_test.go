package scenarios_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/scenarios"
)

func TestReadGivesEveryScenarioWithAQuestion(t *testing.T) {
	found, err := filepath.Glob("*.yaml")
	require.NoError(t, err)
	require.Len(t, scenarios.Names(), len(found))
	for _, name := range scenarios.Names() {
		text, err := scenarios.Read(name)
		require.NoError(t, err)
		want, err := os.ReadFile(name + ".yaml")
		require.NoError(t, err)
		assert.Equal(t, want, text, name)
		question := scenarios.Question(text)
		assert.NotEmpty(t, question, "%s: its opening comment asks nothing", name)
		assert.LessOrEqual(t, strings.Count(question, "."), 1, "%s: a question is one sentence: %s", name, question)
	}
}

func TestReadSaysWhatThereIs(t *testing.T) {
	_, err := scenarios.Read("../scenarios/smoke")
	assert.ErrorContains(t, err, `no scenario "../scenarios/smoke" comes with earshot: there are broadcast-15000, ci,`)
	_, err = scenarios.Recording("talk")
	assert.EqualError(t, err, `no recording "talk" comes with earshot: there are guest, host, reader, speech`)
	_, err = scenarios.Recording("gest")
	assert.EqualError(t, err, `no recording "gest" comes with earshot: did you mean guest?`)
	data, err := scenarios.Recording("speech")
	require.NoError(t, err)
	assert.Equal(t, "OggS", string(data[:4]))
}

func TestQuestionIsTheFirstSentence(t *testing.T) {
	for text, want := range map[string]string{
		"# yaml-language-server: $schema=./schema.json\n#\n# Does it\n# hold? Yes.\nname: a\n": "Does it hold?",
		"name: a\n# late?\n": "",
		"# It holds.\n":      "",
		"":                   "",
	} {
		assert.Equal(t, want, scenarios.Question([]byte(text)), text)
	}
}
