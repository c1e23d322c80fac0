package nic

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestDefaults(t *testing.T) {
	c, err := Config{}.defaults()
	if err != nil {
		t.Fatal(err)
	}
	if c.RxQueues != 1 || c.TxQueues != 1 || c.RxRing != 512 || c.TxRing != 512 || c.MTU != 1500 || c.ReportEvery != 0 ||
		c.LinkWait != 10*time.Second || c.Logger == nil || c.Buffers != 2*(512+512)+1024 {
		t.Errorf("%+v", c)
	}
	again, err := c.defaults()
	if err != nil || !reflect.DeepEqual(again, c) {
		t.Errorf("defaults of defaults: %+v, %v", again, err)
	}

	c, err = Config{RxQueues: 4, TxQueues: 2, RxRing: 1024, TxRing: 256, LinkWait: -1, MTU: 9000, ReportEvery: 1}.defaults()
	if err != nil {
		t.Fatal(err)
	}
	if c.RxQueues != 4 || c.TxQueues != 2 || c.MTU != 9000 || c.ReportEvery != 1 || c.LinkWait >= 0 || c.Buffers != 4*(1024+512)+2*(256+512)+1024 {
		t.Errorf("%+v", c)
	}
	if c, _ := (Config{Buffers: 77}).defaults(); c.Buffers != 77 {
		t.Errorf("Buffers 77 became %d", c.Buffers)
	}
}

func TestLimits(t *testing.T) {
	for _, c := range []struct {
		name      string
		set       func(*Config, int)
		low, high int
	}{
		{"receive queues", func(c *Config, v int) { c.RxQueues = v }, 1, 1024},
		{"transmit queues", func(c *Config, v int) { c.TxQueues = v }, 1, 1024},
		{"receive ring", func(c *Config, v int) { c.RxRing = v }, 1, 65536},
		{"transmit ring", func(c *Config, v int) { c.TxRing = v }, 1, 65536},
		{"MTU", func(c *Config, v int) { c.MTU = v }, 68, 16000},
		{"report every", func(c *Config, v int) { c.ReportEvery = v }, 1, 64},
		{"buffers", func(c *Config, v int) { c.Buffers = v }, 1, 1 << 23},
	} {
		for v, ok := range map[int]bool{c.low: true, c.high: true, c.high + 1: false, -1: false} {
			var cfg Config
			c.set(&cfg, v)
			_, err := cfg.defaults()
			if ok && err != nil || !ok && (err == nil || !strings.Contains(err.Error(), c.name)) {
				t.Errorf("%s %d: %v", c.name, v, err)
			}
		}
	}
	if _, err := (Config{MTU: 67}).defaults(); err == nil {
		t.Error("an MTU of 67 was accepted")
	}
}
