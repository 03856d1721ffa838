package scenario_test

import (
	"fmt"
	"time"

	"github.com/earshot-audio/earshot/loadgen/scenario"
)

func ExampleLoad() {
	s, err := scenario.Load("../../scenarios/smoke.yaml")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s.Name, time.Duration(s.Hold))
	for _, group := range s.Cast {
		fmt.Println(group.Count, group.Role)
	}
	// Output:
	// smoke 6s
	// 1 speaker
	// 25 listener
}

func ExampleParse() {
	_, err := scenario.Parse("talk.yaml", []byte("name: a talk\ncast: []\nhold: 30\n"))
	fmt.Println(err)
	// Output:
	// talk.yaml:2:7: cast is an empty list
	//    1 | name: a talk
	// >  2 | cast: []
	//              ^
	//    3 | hold: 30
	// talk.yaml:3:7: hold is 30 without a unit: write it like 30s
	//    1 | name: a talk
	//    2 | cast: []
	// >  3 | hold: 30
	//              ^
}

func ExampleArrivals_Times() {
	arrivals := scenario.Arrivals{Within: scenario.Duration(10 * time.Second), Shape: scenario.Linear}
	fmt.Println(arrivals.Times(5, 1))
	// Output:
	// [0s 2s 4s 6s 8s]
}
