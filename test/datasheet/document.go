package datasheet

import (
	"fmt"
	"maps"
	"path/filepath"
	"strings"

	"glassnic/chip"
	chipset "glassnic/chip/ixgbe"
)

// line is what the document says of a register; equal ones that follow each other share a row.
type line struct {
	group         string // section of the group, such as "8.2.3.7"
	driver, model string
	by            string
}

// Document returns the text of docs/datasheet.md. Root is the module's folder.
func Document(root string) (string, error) {
	driver, err := named(filepath.Join(root, "driver", "ixgbe"))
	if err != nil {
		return "", err
	}
	model, err := named(filepath.Join(root, "sim", "ixgbe"))
	if err != nil {
		return "", err
	}
	for _, name := range byPlace {
		model[name] = true
	}
	records := [2]Record{}
	for i, name := range []string{"driver", "linux"} {
		if records[i], err = Load(filepath.Join(root, "test", "datasheet", name+".txt")); err != nil {
			return "", err
		}
	}
	module, err := Load(filepath.Join(root, "test", "datasheet", "module.txt")) // Linux's driver, on a card with a module
	if err != nil {
		return "", err
	}
	maps.Copy(records[1], module)
	for name := range records[0] {
		driver[name] = true // statistics it finds in the table
	}
	var b strings.Builder
	b.WriteString(intro)
	writeSections(&b)
	b.WriteString(registersIntro)

	used := map[int]bool{}
	var names, numbers []string
	var last line
	flush := func() {
		if len(names) == 0 {
			return
		}
		section := numbers[0]
		switch end := numbers[len(numbers)-1]; {
		case end == last.group:
			section = end
		case end != section:
			section += " – " + strings.TrimPrefix(end, last.group+".")
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", section, strings.Join(names, ", "), last.driver, last.model, last.by)
		names, numbers = nil, nil
	}
	done := map[string]bool{}
	for r := range chipset.Registers {
		row := &chipset.Registers[r]
		if done[row.Name] {
			continue
		}
		done[row.Name] = true
		l := line{group: group(row.Section), driver: "–", model: "–"}
		if driver[row.Name] {
			l.driver = "yes"
		}
		switch {
		case model[row.Name]:
			l.model = "yes"
		case row.Access != chip.RO && row.Access != chip.RC:
			l.model = "keeps"
		}
		if l.by = exercised(row.Name, records); !driver[row.Name] && !model[row.Name] {
			i := reason(row)
			if i < 0 {
				return "", fmt.Errorf("%s (%s): neither driver nor model know it: say why in test/datasheet/left.go", row.Name, row.Section)
			}
			used[i] = true
			if l.by != "nobody" {
				l.by += "; "
			} else {
				l.by = ""
			}
			l.by += "left out: " + left[i].why
		}
		if l != last {
			flush()
		}
		last = l
		names, numbers = append(names, row.Name), append(numbers, row.Section)
	}
	flush()
	for i := range left {
		if !used[i] {
			return "", fmt.Errorf("%v: nothing of it is left out: delete the reason in test/datasheet/left.go", left[i].of)
		}
	}
	return b.String(), nil
}

// exercised says by whom.
func exercised(name string, records [2]Record) string {
	ours, linux := records[0][name] != "", records[1][name] != ""
	switch {
	case ours && linux:
		return "both"
	case ours:
		return "our tests"
	case linux:
		return "Linux"
	}
	return "nobody"
}

// group cuts a section to four numbers.
func group(section string) string {
	return strings.Join(strings.SplitN(section, ".", 5)[:min(4, strings.Count(section, ".")+1)], ".")
}

// reason finds why a register is left out; -1 where nobody says.
func reason(row *chip.Register) int {
	for i, l := range left {
		for _, of := range l.of {
			if of == row.Name || of == row.Section || strings.HasPrefix(row.Section, of+".") {
				return i
			}
		}
	}
	return -1
}
