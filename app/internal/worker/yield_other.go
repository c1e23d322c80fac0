//go:build !linux

package worker

import "runtime"

func yield() { runtime.Gosched() }
