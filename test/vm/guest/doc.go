// Package guest is what runs inside the guests of package vm. Its tests have the build tag guest: they take
// devices away from the kernel, which only a guest's may be.
package guest
