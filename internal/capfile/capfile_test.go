package capfile

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
)

// contents returns the names of files in a folder and how many frames each holds.
func contents(t *testing.T, dir string) (list []string, frames []int) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		f, err := os.Open(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		r, err := NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		if err := r.Each(func([]byte, gopacket.CaptureInfo) bool { n++; return true }); err != io.EOF {
			t.Fatal(err)
		}
		list, frames = append(list, e.Name()), append(frames, n)
	}
	return list, frames
}

// TestEvery: files change with the time of frames, are named by it, and come to an end.
func TestEvery(t *testing.T) {
	for _, c := range []struct {
		name   string
		rot    Rotation
		want   []string // as strftime makes them, from the start on
		frames []int
		enough bool
	}{
		{"a-%s", Rotation{Every: 10 * time.Second}, []string{"+0", "+10", "+20", "+30"}, []int{10, 10, 10, 10}, false},
		{"a-%s", Rotation{Every: 10 * time.Second, Files: 2}, []string{"+0", "+10"}, []int{10, 10}, true},
		{"a", Rotation{Every: 10 * time.Second}, nil, []int{10}, false},
		{"a", Rotation{Bytes: 300, Every: time.Hour}, nil, []int{4, 4, 4, 4, 4, 4, 4, 4, 4, 4}, false},
	} {
		dir := t.TempDir()
		start := time.Now()
		f, err := Create(filepath.Join(dir, c.name), Settings{}, c.rot)
		if err != nil {
			t.Fatal(err)
		}
		// The first frame comes at once, ten in each period.
		for i := range 40 {
			err = f.Add(f.due.Add(-c.rot.Every).Add(time.Duration(i%10)*time.Millisecond).Add(next(f, i, c.rot)), make([]byte, 60), 60)
			if err != nil {
				break
			}
		}
		if errors.Is(err, ErrEnough) != c.enough || !c.enough && err != nil {
			t.Errorf("%+v: %v", c.rot, err)
		}
		if err := f.Finish(0); err != nil {
			t.Fatal(err)
		}
		names, frames := contents(t, dir)
		if !slices.Equal(frames, c.frames) {
			t.Errorf("%s %+v: %q hold %v, want %v", c.name, c.rot, names, frames, c.frames)
		}
		for i, w := range c.want {
			d, _ := time.ParseDuration(strings.TrimPrefix(w, "+") + "s")
			if at := start.Add(d).Unix(); i >= len(names) || names[i] != strftime("a-%s", time.Unix(at, 0)) && names[i] != strftime("a-%s", time.Unix(at+1, 0)) {
				t.Errorf("%+v: file %d of %q, want %s", c.rot, i, names, w)
			}
		}
	}
}

// next moves every tenth frame but the first into the next period.
func next(_ *Files, i int, rot Rotation) time.Duration {
	if i > 0 && i%10 == 0 && rot.Bytes == 0 {
		return rot.Every
	}
	return 0
}

func TestStrftime(t *testing.T) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	for in, want := range map[string]string{
		"x%Y%m%d-%H%M%S.pcap": "x20260304-050607.pcap", "%F_%T": "2026-03-04_05:06:07", "%y %j %s": "26 063 1772600767", "100%%": "100%", "%Q%": "%Q%", "": "",
	} {
		if got := strftime(in, at); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// FuzzReader: damaged files end in an error.
func FuzzReader(f *testing.F) {
	for _, format := range []Format{Pcap, PcapNG} {
		var b bytes.Buffer
		w, err := NewWriter(&b, Settings{Format: format, Port: "x"})
		if err != nil {
			f.Fatal(err)
		}
		if err := errors.Join(w.Add(time.Unix(1, 2), make([]byte, 60), 1514), w.Finish(3)); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := NewReader(bytes.NewReader(data))
		if err != nil {
			return
		}
		n := 0
		if err := r.Each(func(b []byte, _ gopacket.CaptureInfo) bool { n += 1 + len(b); return n < 1<<20 }); err == nil && n < 1<<20 {
			t.Error("no end")
		}
	})
}
