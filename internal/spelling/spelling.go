// Package spelling finds the word that a misspelt one most likely meant.
package spelling

import (
	"fmt"
	"strings"
)

// longestWord bounds the work that a word of no sense can cause.
const longestWord = 64

// Nearest returns the candidate that a misspelt word most likely meant, or "" if
// none is near.
func Nearest(word string, candidates []string) string {
	if len(word) > longestWord {
		return ""
	}
	// One slip in three letters still looks like the word that was meant.
	best, least := "", len(word)/3+1
	for _, c := range candidates {
		if len(c) >= 3 && strings.HasPrefix(word, c) {
			return c // median
		}
		if d := distance(word, c); d < least || d == least && best == "" {
			best, least = c, d
		}
	}
	return best
}

// Question asks whether the candidate that is nearest to a word was meant: "did you mean
// run?". It is "" if none is near.
func Question(word string, candidates []string) string {
	if near := Nearest(word, candidates); near != "" {
		return "did you mean " + near + "?"
	}
	return ""
}

// Meant adds to the error over an unknown word which of the candidates was meant, if one
// is near.
func Meant(err error, word string, candidates []string) error {
	if question := Question(word, candidates); question != "" {
		return fmt.Errorf("%w: %s", err, question)
	}
	return err
}

// Hint is what is said of an unknown word: which of the candidates was meant or, if none is
// near, that there are all of them.
func Hint(word string, candidates []string) string {
	if question := Question(word, candidates); question != "" {
		return question
	}
	return "there are " + strings.Join(candidates, ", ")
}

// distance is the number of letters to insert, delete, replace or swap with
// their neighbour to make b of a (optimal string alignment).
func distance(a, b string) int {
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
