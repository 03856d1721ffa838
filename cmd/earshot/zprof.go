package main

import (
	"os"
	"runtime/pprof"
	"time"
)

func init() {
	f := os.Getenv("ZPROF")
	if f == "" || len(os.Args) < 2 || os.Args[1] != "run" {
		return
	}
	go func() {
		time.Sleep(16 * time.Second)
		w, _ := os.Create(f)
		_ = pprof.StartCPUProfile(w)
		time.Sleep(8 * time.Second)
		pprof.StopCPUProfile()
		w.Close()
	}()
}
