package capfile

import (
	"fmt"
	"strings"
	"time"
)

// strftime puts a time into a name, by the conversions of strftime(3) that have the same form everywhere. Others stay
// as they are.
func strftime(name string, at time.Time) string {
	var b strings.Builder
	for i := 0; i < len(name); i++ {
		if name[i] != '%' || i+1 == len(name) {
			b.WriteByte(name[i])
			continue
		}
		i++
		switch name[i] {
		case 'Y':
			fmt.Fprintf(&b, "%d", at.Year())
		case 'y':
			fmt.Fprintf(&b, "%02d", at.Year()%100)
		case 'm':
			fmt.Fprintf(&b, "%02d", int(at.Month()))
		case 'd':
			fmt.Fprintf(&b, "%02d", at.Day())
		case 'H':
			fmt.Fprintf(&b, "%02d", at.Hour())
		case 'M':
			fmt.Fprintf(&b, "%02d", at.Minute())
		case 'S':
			fmt.Fprintf(&b, "%02d", at.Second())
		case 'j':
			fmt.Fprintf(&b, "%03d", at.YearDay())
		case 's':
			fmt.Fprintf(&b, "%d", at.Unix())
		case 'F':
			b.WriteString(at.Format("2006-01-02"))
		case 'T':
			b.WriteString(at.Format("15:04:05"))
		case '%':
			b.WriteByte('%')
		default:
			b.WriteByte('%')
			b.WriteByte(name[i])
		}
	}
	return b.String()
}
