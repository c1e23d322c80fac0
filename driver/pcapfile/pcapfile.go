package pcapfile

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"glassnic/internal/capfile"
	"glassnic/nic"
	"glassnic/nic/soft"
)

func init() {
	nic.RegisterScheme("pcap", func(_ context.Context, rest string, cfg nic.Config) (nic.Device, error) {
		files, err := parse(rest)
		if err != nil {
			return nil, fmt.Errorf("pcap:%s: %w", rest, err)
		}
		d, err := Open("pcap:"+rest, files, cfg)
		if err != nil {
			return nil, err
		}
		return d, nil
	})
}

// Device is a port of capture files. It has one queue each way.
type Device struct {
	*soft.Port
	rx *rxQueue
	tx *txQueue

	mu      sync.Mutex
	trouble error
	closed  bool
}

// Open opens the files. Those that are read are regular ones. cfg is complete, as nic.Open makes it.
func Open(addr string, files Config, cfg nic.Config) (*Device, error) {
	if cfg.RxQueues > 1 || cfg.TxQueues > 1 {
		return nil, fmt.Errorf("%s: a file has one queue, not %d", addr, max(cfg.RxQueues, cfg.TxQueues))
	}
	port, err := soft.New("pcapfile", addr, "capture file", net.HardwareAddr{2, 0, 0, 0, 0, cfg.Port}, cfg)
	if err != nil {
		return nil, err
	}
	d := &Device{Port: port}
	d.rx = &rxQueue{Rx: port.Rx(0), dev: d, cfg: files, loops: files.Loops, clock: time.Now}
	d.tx = &txQueue{Tx: port.Tx(0), dev: d}
	if err = d.openIn(files.In, files.Out); err == nil {
		err = d.openOut(files)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", addr, err), d.Close())
	}
	return d, nil
}

func (d *Device) openIn(name, out string) error {
	if name == "" {
		d.rx.done.Store(true)
		return nil
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	d.rx.file = f
	st, err := f.Stat()
	if err != nil {
		return err
	}
	if !st.Mode().IsRegular() {
		return fmt.Errorf("%s is no regular file, and reading might block: copy it to one first", name)
	}
	if o, err := os.Stat(out); err == nil && os.SameFile(st, o) {
		return fmt.Errorf("%s cannot be read and overwritten at once: name another file to write", name)
	}
	return d.rx.begin()
}

func (d *Device) openOut(files Config) error {
	if files.Out == "" {
		return nil
	}
	cfg := capfile.Settings{Format: capfile.Pcap, Port: d.Info().Address}
	if strings.HasSuffix(files.Out, ".pcapng") {
		cfg.Format = capfile.PcapNG
	}
	out, err := capfile.Create(files.Out, cfg, files.Rotation)
	d.tx.out = out
	return err
}

// RxQueue implements nic.Device.
func (d *Device) RxQueue(int) nic.RxQueue { return d.rx }

// TxQueue implements nic.Device.
func (d *Device) TxQueue(int) nic.TxQueue { return d.tx }

// Link implements nic.Device: it is always up.
func (d *Device) Link() (nic.Link, error) { return nic.Link{Up: true}, nil }

// Stats implements nic.Device.
func (d *Device) Stats() (nic.Stats, error) { return d.Port.Stats(), nil }

// SetPromiscuous implements nic.Device: all frames of the file are received in any case.
func (d *Device) SetPromiscuous(bool) error { return nil }

// Trouble implements nic.Watched: a file is damaged, or cannot be written any more.
func (d *Device) Trouble() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.trouble
}

// fail notes what is wrong, once.
func (d *Device) fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.trouble == nil {
		d.trouble = fmt.Errorf("%s: %w: %w", d.Info().Address, err, nic.ErrGone)
	}
}

// Finished implements nic.Finite: there is no frame of the file left.
func (d *Device) Finished() bool { return d.rx.done.Load() }

// Close writes out what is buffered and closes the files. It returns the first error of writing.
func (d *Device) Close() error {
	if d.closed {
		return nil
	}
	d.closed = true
	var errs []error
	if d.rx.file != nil {
		errs = append(errs, d.rx.file.Close())
	}
	if d.tx.out != nil {
		errs = append(errs, d.tx.out.Finish(0))
	}
	if err := errors.Join(errs...); err != nil {
		errs = []error{fmt.Errorf("%s: close: %w: frames may be missing from the file", d.Info().Address, err)}
	}
	return errors.Join(append(errs, d.Port.Close())...)
}
