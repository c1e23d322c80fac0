// Package vm tests glassnic in guests: machines that QEMU emulates, with a stock Debian kernel and cards that
// none of us wrote. Nothing of this machine is touched.
//
// A test boots a guest and names what happens in it:
//
//	guest{
//		devices: hub(0, "e1000e", "e1000e"),   // two cards on one wire
//		iommu:   "intremap=on",
//		modules: []string{"e1000e", "vfio-pci"},
//		tests:   []string{"TestForward"},      // of package guest, which runs inside
//	}.run(t)
//
// What runs inside stands in package guest under the build tag of that name: ordinary Go tests, which may do to
// the guest's devices what they like. The guest has the program as /bin/glassnic and a few of Debian's tools.
// A failing step is printed with the kernel's log; a guest that does not get to its end with its console.
//
// The kernel and a newer QEMU are Debian packages that are downloaded once and unpacked, not installed, into
// the folder GLASSNIC_VM_CACHE, or glassnic/vm in the user's cache. Guests are emulated without KVM, two at a
// time.
package vm
