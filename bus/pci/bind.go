package pci

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Step is one write to sysfs.
type Step struct {
	Path string
	Text string // "" clears the attribute
}

// String returns the step as a shell command.
func (s Step) String() string {
	if s.Text == "" {
		return "echo > " + s.Path
	}
	return "echo " + s.Text + " > " + s.Path
}

// Plan is a sequence of steps.
type Plan []Step

// String returns the plan as shell commands, one a line.
func (p Plan) String() string {
	var b strings.Builder
	for _, s := range p {
		b.WriteString(s.String() + "\n")
	}
	return b.String()
}

// Unbind takes the device from its kernel driver, after InUse has had its say unless force is set.
// The plan returned undoes it, also where a step failed; it is empty if no driver had the device.
func (s Sysfs) Unbind(addr string, force bool) (undo Plan, err error) {
	plan, undo, err := s.PlanUnbind(addr)
	return s.carryOut(addr, plan, undo, force, err)
}

// PlanUnbind returns what Unbind does and what undoes it, and changes nothing.
func (s Sysfs) PlanUnbind(addr string) (plan, undo Plan, err error) {
	addr, err = s.find(addr)
	if err != nil {
		return nil, nil, err
	}
	driver := link(filepath.Join(s.device(addr), "driver"))
	if driver == "" {
		return nil, nil, nil
	}
	return Plan{s.control(addr, driver, "unbind")}, s.attach(addr, driver), nil
}

// Bind gives the device to a kernel driver, after taking it from another one, for which InUse is
// asked unless force is set. With driver "" the kernel chooses again. The driver must be loaded. The
// plan returned undoes it, also where a step failed; it is empty if nothing had to change.
func (s Sysfs) Bind(addr, driver string, force bool) (undo Plan, err error) {
	plan, undo, err := s.PlanBind(addr, driver)
	return s.carryOut(addr, plan, undo, force, err)
}

// PlanBind returns what Bind does and what undoes it, and changes nothing.
func (s Sysfs) PlanBind(addr, driver string) (plan, undo Plan, err error) {
	addr, err = s.find(addr)
	if err != nil {
		return nil, nil, err
	}
	old := link(filepath.Join(s.device(addr), "driver"))
	if old != "" && (driver == "" || old == driver) {
		return nil, nil, nil
	}
	if driver == "" {
		plan = Plan{{s.override(addr), ""}, {filepath.Join(s.root(), "bus/pci/drivers_probe"), addr}}
		return plan, Plan{{filepath.Join(s.device(addr), "driver/unbind"), addr}}, nil
	}
	if strings.ContainsAny(driver, "/\n ") || strings.HasPrefix(driver, ".") {
		return nil, nil, fmt.Errorf("pci %s: bind: %q is no driver's name", addr, driver)
	}
	if _, err := os.Stat(filepath.Join(s.root(), "bus/pci/drivers", driver)); err != nil {
		return nil, nil, fmt.Errorf("pci %s: bind to %s: %w: load it with `modprobe %s`", addr, driver, err, driver)
	}
	undo = Plan{s.control(addr, driver, "unbind")}
	if old != "" {
		plan = append(plan, s.control(addr, old, "unbind"))
		undo = append(undo, s.attach(addr, old)...)
	}
	return append(plan, s.attach(addr, driver)...), undo, nil
}

// attach names the driver, so that it also takes IDs it does not list, and takes the name away
// afterwards, which leaves the binding.
func (s Sysfs) attach(addr, driver string) Plan {
	was := text(s.override(addr))
	if was == "(null)" {
		was = ""
	}
	return Plan{
		{s.override(addr), driver},
		s.control(addr, driver, "bind"),
		{s.override(addr), was},
	}
}

func (s Sysfs) override(addr string) string {
	return filepath.Join(s.device(addr), "driver_override")
}

func (s Sysfs) control(addr, driver, file string) Step {
	return Step{filepath.Join(s.root(), "bus/pci/drivers", driver, file), addr}
}

// carryOut runs the plan of a bind or unbind whose making returned err.
func (s Sysfs) carryOut(addr string, plan, undo Plan, force bool, err error) (Plan, error) {
	if err != nil || len(plan) == 0 {
		return nil, err
	}
	if !force {
		if err := s.InUse(addr); err != nil {
			return nil, err
		}
	}
	for i, step := range plan {
		err := s.put(step)
		if err == nil {
			continue
		}
		if i == 0 {
			undo = nil
		}
		// An override that stayed behind would keep the device from its own driver.
		if i > 0 && plan[i-1].Path == plan[len(plan)-1].Path {
			err = errors.Join(err, s.put(plan[len(plan)-1]))
		}
		if _, ok, e := s.Group(addr); IsVFIO(filepath.Base(filepath.Dir(step.Path))) && e == nil && !ok {
			err = fmt.Errorf("%w: it is behind no IOMMU, which VFIO needs: switch VT-d or AMD-Vi on in the firmware and boot with intel_iommu=on", err)
		}
		return undo, explain(addr, fmt.Sprintf("step %d of %d, `%s`", i+1, len(plan), step), err)
	}
	return undo, nil
}

func (s Sysfs) put(step Step) error {
	if s.write != nil {
		return s.write(step.Path, step.Text)
	}
	return writeFile(step.Path, step.Text)
}

// writeFile writes an attribute, which is there already, in one piece.
func writeFile(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text + "\n")
	return errors.Join(err, f.Close())
}
