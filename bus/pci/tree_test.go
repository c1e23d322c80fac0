package pci

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// tree is a made-up sysfs.
type tree struct {
	t    *testing.T
	root string
}

func newTree(t *testing.T) tree {
	t.Helper()
	tr := tree{t, t.TempDir()}
	tr.mkdir("bus/pci/devices")
	tr.file("bus/pci/drivers_probe", "")
	return tr
}

func (tr tree) sys() Sysfs {
	return Sysfs{
		Root: tr.root, IDs: []string{}, Pagemap: filepath.Join(tr.root, "pagemap"),
		State: func(string) ([]string, []string, error) { return nil, nil, nil },
	}
}

func (tr tree) path(rel string) string { return filepath.Join(tr.root, rel) }

func (tr tree) mkdir(rel string) {
	tr.t.Helper()
	if err := os.MkdirAll(tr.path(rel), 0o755); err != nil {
		tr.t.Fatal(err)
	}
}

func (tr tree) file(rel, content string) {
	tr.t.Helper()
	tr.mkdir(filepath.Dir(rel))
	if err := os.WriteFile(tr.path(rel), []byte(content), 0o644); err != nil {
		tr.t.Fatal(err)
	}
}

func (tr tree) link(rel, target string) {
	tr.t.Helper()
	if err := os.Symlink(tr.path(target), tr.path(rel)); err != nil {
		tr.t.Fatal(err)
	}
}

func (tr tree) remove(rel string) {
	tr.t.Helper()
	if err := os.RemoveAll(tr.path(rel)); err != nil {
		tr.t.Fatal(err)
	}
}

func (tr tree) read(rel string) string {
	tr.t.Helper()
	b, err := os.ReadFile(tr.path(rel))
	if err != nil {
		tr.t.Fatal(err)
	}
	return string(b)
}

func dev(addr string) string { return "bus/pci/devices/" + addr }

// card is the address of the device that card puts into the tree.
const card = "0000:03:00.0"

// addCard adds an 82599 with a BAR 0 of 128 KiB and an I/O BAR 2, without driver.
func (tr tree) addCard(addr string) {
	d := dev(addr)
	for f, v := range map[string]string{
		"vendor": "0x8086\n", "device": "0x10fb\n", "subsystem_vendor": "0x8086\n", "subsystem_device": "0x0003\n",
		"revision": "0x01\n", "class": "0x020000\n", "numa_node": "1\n", "driver_override": "(null)\n", "reset": "",
		"resource": "0x00000000df200000 0x00000000df21ffff 0x000000000014220c\n" +
			"0x0000000000000000 0x0000000000000000 0x0000000000000000\n" +
			"0x000000000000e020 0x000000000000e03f 0x0000000000040101\n" +
			"0x0000000000000000 0x0000000000000000 0x0000000000000000\n" +
			"0x00000000df404080 0x00000000df4040ff 0x0000000000040200\n" +
			"0x0000000000000000 0x0000000000000000 0x0000000000000000\n" +
			"0x0000000000000000 0x0000000000000000 0x0000000000000000\n",
		"resource0": string(make([]byte, 128<<10)), "resource2": string(make([]byte, 32)), "resource4": string(make([]byte, 4096)),
		"config": string(header()),
	} {
		tr.file(d+"/"+f, v)
	}
	tr.file("pagemap", "")
}

// bound puts a driver on a device.
func (tr tree) bound(addr, driver string) {
	tr.driver(driver)
	tr.link(dev(addr)+"/driver", "bus/pci/drivers/"+driver)
}

func (tr tree) driver(name string) {
	for _, f := range []string{"bind", "unbind"} {
		tr.file("bus/pci/drivers/"+name+"/"+f, "")
	}
}

// netdev gives a device an interface that is down.
func (tr tree) netdev(addr, name string) string {
	d := dev(addr) + "/net/" + name
	tr.file(d+"/operstate", "down\n")
	tr.file(d+"/flags", "0x1002\n")
	tr.file(d+"/address", "00:1b:21:00:00:01\n")
	return d
}

// header is a configuration space of 4 KiB with the chain of an 82599: power management, MSI, MSI-X,
// PCI Express; error reporting and serial number behind.
func header() []byte {
	b := make([]byte, 4096)
	le := binary.LittleEndian
	le.PutUint16(b[CfgVendor:], 0x8086)
	le.PutUint16(b[CfgDevice:], 0x10fb)
	le.PutUint16(b[CfgCommand:], CmdMemory)
	le.PutUint16(b[CfgStatus:], StatusCapsList)
	le.PutUint32(b[CfgRevision:], 0x02000001)
	le.PutUint16(b[CfgSubvendor:], 0x8086)
	le.PutUint16(b[CfgSubdevice:], 3)
	b[CfgCapPtr] = 0x40
	for _, c := range [][3]int{{0x40, 0x01, 0x50}, {0x50, 0x05, 0x70}, {0x70, 0x11, 0xa0}, {0xa0, 0x10, 0}} {
		b[c[0]], b[c[0]+1] = byte(c[1]), byte(c[2])
	}
	le.PutUint32(b[0x100:], 0x14010001)
	le.PutUint32(b[0x140:], 0x00010003)
	return b
}

func (tr tree) command(addr string) uint16 {
	return binary.LittleEndian.Uint16([]byte(tr.read(dev(addr) + "/config"))[CfgCommand:])
}

func (tr tree) setCommand(addr string, v uint16) {
	b := []byte(tr.read(dev(addr) + "/config"))
	binary.LittleEndian.PutUint16(b[CfgCommand:], v)
	tr.file(dev(addr)+"/config", string(b))
}

// recorded returns s with its writes kept in the order they were made, as "path=text".
func (tr tree) recorded(s Sysfs) (Sysfs, *[]string) {
	var log []string
	s.write = func(path, text string) error {
		rel, err := filepath.Rel(tr.root, path)
		if err != nil {
			return err
		}
		log = append(log, fmt.Sprintf("%s=%s", rel, text))
		return writeFile(path, text)
	}
	return s, &log
}
