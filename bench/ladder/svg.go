package ladder

import (
	"fmt"
	"html"
	"io"
	"math"
	"strings"
)

// Sizes of the picture, in pixels.
const (
	svgWidth = 940
	svgRow   = 26
	svgTop   = 64
	svgLeft  = 370 // where bars begin
	svgRight = 130 // what is kept free for figures
)

// The axis: the logarithm of Mpps.
const (
	leastMpps = 0.1
	mostMpps  = 100
)

// at returns where a rate lies on the axis.
func at(mpps float64) float64 {
	f := math.Log(mpps/leastMpps) / math.Log(float64(mostMpps)/leastMpps)
	return svgLeft + min(max(f, 0), 1)*(svgWidth-svgLeft-svgRight)
}

// SVG draws a bar for each result that was measured, and below them the talk's figures. It can be read on light and dark pages.
func SVG(w io.Writer, results []Result) error {
	var b strings.Builder
	y := svgTop
	line := func(colour, what string, mpps float64, note string) {
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%s</text>`+"\n", svgLeft-8, y+17, html.EscapeString(what))
		fmt.Fprintf(&b, `<rect x="%d" y="%d" width="%.1f" height="%d" rx="2" fill="%s"/>`+"\n", svgLeft, y+3, at(mpps)-svgLeft, svgRow-6, colour)
		fmt.Fprintf(&b, `<text x="%.1f" y="%d">%s</text>`+"\n", at(mpps)+6, y+17, html.EscapeString(note))
		y += svgRow
	}
	for _, r := range results {
		if r.Skipped == "" && r.Mpps > 0 {
			line("#2f81b7", r.What, r.Mpps, fmt.Sprintf("%.2f · %.0f ticks", r.Mpps, r.TicksPerPacket))
		}
	}
	y += 10
	for _, f := range Talk() {
		line("#9a9a9a", "the talk, another machine: "+f.What, f.Mpps, fmt.Sprintf("%.1f", f.Mpps))
	}
	bottom := y + 6
	for mpps := leastMpps; mpps <= mostMpps*1.01; mpps *= 10 {
		fmt.Fprintf(&b, `<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="#808080" stroke-opacity="0.4"/>`+"\n", at(mpps), svgTop-4, at(mpps), bottom)
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="middle">%g</text>`+"\n", at(mpps), bottom+16, mpps)
	}
	height := bottom + 28
	_, err := fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="sans-serif" font-size="13" role="img">
<title>Frames that one core forwards on each way through a machine</title>
<style>text{fill:#24292f}@media(prefers-color-scheme:dark){text{fill:#d0d7de}}</style>
<text x="12" y="24" font-size="16">One core receives, touches and sends frames of 60 bytes</text>
<text x="12" y="44">Million frames a second, logarithmic; ticks of the time stamp counter for each frame</text>
%s</svg>
`, svgWidth, height, svgWidth, height, b.String())
	return err
}
