package capture

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/gopacket/gopacket"

	"glassnic/app/internal/worker"
	"glassnic/internal/capfile"
	"glassnic/internal/filter"
)

// ReadConfig are the settings of Read. All but Input and Output or File may be zero; what has the name of a setting of
// Config is the same.
type ReadConfig struct {
	Input    io.Reader // a capture file of Ethernet frames
	Name     string    // of Input, for messages
	Output   io.Writer
	File     string
	Rotation capfile.Rotation
	Format   Format
	SnapLen  int
	Filter   *filter.Program
	Count    uint64
}

// Read copies the frames of a capture file that a filter takes, with their times and lengths, until Count is reached or
// ctx ends. The error says where the file is damaged; what came before it is written.
func Read(ctx context.Context, cfg ReadConfig) (Report, error) {
	start := time.Now()
	r := Report{Type: "total", Port: cfg.Name, Drops: map[string]uint64{WriteFailed: 0}}
	fail := func(err error) (Report, error) { return r, fmt.Errorf("capture: %s: %w", cfg.Name, err) }
	if cfg.SnapLen == 0 {
		cfg.SnapLen = MaxSnap
	}
	in, err := capfile.NewReader(cfg.Input)
	if err != nil {
		return fail(err)
	}
	out, err := newSink(cfg.Output, cfg.File, cfg.Rotation, capfile.Settings{Format: cfg.Format, Snap: cfg.SnapLen, Port: cfg.Name})
	if err != nil {
		return fail(err)
	}
	var wrong error
	err = in.Each(func(data []byte, info gopacket.CaptureInfo) bool {
		r.RxPackets++
		r.RxBytes += uint64(info.Length)
		if cfg.Filter != nil && cfg.Filter.Match(data, info.Length) == 0 {
			r.Filtered++
		} else {
			wrong = out.Add(info.Timestamp, data[:min(len(data), cfg.SnapLen)], info.Length)
		}
		return wrong == nil && ctx.Err() == nil && (cfg.Count == 0 || r.RxPackets-r.Filtered < cfg.Count)
	})
	if err == io.EOF {
		err = nil
	}
	if wrong == nil {
		wrong = out.Finish(0)
	}
	if errors.Is(wrong, capfile.ErrEnough) {
		wrong = nil
	}
	done := out.Written()
	r.Written, r.Stored = done.Frames, done.Bytes
	r.Drops[WriteFailed] = r.RxPackets - r.Filtered - r.Written
	r.Seconds = time.Since(start).Seconds()
	r.Rate = worker.RateOf(r.RxPackets, r.RxBytes, r.Seconds)
	if err = errors.Join(err, wrong); err != nil {
		return fail(err)
	}
	return r, nil
}
