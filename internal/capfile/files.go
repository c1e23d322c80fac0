package capfile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"
)

// Rotation says when the next file is begun, and how files are named, as tcpdump has it. The zero value is one file.
type Rotation struct {
	// Bytes is how long a file gets at least before the next one; 0: as long as it may. The files after the first
	// have a number from 1 on behind their name.
	Bytes int64
	// Every is how long frames go to a file; 0: for ever. A name may hold the time, as strftime(3) has it; where it
	// does not, the next file takes the place of the one before.
	Every time.Duration
	// Files is how many there are at most; 0: as many as it takes. With Bytes, numbers go round, from 0 on with
	// leading zeros, and the oldest file is overwritten. With Every alone, writing ends with ErrEnough.
	Files int
}

// ErrEnough is returned where the last file that Rotation.Files allows is full.
var ErrEnough = errors.New("as many files as were asked for")

// Files writes capture files, one after the other. Its methods may not be called concurrently.
type Files struct {
	name string
	cfg  Settings
	rot  Rotation
	w    *Writer
	file io.Closer
	n    int // files since the name last changed
	all  int // files
	base string
	due  time.Time
	done Tally // of files that are closed
}

// Create begins the first file, which overwrites what was there. Who reads along finds its header.
func Create(name string, cfg Settings, rot Rotation) (*Files, error) {
	f := &Files{name: name, cfg: cfg, rot: rot}
	now := time.Now()
	f.due = now.Add(rot.Every)
	f.base = f.strftime(now)
	if err := f.open(); err != nil {
		return nil, err
	}
	if err := f.w.Flush(); err != nil {
		return nil, errors.Join(err, f.file.Close())
	}
	return f, nil
}

func (f *Files) strftime(at time.Time) string {
	if f.rot.Every == 0 {
		return f.name
	}
	return strftime(f.name, at)
}

// open opens the file that is next.
func (f *Files) open() error {
	name := f.base
	switch {
	case f.rot.Bytes > 0 && f.rot.Files > 0 && f.rot.Every == 0:
		digits := len(strconv.Itoa(f.rot.Files - 1))
		name += fmt.Sprintf("%0*d", digits, f.n%f.rot.Files)
	case f.n > 0:
		name += strconv.Itoa(f.n)
	}
	out, err := os.Create(name)
	if err != nil {
		return err
	}
	w, err := NewWriter(out, f.cfg)
	if err != nil {
		return errors.Join(err, out.Close())
	}
	f.w, f.file = w, out
	f.n++
	f.all++
	return nil
}

// Add appends a frame to the file whose turn it is; see Writer.Add.
func (f *Files) Add(at time.Time, data []byte, length int) error {
	if f.w == nil {
		return ErrEnough
	}
	timeUp := f.rot.Every > 0 && !at.Before(f.due)
	if timeUp || f.rot.Bytes > 0 && f.w.size > f.rot.Bytes {
		if err := f.turn(at, timeUp); err != nil {
			return err
		}
	}
	return f.w.Add(at, data, length)
}

// turn goes on with the next file.
func (f *Files) turn(at time.Time, timeUp bool) error {
	if err := f.close(0); err != nil {
		return err
	}
	if timeUp {
		if f.rot.Files > 0 && f.all >= f.rot.Files {
			return ErrEnough
		}
		for !at.Before(f.due) {
			f.due = f.due.Add(f.rot.Every)
		}
		if base := f.strftime(at); base != f.base || f.rot.Bytes == 0 {
			f.base, f.n = base, 0
		}
	}
	return f.open()
}

func (f *Files) close(missed uint64) error {
	if f.w == nil {
		return nil
	}
	err := errors.Join(f.w.Finish(missed), f.file.Close())
	f.done.add(f.w.Written())
	f.w, f.file = nil, nil
	return err
}

// Flush hands what is buffered to the file.
func (f *Files) Flush() error {
	if f.w == nil {
		return nil
	}
	return f.w.Flush()
}

// Written tells what the files hold.
func (f *Files) Written() Tally {
	t := f.done
	if f.w != nil {
		t.add(f.w.Written())
	}
	return t
}

// Finish ends the last file; see Writer.Finish. What comes after it is an error.
func (f *Files) Finish(missed uint64) error { return f.close(missed) }
