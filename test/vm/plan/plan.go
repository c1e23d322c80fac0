// Package plan is what a host tells a guest to do, and what the guest answers.
package plan

import "time"

// Plan is what a guest does before it switches itself off.
type Plan struct {
	Modules []Module
	Steps   []Step
}

// Module is a kernel module in the guest's folder /modules.
type Module struct{ File, Parameters string }

// Step is one command.
type Step struct {
	Name  string
	Args  []string
	Env   []string      // added to the guest's
	Limit time.Duration // after which the command is killed
}

// Result is what became of a step.
type Result struct {
	Name   string
	Exit   int
	Error  string // "" where the command ended with status 0
	Output string // of stdout and stderr together
	Log    string // the kernel's, where the command failed
	Took   time.Duration
}
