package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestStreamCountsByTheSequenceNumbers(t *testing.T) {
	// Each number is a packet, 100 ms after the one before it. The first comes at 1000 s.
	for name, c := range map[string]struct {
		numbers []uint16
		want    []second
	}{
		"nothing came":               {nil, nil},
		"all came":                   {[]uint16{7, 8, 9}, []second{{At: 1000, Received: 3}}},
		"one is missing":             {[]uint16{7, 9}, []second{{At: 1000, Received: 2, Lost: 1}}},
		"several are missing":        {[]uint16{7, 11, 13}, []second{{At: 1000, Received: 3, Lost: 4}}},
		"the numbers begin anew":     {[]uint16{65534, 65535, 1}, []second{{At: 1000, Received: 3, Lost: 1}}},
		"one comes after its time":   {[]uint16{7, 9, 8}, []second{{At: 1000, Received: 3, Late: 1}}},
		"one comes twice":            {[]uint16{7, 8, 8}, []second{{At: 1000, Received: 2, Repeated: 1}}},
		"a late one comes twice":     {[]uint16{7, 9, 8, 8}, []second{{At: 1000, Received: 3, Late: 1, Repeated: 1}}},
		"one from before the first":  {[]uint16{7, 6, 8}, []second{{At: 1000, Received: 2}}},
		"late over the end":          {[]uint16{65535, 1, 0}, []second{{At: 1000, Received: 3, Late: 1}}},
		"each second has its own":    {[]uint16{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13}, []second{{At: 1000, Received: 10, Lost: 1}, {At: 1001, Received: 2}}},
		"late ones are of their own": {[]uint16{1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 10}, []second{{At: 1000, Received: 11, Late: 1}, {At: 1001, Received: 1}}},
	} {
		t.Run(name, func(t *testing.T) {
			var s stream
			for i, number := range c.numbers {
				s.receive(number, time.Unix(1000, 0).Add(time.Duration(i)*100*time.Millisecond))
			}
			assert.Equal(t, c.want, s.seconds())
		})
	}
}

func TestStreamCountsOverSeveralRoundsOfTheNumbers(t *testing.T) {
	var s stream
	lost := uint64(0)
	for i := range 200_000 {
		if i%20 == 7 {
			lost++
			continue
		}
		s.receive(uint16(i), time.Unix(1000, 0))
	}
	assert.Equal(t, []second{{At: 1000, Received: 200_000 - lost, Lost: lost}}, s.seconds())
}
